"""A node samples what its router granted, and not one token more."""

import asyncio
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import (
    FieldInvalid,
    GrantNotExtended,
    GrantUnknown,
    NotNow,
)
from node.private.credit import Credit, OpenCredits

ROUTER = "router-1"
RESERVATION = "reservations/ada.r-1"


@dataclass
class Watch:
    """A clock that stands until it is moved."""

    now_s: float = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def credit(granted: int = 4, *, watch: Watch | None = None) -> Credit:
    """Return a credit of 4 of 16 tokens that is waited for 2 seconds."""
    return Credit(
        tokens_granted=granted, tokens_max=16, wait_s=2.0, now_s=watch or Watch()
    )


@given(grants=st.lists(st.integers(min_value=1, max_value=16)))
def test_credit_is_the_largest_grant_in_whatever_order_they_come(
    grants: list[int],
) -> None:
    """Repeated, late and reordered extensions neither shrink nor add up."""
    one = credit()

    for granted in grants:
        one.extend(granted)

    assert one.tokens_granted == max([4, *grants])
    covered = next(n for n in range(17) if not one.covers(n))
    assert covered == one.tokens_granted


@pytest.mark.parametrize("granted", [-1, 0, 17])
def test_grant_outside_the_reservation_is_refused_and_changes_nothing(
    granted: int,
) -> None:
    """Tokens beyond `tokens_max` were never reserved in any account."""
    one = credit()

    with pytest.raises(FieldInvalid) as caught:
        one.extend(granted)

    assert caught.value.metadata["field"] == "tokens_granted"
    assert one.tokens_granted == 4
    with pytest.raises(FieldInvalid):
        credit(granted)


def test_credit_that_is_not_extended_in_time_ends_the_wait() -> None:
    """A router that is cut off must not keep records in a node's memory for ever."""
    watch = Watch()
    one = credit(watch=watch)

    assert not one.covers(4)
    watch.now_s += 1.9
    assert not one.covers(4)
    watch.now_s += 0.2
    with pytest.raises(GrantNotExtended) as caught:
        one.covers(4)

    assert caught.value.metadata["tokens_granted"] == "4"


def test_every_extension_begins_the_wait_anew() -> None:
    """The time is for one extension, and not for the answer."""
    watch = Watch()
    one = credit(watch=watch)

    for granted in (5, 6, 7):
        assert not one.covers(one.tokens_granted)
        watch.now_s += 1.5
        one.extend(granted)
        assert one.covers(granted - 1)

    assert not one.covers(7)


def test_a_router_reaches_only_its_own_answers() -> None:
    """Two routers may have requests of one name in ledgers of their own."""
    credits_here, mine, theirs = OpenCredits(), credit(), credit()

    with (
        credits_here.opened(ROUTER, RESERVATION, mine),
        credits_here.opened("router-2", RESERVATION, theirs),
    ):
        assert credits_here.extend(ROUTER, RESERVATION, 9) == 9

    assert (mine.tokens_granted, theirs.tokens_granted) == (9, 4)


def test_an_ended_answer_takes_no_grant() -> None:
    """Nothing is left that could sample; nothing is left behind either."""
    credits_here, one = OpenCredits(), credit()
    with (
        pytest.raises(RuntimeError),
        credits_here.opened(ROUTER, RESERVATION, one),
    ):
        raise RuntimeError("The model failed.")

    with pytest.raises(GrantUnknown):
        credits_here.extend(ROUTER, RESERVATION, 9)

    assert one.tokens_granted == 4


async def test_orderly_stop_waits_until_the_last_answer_has_ended() -> None:
    """A server that has stopped hears no grant, so what runs could not go on."""
    credits_here = OpenCredits()
    await asyncio.wait_for(credits_here.ended(), timeout=30)

    with credits_here.opened(ROUTER, "reservations/one", credit()):
        with credits_here.opened(ROUTER, "reservations/two", credit()):
            waiting = asyncio.ensure_future(credits_here.ended())
        await asyncio.sleep(0)
        assert not waiting.done()

    await asyncio.wait_for(waiting, timeout=30)


def test_one_reservation_pays_for_one_answer_at_a_time() -> None:
    """Two answers on one grant would be two samples for one charge."""
    credits_here, first = OpenCredits(), credit()

    with credits_here.opened(ROUTER, RESERVATION, first):
        with (
            pytest.raises(NotNow),
            credits_here.opened(ROUTER, RESERVATION, credit()),
        ):
            pytest.fail("a second answer was let in")
        assert credits_here.extend(ROUTER, RESERVATION, 8) == 8

    assert first.tokens_granted == 8
