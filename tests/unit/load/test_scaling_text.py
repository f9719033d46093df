"""The reason of an advice is one sentence, with the figures it rests on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.load.demand import Demand
from federated_router.load.scaling import advise
from federated_router.load.settings import ScalingSettings

SETTINGS = ScalingSettings()
LOW = {"models/m": 0}


def reason(
    nodes: int,
    arrivals: float,
    *,
    settled: dict[str, int] = LOW,
    service_s: float = 1.0,
    busy: int = 0,
) -> str:
    """Return why so many nodes are advised where each has 4 slots."""
    names = tuple(f"nodes/{n}" for n in range(nodes))
    one = Demand("models/m", names, 4 * nodes, 4, arrivals, service_s, busy)
    return advise([one], SETTINGS, settled)[0].reason


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            reason(2, 7.0),
            (
                "7 requests/s of 1 s keep 88% of 8 slots on 2 nodes busy; "
                "the wait is 0.64 s, above 0.5 s; with 3 nodes the wait is 0.01 s."
            ),
        ),
        (
            reason(1, 9.0),
            (
                "9 requests/s of 1 s keep 225% of 4 slots on 1 node busy; "
                "the wait is ever more, above 0.5 s; with 3 nodes the wait is 0.09 s."
            ),
        ),
        (
            reason(0, 2.0),
            (
                "2 requests/s of 1 s keep 2 slots busy and no node takes them; "
                "the wait is ever more, above 0.5 s; with 1 node the wait is 0.09 s."
            ),
        ),
        (
            reason(2, 4.0),
            (
                "4 requests/s of 1 s keep 50% of 8 slots on 2 nodes busy; "
                "the wait is 0.01 s, within bounds."
            ),
        ),
        (
            reason(9, 2.0),
            (
                "2 requests/s of 1 s keep 6% of 36 slots on 9 nodes busy; with 1 node "
                "the wait is 0.09 s, and the load was low for 300 s."
            ),
        ),
        (
            reason(9, 2.0, settled={}),
            (
                "2 requests/s of 1 s keep 6% of 36 slots on 9 nodes busy; "
                "no advice to take nodes away before 300 s."
            ),
        ),
        (reason(0, 0.0), "Fewer nodes take work than the least, 1."),
        (reason(1, 0.0), "No request ended lately, and no node can go."),
        (
            reason(3, 0.0),
            "No request ended lately, and the load was low for 300 s.",
        ),
        (reason(3, 0.0, busy=1), "No request ended lately, and some run."),
        (
            reason(3, 0.0, settled={}),
            "No request ended lately; no advice before 300 s.",
        ),
    ],
)
def test_reason_says_figures_and_cause(told: str, said: str) -> None:
    """An operator decides by it, without a calculator."""
    assert told == said


@given(
    nodes=st.integers(0, 20), arrivals=st.floats(0, 1e4), service_s=st.floats(0, 100)
)
def test_every_reason_is_one_sentence(
    nodes: int, arrivals: float, service_s: float
) -> None:
    """Never empty, never a number without end."""
    told = reason(nodes, arrivals, service_s=service_s)

    assert told.endswith(".")
    assert not any(word in told for word in ("inf", "nan"))
    assert len(told) < 200
