"""Structured logs to standard output: one line per call, nothing private, ever.

A line is made in one function, and a level that nobody hears costs one comparison: a
router writes a line for each call, and each step of a chain would cost it again. Lines
below `warning` are written together with those that follow soon: a process that is
killed loses what waits, and nothing else.
"""

import asyncio
import contextlib
import json
import logging
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, cast

import orjson
import structlog
from prometheus_client import Counter

LOST_LINES: Final = Counter(
    "federated_router_log_lines_lost",
    "Lines of the log that standard output did not take.",
)

LINES_MAX: Final = 256
"""How many lines wait to be written at most."""

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
    """Writes to standard output as it is now; lines that it does not take are counted.

    Whoever logs is in the middle of something, often of putting something right: a
    full disk or a closed pipe behind the log must not end it. Lines wait for others
    where an event loop runs that writes them `gather_s` later; safe for any thread.
    """

    gather_s = 0.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        self._due = False

    def later(self, line: str) -> None:
        """Write a line with those that follow it soon, `LINES_MAX` at most."""
        with self._lock:
            self._waiting.append(line)
            if len(self._waiting) >= LINES_MAX or not self._will_be_written():
                self._write()

    def now(self, line: str) -> None:
        """Write a line, and all that wait before it."""
        with self._lock:
            self._waiting.append(line)
            self._write()

    def flush(self) -> None:
        """Write all that wait."""
        with self._lock:
            self._due = False
            self._write()

    def _will_be_written(self) -> bool:
        if not self._due and self.gather_s:
            with contextlib.suppress(RuntimeError):  # This thread runs no loop.
                loop = asyncio.get_running_loop()
                loop.call_later(self.gather_s, self.flush)
                self._due = True
        return self._due

    def _write(self) -> None:
        if not self._waiting:
            return
        lines, self._waiting = self._waiting, []
        try:
            sys.stdout.write("\n".join((*lines, "")))
            sys.stdout.flush()
        except (OSError, ValueError):
            LOST_LINES.inc(len(lines))

    debug = info = later
    warning = error = now


_LINES: Final = _Lines()
_PROCESSORS: Final[list[structlog.typing.Processor]] = []
"""One list for ever: loggers keep the one that they were first used with."""


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


# Of an object its repr decides what is shown: of a dataclass not every field.
_OBJECTS_BY_REPR: Final = (
    orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
)
_slow_encode = json.JSONEncoder(default=repr).encode


def _encode(event: structlog.typing.EventDict) -> str:
    """Return a line of JSON; integers beyond 64 bits take the slow way."""
    try:
        return orjson.dumps(event, default=repr, option=_OBJECTS_BY_REPR).decode()
    except orjson.JSONEncodeError:
        return _slow_encode(event)


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


def configure(*, level: str, form: str, daemon: str, gather_s: float = 0.0) -> None:
    """Send logs of this process to standard output as JSON lines or text.

    Lines below `warning` wait up to `gather_s` for others; `flush` writes them.
    """
    set_level(level)
    _LINES.gather_s = gather_s
    _PROCESSORS[:] = [_processor(form, daemon)]
    structlog.configure(
        processors=_PROCESSORS,
        wrapper_class=_Logger,
        logger_factory=lambda *_: _LINES,
        cache_logger_on_first_use=True,
    )


def flush() -> None:
    """Write the lines that wait: before the process ends."""
    _LINES.flush()


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
