"""Which requests may be told again after their round."""

from dataclasses import replace

import pytest

from federated_router.crypto.transcript import MemberName
from federated_router.federation.round_view import Round, RoundState
from federated_router.federation.settlement import Fate, fate_of
from federated_router.kit.errors import RoundStateWrong
from tests.support.round_coordinator import CATALOGUE, NOISE, ROUND

ONE, TWO = MemberName("node/node-1"), MemberName("node/node-2")
BOTH = frozenset({ONE, TWO})
OPENED = frozenset({RoundState.JOINING, RoundState.OPENING})
UNOPENED = frozenset({RoundState.JOINING})


def ended(
    state: RoundState,
    survivors: frozenset[MemberName] = BOTH,
    history: frozenset[RoundState] = OPENED,
) -> Round:
    """Return a round that has ended in `state`."""
    return Round(
        name=ROUND,
        state=state,
        catalogue=CATALOGUE,
        noise=NOISE,
        participation_min=0.8,
        survivors=survivors,
        history=history,
    )


@pytest.mark.parametrize(
    ("round_", "contributed", "answered", "fate"),
    [
        (ended(RoundState.PUBLISHED), True, True, Fate.CONFIRM),
        (ended(RoundState.PUBLISHED), True, False, Fate.CONFIRM),
        (ended(RoundState.PUBLISHED, frozenset({TWO})), True, False, Fate.RESTORE),
        (ended(RoundState.PUBLISHED, frozenset({TWO})), True, True, Fate.CONFIRM),
        (ended(RoundState.REJECTED), True, True, Fate.DISCARD),
        (ended(RoundState.REJECTED), True, False, Fate.DISCARD),
        (ended(RoundState.REJECTED, frozenset({TWO})), True, False, Fate.RESTORE),
        (ended(RoundState.ABORTED), True, True, Fate.DISCARD),
        (ended(RoundState.ABORTED), True, False, Fate.DISCARD),
        (ended(RoundState.ABORTED, history=UNOPENED), True, False, Fate.RESTORE),
        (ended(RoundState.ABORTED, history=UNOPENED), True, True, Fate.DISCARD),
        (ended(RoundState.ABORTED, frozenset()), True, False, Fate.DISCARD),
        (ended(RoundState.ABORTED), False, False, Fate.RESTORE),
        (ended(RoundState.REJECTED), False, False, Fate.RESTORE),
    ],
)
def test_request_is_told_again_only_if_nobody_can_have_seen_its_sum(
    round_: Round,
    *,
    contributed: bool,
    answered: bool,
    fate: Fate,
) -> None:
    """Differential privacy is charged once per opened sum; doubt counts as opened."""
    decided = fate_of(round_, member=ONE, contributed=contributed, answered=answered)

    assert decided is fate


@pytest.mark.parametrize(
    ("round_", "own_summed", "fate"),
    [
        (ended(RoundState.PUBLISHED), True, Fate.CONFIRM),
        (ended(RoundState.PUBLISHED, frozenset({TWO})), True, Fate.CONFIRM),
        (ended(RoundState.REJECTED, frozenset({TWO})), True, Fate.DISCARD),
        (ended(RoundState.ABORTED, frozenset({TWO})), True, Fate.DISCARD),
        (ended(RoundState.ABORTED, frozenset(), UNOPENED), True, Fate.DISCARD),
        (ended(RoundState.PUBLISHED, frozenset({TWO})), False, Fate.RESTORE),
        (ended(RoundState.ABORTED, frozenset({TWO})), False, Fate.RESTORE),
        (ended(RoundState.PUBLISHED), False, Fate.DISCARD),
        (ended(RoundState.REJECTED), False, Fate.DISCARD),
        (ended(RoundState.ABORTED), False, Fate.DISCARD),
    ],
)
def test_who_answered_settles_by_the_signed_set_it_verified(
    round_: Round, *, own_summed: bool, fate: Fate
) -> None:
    """What the coordinator lists afterwards, unsigned, frees no request to be told."""
    decided = fate_of(
        round_, member=ONE, contributed=True, answered=True, answered_own=own_summed
    )

    assert decided is fate


def test_running_round_has_no_fate() -> None:
    """Settling early could publish a request twice."""
    running = replace(ended(RoundState.ABORTED), state=RoundState.OPENING)

    with pytest.raises(RoundStateWrong):
        fate_of(running, member=ONE, contributed=True, answered=False)
