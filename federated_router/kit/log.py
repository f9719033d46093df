"""Structured logs to standard output: one line per call, nothing private, ever."""

import json
import logging
import sys
from typing import Literal, cast

import structlog

Level = Literal["debug", "info", "warning", "error"]
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


class _Threshold:
    """The level in force; changed while running, so it is looked up per line."""

    value = logging.INFO


def _drop_below_threshold(
    _: object, method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if _LEVELS.get(method, logging.ERROR) < _Threshold.value:
        raise structlog.DropEvent
    return event


def _named(daemon: str) -> structlog.typing.Processor:
    """Return a processor that says which daemon speaks."""

    def name(
        _: object, __: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event["daemon"] = daemon
        return event

    return name


# One encoder for all lines: the renderer of structlog makes one for each.
_encode = json.JSONEncoder(default=repr).encode


def _as_json(_: object, __: str, event: structlog.typing.EventDict) -> str:
    return _encode(event)


def configure(*, level: str, form: str, daemon: str) -> None:
    """Send logs of this process to standard output as JSON lines or text."""
    set_level(level)
    renderer: structlog.typing.Processor = (
        _as_json
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stdout.isatty())
    )
    structlog.configure(
        processors=[
            _drop_below_threshold,
            _named(daemon),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(),
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
