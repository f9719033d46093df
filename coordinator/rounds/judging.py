"""What the holders' checks of a round say, as an event.

Decides nothing of its own: turns names into numbers on the roster, asks the verdict of
`crypto.dealing_verdict`, and turns its numbers into names. Blocks the calling thread.
"""

from collections.abc import Iterable, Mapping

from coordinator.rounds import events
from coordinator.rounds.round import Round
from federated_router.crypto import dealing_check, dealing_verdict
from federated_router.crypto.stacked_checks import StackedChecks
from federated_router.crypto.transcript import MemberName


class Judging:
    """The judgement of one round that was checked; its checks come a few at a time."""

    def __init__(self, round_: Round) -> None:
        """Take room for the checks; raise RosterTooSmall for too few to open a sum."""
        self._round = round_
        self._numbers = round_.numbers
        self._stacked = StackedChecks(
            [self._numbers[name] for name in round_.checks],
            len(round_.contributors),
            round_.thresholds,
        )

    def take(self, checks: Mapping[MemberName, bytes]) -> None:
        """Take some holders' checks; raise CiphertextMalformed for another form."""
        dealers = len(self._round.contributors)
        for name, content in checks.items():
            told = dealing_check.combinations_from_bytes(content, dealers)
            self._stacked.put(self._numbers[name], told)

    def judged(self) -> events.Judged:
        """Return the verdict on dealers and holders.

        Raises:
            ShareConflict: the checks contradict each other beyond what can be told
                apart.
            Internal: a check was not taken.
        """
        round_ = self._round
        contributors = [self._numbers[name] for name in round_.contributors]
        found = dealing_verdict.verdict(self._stacked, contributors)
        return events.Judged(
            inconsistent=_named(round_, found.inconsistent),
            dropped=_named(round_, found.dropped),
            liars=_named(round_, found.liars),
            disputed=_named(round_, found.erased - found.liars),
        )


def _named(round_: Round, numbers: Iterable[int]) -> tuple[MemberName, ...]:
    return tuple(round_.roster[number - 1] for number in sorted(numbers))
