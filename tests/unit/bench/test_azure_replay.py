"""The replay of the Azure trace: what is played, and what counts as lost."""

import gzip
from pathlib import Path

import pytest

from federated_router.api.v1 import budget_pb2
from tests.evaluate.azure_ledger import lost_holds
from tests.evaluate.azure_run import Seen
from tests.evaluate.azure_trace import Arrival, Replay, arrivals

ROWS = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:16:46.6805900,800,16
2023-11-16 18:16:56.6805900,80,1
2023-11-16 18:18:56.6805900,80,80
"""
HELD = budget_pb2.Reservation.STATE_HELD
COMMITTED = budget_pb2.Reservation.STATE_COMMITTED
ANSWERED = Seen(private=True, charge_units=7)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Return a trace of four requests."""
    path = tmp_path / "trace.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8") as lines:
        lines.write(ROWS)
    return path


def test_part_is_played_faster_and_with_shorter_texts(trace: Path) -> None:
    """A minute from its second minute on, at twice its speed, an eighth as long."""
    replay = Replay(begin_s=60.0, seconds=60.0, factor=2.0, divisor=8.0)

    assert arrivals(trace, replay) == [Arrival(0.0, 100, 2), Arrival(5.0, 10, 1)]


def test_environment_says_otherwise() -> None:
    """Each field by its name; whole numbers stay whole."""
    told = Replay.of({"AZURE_FACTOR": "4", "AZURE_SEED": "9", "OTHER": "1"})

    assert told == Replay(factor=4.0, seed=9)
    assert Replay.of({}) == Replay()


@pytest.mark.parametrize(
    ("state", "units", "seen", "lost"),
    [
        (COMMITTED, 7, ANSWERED, False),
        (COMMITTED, 8, ANSWERED, True),
        (HELD, 0, ANSWERED, True),
        (HELD, 0, Seen(private=True, reason="NODE_LOST"), True),
        (COMMITTED, 3, Seen(private=True, reason="NODE_LOST"), False),
        (None, 0, ANSWERED, True),
        (None, 0, Seen(private=True, reason="QUEUE_FULL"), False),
        (None, 0, Seen(private=False), False),
    ],
)
def test_hold_is_lost_that_is_held_or_charged_otherwise(
    state: budget_pb2.Reservation.State | None, units: int, seen: Seen, *, lost: bool
) -> None:
    """Whoever was answered was charged what the answer told; nothing stays held."""
    found = (
        {}
        if state is None
        else {"r": budget_pb2.Reservation(state=state, charged_units=units)}
    )

    assert lost_holds({"r": seen}, found) == ({"r"} if lost else set())


def test_answer_with_a_doubled_token_is_not_whole() -> None:
    """Nor one that lacks a token."""
    assert Seen(private=False, tokens=3, tokens_delivered=3).whole
    assert not Seen(private=False, tokens=3, tokens_delivered=4).whole
    assert not Seen(private=False, tokens=3, tokens_delivered=2).whole
