"""Whom a leader uses: by what it measured, and how often it was let down."""

from hypothesis import given
from hypothesis import strategies as st

from node.shards.reach import PAUSE_MAX_S, Reach


def test_node_is_used_once_it_was_measured_until_it_fails() -> None:
    """Listed is not reached."""
    reach = Reach(pause_s=2.0)
    assert not reach.link_ms

    reach.reached("n", 4.0)
    assert reach.link_ms == {"n": 4.0}

    assert reach.unreached("n")
    assert not reach.unreached("n")
    assert not reach.link_ms


def test_one_long_measurement_moves_the_way_a_little() -> None:
    """A busy moment is no distance; a new distance is believed in time."""
    reach = Reach(pause_s=2.0)
    reach.reached("n", 1.0)

    reach.reached("n", 101.0)
    assert reach.link_ms["n"] == 21.0

    for _ in range(40):
        reach.reached("n", 101.0)
    assert 100.0 < reach.link_ms["n"] < 101.0


def test_node_that_fails_again_and_again_is_left_alone_for_longer() -> None:
    """It answers measurements, and fails every answer: a frozen layer does that."""
    reach, pauses_s = Reach(pause_s=2.0), []
    now_s = 100.0
    for _ in range(8):
        reach.reached("n", 1.0)
        reach.lost("n", now_s=now_s)
        assert "n" not in reach.link_ms
        pause_s = next(
            s for s in range(100) if not reach.is_paused("n", now_s=now_s + s)
        )
        pauses_s.append(pause_s)
        now_s += pause_s

    assert pauses_s == [2, 4, 8, 16, 32, PAUSE_MAX_S, PAUSE_MAX_S, PAUSE_MAX_S]
    reach.worked("n")
    reach.lost("n", now_s=now_s)
    assert not reach.is_paused("n", now_s=now_s + 2.0)


def test_answers_that_fail_together_count_once() -> None:
    """One broken stream is one failure, however many sequences it carried."""
    reach = Reach(pause_s=2.0)
    for _ in range(9):
        reach.lost("n", now_s=10.0)

    assert reach.is_paused("n", now_s=11.9)
    assert not reach.is_paused("n", now_s=12.0)


def test_nodes_that_left_are_forgotten() -> None:
    """A federation's nodes come and go; this memory must not grow with them."""
    reach = Reach(pause_s=2.0)
    for node in ("a", "b"):
        reach.reached(node, 1.0)
        reach.lost(node, now_s=0.0)

    reach.keep_only({"b"})

    assert not reach.is_paused("a", now_s=1.0)
    assert reach.is_paused("b", now_s=1.0)


@given(st.lists(st.floats(0.0, 1e6), min_size=1))
def test_way_lies_between_the_measured_ones(took_ms: list[float]) -> None:
    """Whatever was measured, the planner gets a number that means something."""
    reach = Reach(pause_s=2.0)
    for one in took_ms:
        reach.reached("n", one)

    assert min(took_ms) - 1e-3 <= reach.link_ms["n"] <= max(took_ms) + 1e-3
