"""Logs are one JSON line per event, above a threshold that operators move."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import structlog
from prometheus_client import REGISTRY

from federated_router.kit import log
from federated_router.kit.log import configure, get_level, get_logger, set_level
from tests.support.running import eventually


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the process's logging as it was found."""
    level = get_level()
    yield
    configure(level=level, form="json", daemon="router")
    log.flush()


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


def test_logger_that_was_used_follows_what_is_configured_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Loggers are made once, at import; what they write is the process's to say."""
    logger = get_logger("here")
    configure(level="info", form="json", daemon="first")
    logger.info("used")
    configure(level="info", form="json", daemon="second")

    logger.info("used again")
    with structlog.testing.capture_logs() as captured:
        logger.info("captured")

    assert [line["daemon"] for line in lines(capsys)] == ["first", "second"]
    assert [line["event"] for line in captured] == ["captured"]


class Counting(io.StringIO):
    """An output that counts how often it is written to."""

    writes = 0

    def write(self, text: str) -> int:
        """Take a text."""
        self.writes += 1
        return super().write(text)


def gathering(monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Return the output of a process whose lines wait for others for an hour."""
    configure(level="info", form="json", daemon="router", gather_s=3600.0)
    output = Counting()
    monkeypatch.setattr(sys, "stdout", output)
    return output


def told(output: Counting) -> list[str]:
    """Return the events that were written."""
    return [json.loads(line)["event"] for line in output.getvalue().splitlines()]


async def test_lines_are_written_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A write for each would cost a busy router a twelfth of its time."""
    output = gathering(monkeypatch)
    for number in range(10):
        get_logger("here").info(str(number))
    before = told(output)

    log.flush()

    assert before == []
    assert told(output) == [str(number) for number in range(10)]
    assert output.writes == 1


async def test_lines_wait_no_longer_than_configured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody has to flush."""
    output = gathering(monkeypatch)
    configure(level="info", form="json", daemon="router", gather_s=0.01)

    get_logger("here").info("soon")

    await eventually(lambda: told(output))
    assert told(output) == ["soon"]


async def test_a_warning_takes_what_waits_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What needs somebody is told at once, and in order."""
    output = gathering(monkeypatch)
    get_logger("here").info("before")
    get_logger("here").warning("now")

    assert told(output) == ["before", "now"]


async def test_no_more_lines_wait_than_their_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory has a bound, whatever the time is."""
    output = gathering(monkeypatch)
    for number in range(log.LINES_MAX + 5):
        get_logger("here").info(str(number))

    assert len(told(output)) == log.LINES_MAX


def test_nothing_waits_where_no_loop_would_write_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Commands and threads have no event loop."""
    output = gathering(monkeypatch)
    get_logger("here").info("at once")

    assert told(output) == ["at once"]


async def test_every_line_that_waited_counts_where_none_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lost lines are counted one by one, however they are written."""
    output = gathering(monkeypatch)
    before = lost_lines()
    for _ in range(3):
        get_logger("here").info("lost")
    monkeypatch.setattr(sys, "stdout", Broken())

    log.flush()

    assert lost_lines() == before + 3
    assert told(output) == []


@dataclass
class Credential:
    """A thing that hides a part of itself."""

    name: str
    secret: str = field(repr=False)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Credential("n", "s3cret"), "Credential(name='n')"),
        (1 << 80, 1 << 80),
        ("\ud800", "\ud800"),
        (datetime(2026, 1, 2, tzinfo=UTC), repr(datetime(2026, 1, 2, tzinfo=UTC))),
        ({1, 2}, "{1, 2}"),
    ],
    ids=["what hides", "wide integer", "no text", "time", "set"],
)
def test_value_is_shown_as_its_repr_has_it(
    capsys: pytest.CaptureFixture[str], value: object, shown: object
) -> None:
    """An encoder that reads objects by itself would tell what their repr keeps."""
    configure(level="info", form="json", daemon="router")

    get_logger("here").info("told", value=value)

    (line,) = lines(capsys)
    assert line["value"] == shown
