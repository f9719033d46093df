"""Structured logs to standard output: one line per call, nothing private, ever.

A line is made in one function, and a level that nobody hears costs one comparison: a
router writes a line for each call, and each step of a chain would cost it again.
"""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, cast

import structlog
from prometheus_client import Counter

LOST_LINES: Final = Counter(
    "federated_router_log_lines_lost",
    "Lines of the log that standard output did not take.",
)

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Threshold:
    """The level in force; changed while running, so it is looked up per line."""

    value = logging.INFO


class _Lines:
    """Writes to standard output as it is now; a line that it does not take is counted.

    Whoever logs is in the middle of something, often of putting something right: a
    full disk or a closed pipe behind the log must not end it.
    """

    def write(self, line: str) -> None:
        """Write one line."""
        try:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            LOST_LINES.inc()

    debug = info = warning = error = write


class _Logger(structlog.BoundLoggerBase):
    """The methods that a line comes in by."""

    def debug(self, event: str, **fields: object) -> None:
        """Say what helps to find a defect."""
        if _Threshold.value <= logging.DEBUG:
            self._proxy_to_logger("debug", event, **fields)

    def info(self, event: str, **fields: object) -> None:
        """Say what operators want to know."""
        if _Threshold.value <= logging.INFO:
            self._proxy_to_logger("info", event, **fields)

    def warning(self, event: str, **fields: object) -> None:
        """Say what may need an operator."""
        if _Threshold.value <= logging.WARNING:
            self._proxy_to_logger("warning", event, **fields)

    def error(self, event: str, **fields: object) -> None:
        """Say what needs an operator."""
        self._proxy_to_logger("error", event, **fields)

    def exception(self, event: str, **fields: object) -> None:
        """Say what needs an operator, with the error that is being handled."""
        self._proxy_to_logger("error", event, **{"exc_info": True, **fields})


# One encoder for all lines: the renderer of structlog makes one for each.
_encode = json.JSONEncoder(default=repr).encode


def _processor(form: str, daemon: str) -> structlog.typing.Processor:
    """Return what makes a line of an event: who, when, how grave, in this form."""
    render: Callable[[object, str, structlog.typing.EventDict], str] = (
        (lambda _, __, event: _encode(event))
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )

    def line(logger: object, level: str, event: structlog.typing.EventDict) -> str:
        event["daemon"] = daemon
        event["level"] = level
        now = datetime.now(UTC).isoformat(timespec="microseconds")
        event["timestamp"] = now.replace("+00:00", "Z")
        if "exc_info" in event:
            structlog.processors.format_exc_info(logger, level, event)
        return render(logger, level, event)

    return line


def configure(*, level: str, form: str, daemon: str) -> None:
    """Send logs of this process to standard output as JSON lines or text."""
    set_level(level)
    structlog.configure(
        processors=[_processor(form, daemon)],
        wrapper_class=_Logger,
        logger_factory=lambda *_: _Lines(),
        cache_logger_on_first_use=True,
    )


def set_level(level: str) -> None:
    """Change how much this process logs from now on."""
    _Threshold.value = _LEVELS[level]


def get_level() -> str:
    """Return the level in force."""
    return next(name for name, value in _LEVELS.items() if value == _Threshold.value)


def get_logger(name: str) -> structlog.typing.FilteringBoundLogger:
    """Return a logger whose lines carry `source=name`."""
    return cast(
        "structlog.typing.FilteringBoundLogger", structlog.get_logger(source=name)
    )
