"""Counts rise before a request is sent, and fall whatever its end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.routing.candidate import Shape
from federated_router.routing.loads import Counted, Loads, Recent
from federated_router.routing.moving_scorers import BLOCK_TOKENS
from tests.unit.routing.placing import QUERY, Live

SHAPE = Shape(prompt_tokens=4 * BLOCK_TOKENS, prefix=(1, 2, 3, 4))


def test_prompt_counts_as_unread_until_its_first_token() -> None:
    """Told twice, or never, it is uncounted once."""
    loads = Loads(Recent(10))

    with Counted(loads, "nodes/a", 700) as told, Counted(loads, "nodes/a", 50):
        assert loads.unread_tokens == {"nodes/a": 750}
        told.prefilled()
        told.prefilled()
        assert loads.unread_tokens == {"nodes/a": 50}
        assert loads.in_flight == {"nodes/a": 2}

    assert not loads.unread_tokens
    assert not loads.in_flight


def test_what_the_node_holds_is_not_unread() -> None:
    """The second of two alike prompts is read already; the index learnt it at once."""
    live = Live()
    live.join("a")
    one = live.router.choose(QUERY, SHAPE)

    with live.router.counted(one, SHAPE):
        first = live.router._memory.loads.unread_tokens["nodes/a"]
        with live.router.counted(one, SHAPE):
            both = live.router._memory.loads.unread_tokens["nodes/a"]

    assert (first, both) == (SHAPE.prompt_tokens, SHAPE.prompt_tokens)


def test_request_that_is_not_sent_teaches_nothing() -> None:
    """A count that was made and never entered is no request."""
    live = Live()
    live.join("a")
    one = live.router.choose(QUERY, SHAPE)

    live.router.counted(one, SHAPE)

    assert len(live.router._memory.prefixes) == 0
    assert live.router.in_flight("nodes/a") == 0


def test_node_that_moved_holds_nothing() -> None:
    """It was started again, and its cache with it."""
    live = Live()
    live.join("a")
    with live.router.counted(live.router.choose(QUERY, SHAPE), SHAPE):
        pass
    before = len(live.router._memory.prefixes)

    live.registry.register(
        name="nodes/a",
        address="elsewhere:1",
        region="north",
        offers=live.registry.present().member("nodes/a").offers,
    )
    live.router.choose(QUERY)

    assert (before, len(live.router._memory.prefixes)) == (4, 0)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=60))
def test_latest_requests_weigh_most_and_add_up(nodes: list[str]) -> None:
    """Each request weighs a tenth less than the next, where ten are the latest."""
    recent = Recent(latest=10)
    for node in nodes:
        recent.count(node)

    for name in set(nodes):
        expected = sum(
            (10 / 11) ** age for age, node in enumerate(reversed(nodes)) if node == name
        )
        assert recent.by_node[name] / recent.unit == pytest.approx(expected)


def test_weights_of_the_latest_never_overflow() -> None:
    """A router runs for years; the sums are brought back before they are too large."""
    recent = Recent(latest=1)
    for number in range(3000):
        recent.count("ab"[number % 2])

    assert recent.unit < 1e201
    ages = recent.by_node["b"] / recent.by_node["a"]
    assert ages == pytest.approx(2.0)
