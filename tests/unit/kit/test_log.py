"""Logs are one JSON line per event, above a threshold that operators move."""

import io
import json
import sys
from collections.abc import Callable, Iterator

import pytest
import structlog
from prometheus_client import REGISTRY

from federated_router.kit import log
from federated_router.kit.log import configure, get_level, get_logger, set_level


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the process's logging as it was found."""
    level = get_level()
    yield
    set_level(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    """Return what was logged."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_line_carries_source_daemon_level_and_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Operators filter by these before they read."""
    configure(level="info", form="json", daemon="router")

    get_logger("here").info("round published", revision=3)

    (line,) = lines(capsys)
    assert line.pop("timestamp", "").endswith("Z")  # type: ignore[attr-defined]
    assert line == {
        "event": "round published",
        "source": "here",
        "daemon": "router",
        "level": "info",
        "revision": 3,
    }


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["d", "i", "w", "e"]),
        ("info", ["i", "w", "e"]),
        ("warning", ["w", "e"]),
        ("error", ["e"]),
    ],
)
def test_threshold_drops_what_is_below(
    capsys: pytest.CaptureFixture[str], level: str, heard: list[str]
) -> None:
    """Each level hears itself and everything graver."""
    configure(level=level, form="json", daemon="node")
    source = get_logger("here")

    source.debug("d")
    source.info("i")
    source.warning("w")
    source.error("e")

    assert [line["event"] for line in lines(capsys)] == heard


def test_threshold_moves_while_running(capsys: pytest.CaptureFixture[str]) -> None:
    """Loggers are cached at first use; the switch must reach them all the same."""
    configure(level="warning", form="json", daemon="node")
    source = get_logger("here")
    source.info("before")

    set_level("debug")
    source.debug("after")

    assert [line["event"] for line in lines(capsys)] == ["after"]
    assert get_level() == "debug"


def test_exception_stays_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback over twenty lines would be twenty events for a collector."""
    configure(level="info", form="json", daemon="node")
    error = ValueError("broken")

    get_logger("here").error("failed", exc_info=error)

    (line,) = lines(capsys)
    assert "ValueError: broken" in str(line["exception"])


def test_text_form_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """The same event, readable on a terminal."""
    configure(level="info", form="text", daemon="node")

    get_logger("here").info("round published", revision=3)

    shown = capsys.readouterr().out
    assert "round published" in shown
    assert "revision=3" in shown


@pytest.mark.parametrize("level", ["loud", "", "INFO"])
def test_unknown_level_changes_nothing(level: str) -> None:
    """A level that does not exist must not silence the daemon."""
    set_level("warning")

    with pytest.raises(KeyError):
        set_level(level)

    assert get_level() == "warning"


def test_levels_of_settings_and_log_are_the_same() -> None:
    """A level that the configuration takes must exist here."""
    from federated_router.kit.config import LogSettings

    for level in log._LEVELS:
        set_level(LogSettings(level=level).level)

        assert get_level() == level


class Broken(io.StringIO):
    """A pipe whose reader is gone, or a disk that is full."""

    def write(self, _: str) -> int:
        """Refuse."""
        raise BrokenPipeError


def closed() -> io.StringIO:
    """Return an output that was closed."""
    output = io.StringIO()
    output.close()
    return output


def lost_lines() -> float:
    """Return how many lines were counted as lost."""
    return REGISTRY.get_sample_value("federated_router_log_lines_lost_total") or 0.0


@pytest.mark.parametrize("output", [Broken, closed])
def test_line_that_cannot_be_written_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, output: Callable[[], io.StringIO]
) -> None:
    """Whoever says that a hold is charged in full must get to charge it."""
    configure(level="info", form="json", daemon="router")
    logger = get_logger("here")
    before = lost_lines()
    monkeypatch.setattr(sys, "stdout", output())

    logger.warning("charged what was granted")

    assert lost_lines() == before + 1


def test_logger_follows_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A logger that was used once is kept; where it writes to is not."""
    configure(level="info", form="json", daemon="router")
    logger = get_logger("here")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", io.StringIO())
        logger.info("elsewhere")

    logger.info("here")

    assert [line["event"] for line in lines(capsys)] == ["here"]
