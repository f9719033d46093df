"""What the holders' checks of a round say, as an event.

Decides nothing of its own: turns names into numbers on the roster, asks the verdict of
`crypto.dealing_verdict`, and turns its numbers into names. Blocks the calling thread.
"""

from collections.abc import Iterable

from coordinator.rounds import events
from coordinator.rounds.round import Round
from federated_router.crypto import dealing_check, dealing_verdict
from federated_router.crypto.transcript import MemberName


def judge(round_: Round) -> events.Judged:
    """Return the verdict on dealers and holders of a round that was checked.

    Raises:
        ShareConflict: the checks contradict each other beyond what can be told apart.
        RosterTooSmall: fewer checks than open a sum.
    """
    numbers = round_.numbers
    count = len(round_.contributors)
    found = dealing_verdict.verdict(
        {
            numbers[name]: dealing_check.combinations_from_bytes(content, count)
            for name, content in round_.checks.items()
        },
        round_.thresholds,
        [numbers[name] for name in round_.contributors],
    )
    return events.Judged(
        inconsistent=_named(round_, found.inconsistent),
        dropped=_named(round_, found.dropped),
        liars=_named(round_, found.liars),
        disputed=_named(round_, found.erased - found.liars),
    )


def _named(round_: Round, numbers: Iterable[int]) -> tuple[MemberName, ...]:
    return tuple(round_.roster[number - 1] for number in sorted(numbers))
