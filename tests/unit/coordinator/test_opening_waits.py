"""When a sum that stays closed is believed to be closed, and what is awaited before."""

from collections.abc import Sequence

import pytest

from coordinator.summation import opening
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.kit.errors import ShareConflict
from tests.support.coordinator_world import CoordinatorWorld
from tests.support.round_member import RunningMember
from tests.unit.aggregation_attacks import test_attack_lying_holders as lying
from tests.unit.aggregation_attacks.sum_round import SumRound, moved, name_of
from tests.unit.coordinator.test_coordinator_rounds import (
    _made,
    _swap_ciphertext,
    act,
    reach,
)

EVERYBODY = range(1, 11)
"""Ten members: seven answers open, and three may be corrupt."""


@pytest.fixture(scope="module")
def garbled() -> SumRound:
    """Give a round in which member 10 sent a ciphertext under another secret."""
    made = SumRound.of(10)
    shares = made.shares[10]
    made.contribute(10, made.values[10])
    made.shares[10] = shares
    return made


def opened(
    made: SumRound, holders: Sequence[int], *, liars: Sequence[int], decisive: bool
) -> frozenset[str]:
    """Return the liars of an opening whose sum stays closed."""
    answers = made.answers(holders, EVERYBODY)
    for liar in liars:
        answers[liar] = moved(answers[liar], {0: liar})
    round_ = made.coordinator_round(answers, EVERYBODY)
    found = opening.open_round(round_, [made.total(EVERYBODY)], decisive=decisive)
    assert found.cohorts == ()
    return frozenset(found.liars)


def test_agreeing_answers_of_all_that_may_be_corrupt_and_seven_decide_at_once(
    garbled: SumRound,
) -> None:
    """Seven of the ten are honest, so that no other polynomial is the true one."""
    assert opened(garbled, EVERYBODY, liars=[], decisive=False) == frozenset()


@pytest.mark.parametrize("holders", [range(1, 9), range(1, 10)])
def test_fewer_wait_for_the_others_and_decide_without_them(
    garbled: SumRound, holders: range
) -> None:
    """Two who agree on a lie need only six honest answers to agree with."""
    with pytest.raises(ShareConflict):
        opened(garbled, holders, liars=[], decisive=False)

    assert opened(garbled, holders, liars=[], decisive=True) == frozenset()


@pytest.mark.parametrize("holders", [range(1, 10), EVERYBODY])
def test_located_liar_is_named_once_no_answer_can_come(
    garbled: SumRound, holders: range
) -> None:
    """Before, another answer might have opened the sum without it."""
    with pytest.raises(ShareConflict):
        opened(garbled, holders, liars=[3], decisive=False)

    assert opened(garbled, holders, liars=[3], decisive=True) == {name_of(3)}


@pytest.mark.parametrize(
    ("holders", "liars"), [(range(1, 8), []), (range(1, 9), [3]), (EVERYBODY, [3, 5])]
)
def test_what_does_not_decode_is_never_decided(
    garbled: SumRound, holders: range, liars: list[int]
) -> None:
    """Seven answers contradict nobody; eight do not say which of them is wrong."""
    for decisive in (False, True):
        with pytest.raises(ShareConflict):
            opened(garbled, holders, liars=liars, decisive=decisive)


def test_colluders_who_answer_early_do_not_have_the_round_rejected() -> None:
    """Two agree on a polynomial with the six honest answers that came beside theirs.

    Deciding at once would take the good contribution of ten members for garbage; the
    two answers that are still missing open the sum, and tell who lied.
    """
    made, liars = SumRound.of(10), (1, 2)
    shift = lying.framing_shift(made, liars)
    beside = [holder for holder in range(3, 11) if shift(holder) == 0]
    answers = made.answers(EVERYBODY, EVERYBODY)
    for liar in liars:
        answers[liar] = moved(answers[liar], {0: shift(liar)})
    early = {holder: answers[holder] for holder in (*liars, *beside)}
    total = made.total(EVERYBODY)

    deceived = opening.open_round(
        made.coordinator_round(early, EVERYBODY), [total], decisive=True
    )
    with pytest.raises(ShareConflict):
        opening.open_round(
            made.coordinator_round(early, EVERYBODY), [total], decisive=False
        )
    waited = opening.open_round(
        made.coordinator_round(answers, EVERYBODY), [total], decisive=False
    )

    assert len(early) == 8
    assert (deceived.cohorts, deceived.liars) == ((), ())
    assert len(waited.cohorts) == 1
    assert set(waited.liars) == {name_of(1), name_of(2)}


async def garbled_round(world: CoordinatorWorld, members: list[RunningMember]) -> None:
    """Bring a round to OPENING to which the first member contributed garbage."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    other = await _made(members[1], round_)
    _swap_ciphertext(members[0], other.body[:CIPHERTEXT_BYTES])
    await reach(world, members, "OPENING")


async def test_absent_holder_is_awaited_until_the_deadline_and_no_longer(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Three of four answers open a sum; where they do not, the fourth might tell."""
    await garbled_round(world, members)
    await act(world, members[:3])
    await world.work()
    waiting = await world.newest()
    await world.clock.advance(121)

    await world.work()
    ended = await world.newest()

    assert waiting.state == pb2.Round.STATE_OPENING
    assert ended.state == pb2.Round.STATE_ABORTED
    assert "3 of 4 holders answered" in ended.end_cause
    assert "do not open the sums together" in ended.end_cause


async def test_sums_that_do_not_open_again_after_a_restart_end_the_round(
    world: CoordinatorWorld,
    members: list[RunningMember],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Later answers may contradict; a daemon that dies of it would never end them."""

    def conflict(*_: object, **__: object) -> None:
        raise ShareConflict("The answers contradict each other.")

    await world.open_round()
    await reach(world, members, "VALIDATING")
    await world.restart()
    monkeypatch.setattr(opening, "open_round", conflict)

    await world.work()

    ended = await world.newest()
    assert ended.state == pb2.Round.STATE_ABORTED
    assert ended.end_cause == "The answers contradict each other."
