"""Judge the dealers and holders of a round by the holders' combinations.

Decides who is named, who is left out and whose answers count, from what
`dealing_check` defines. Refuses to know names, and what becomes of those it finds. Pure
and deterministic: whoever holds the same checks comes to the same verdict.

Names rest on one assumption, the one of every opening: of the checks that came, the
false ones are few enough to be located, 2 * wrong + absent <= checks - `reconstruct`
for each honest dealer. With `limit`, the number of corrupt members that the round
allows for (at least 1), then

- a holder in dispute with more than `limit` dealers lied, for one of these is honest;
- a dealer whose shares more than `limit` holders cannot open is inconsistent;
- a dealer whose combinations lie on no polynomial near them is inconsistent; where no
  wrong value could have been located it is left out and not named;
- more inconsistent dealers than `limit` cannot be, and there is no verdict.

Disputes that remain name nobody: dealer and holder accuse each other. The holder's
answer is then set aside as if it had not come. Where too few holders remain who are in
no dispute, dealers are left out until enough do, those with most disputes first. With
exactly `reconstruct` checks all agree by arithmetic, and only shares that do not open
are noticed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from federated_router.crypto import decoding
from federated_router.crypto.dealing_check import ABSENT
from federated_router.crypto.field import Elements
from federated_router.crypto.packed_shamir import CHECKS, Thresholds
from federated_router.crypto.stacked_checks import StackedChecks
from federated_router.kit.errors import ShareConflict

Flags = NDArray[np.bool_]

_TOGETHER: Final = 128
"""Dealers decoded at a time, which bounds what that takes beside the checks."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who dealt or checked wrongly, by number on the roster.

    `inconsistent` dealers and `liars` among the holders are named. `dropped` dealers
    are left out of the sum too, without blame. `disputed` are the pairs (dealer,
    holder) that neither explains, of dealers that stay in the sum.
    """

    inconsistent: frozenset[int]
    dropped: frozenset[int]
    liars: frozenset[int]
    disputed: frozenset[tuple[int, int]]

    @property
    def left_out(self) -> frozenset[int]:
        """Return the dealers whose contributions must not be in the sum."""
        return self.inconsistent | self.dropped

    @property
    def erased(self) -> frozenset[int]:
        """Return the holders whose answers must be set aside, whatever they say."""
        return self.liars | {holder for _, holder in self.disputed}


def limit_of(thresholds: Thresholds) -> int:
    """Return how many disputes prove nothing against one party."""
    return max(1, thresholds.corrupt)


def verdict(checks: StackedChecks, contributors: Sequence[int]) -> Verdict:
    """Return the verdict on the checks that came.

    Args:
        checks: of every holder that checked.
        contributors: the dealers' numbers on the roster, in the order of the checks.

    Raises:
        ShareConflict: more dealers are inconsistent than can be.
        Internal: a check was not put in.
    """
    holders, told, thresholds = checks.holders, checks.whole(), checks.thresholds
    judged = _judge(holders, told, thresholds)
    dealers = np.array(contributors, dtype=np.int64)
    kept = _kept(judged, thresholds)
    disputes = judged.disputes & kept[:, None]
    return Verdict(
        inconsistent=_numbers(dealers, judged.inconsistent),
        dropped=_numbers(dealers, ~kept & ~judged.inconsistent),
        liars=_numbers(holders, judged.liars),
        disputed=frozenset(
            (int(dealers[row]), int(holders[column]))
            for row, column in zip(*np.nonzero(disputes), strict=True)
        ),
    )


@dataclass(frozen=True, slots=True)
class _Decoded:
    """What each dealer's values say: dealers by row, holders by column.

    `disputes` are wrong or absent values; of rows that are not `decodable`, the absent
    ones. In `locatable` rows a wrong value could have been located.
    """

    disputes: Flags
    decodable: Flags
    locatable: Flags

    @classmethod
    def of(
        cls, holders: Elements, told: NDArray[np.uint16], thresholds: Thresholds
    ) -> "_Decoded":
        """Decode all CHECKS polynomials of each dealer; any that misses disputes."""
        parts = [
            cls._of_some(holders, told[start : start + _TOGETHER], thresholds)
            for start in range(0, max(1, len(told)), _TOGETHER)
        ]
        return cls(
            np.concatenate([part.disputes for part in parts]),
            np.concatenate([part.decodable for part in parts]),
            np.concatenate([part.locatable for part in parts]),
        )

    @classmethod
    def _of_some(
        cls, holders: Elements, told: NDArray[np.uint16], thresholds: Thresholds
    ) -> "_Decoded":
        dealers = len(told)
        absent = (told == ABSENT).any(axis=1)
        located = decoding.wrong_positions(
            holders,
            told.reshape(-1, len(holders)),
            coefficients=thresholds.reconstruct,
            erased=np.repeat(absent, CHECKS, axis=0),
        )
        wrong = located.wrong.reshape(dealers, CHECKS, len(holders)).any(axis=1)
        most = (len(holders) - thresholds.reconstruct - absent.sum(axis=1)) // 2
        decodable = located.decodable.reshape(dealers, CHECKS).all(axis=1)
        decodable &= wrong.sum(axis=1) <= most
        return cls((wrong & decodable[:, None]) | absent, decodable, most > 0)

    def replaced(self, rows: Elements, columns: Elements, by: "_Decoded") -> "_Decoded":
        """Return this with some rows as they look from some of the holders."""
        disputes, decodable = self.disputes.copy(), self.decodable.copy()
        locatable = self.locatable.copy()
        disputes[np.ix_(rows, columns)] = by.disputes
        decodable[rows], locatable[rows] = by.decodable, by.locatable
        return _Decoded(disputes, decodable, locatable)

    def liars(self, limit: int) -> Flags:
        """Return the holders in dispute with more dealers than can be corrupt."""
        return np.asarray(self.disputes.sum(axis=0) > limit)


@dataclass(frozen=True, slots=True)
class _Judged:
    """Disputes without those of liars; `lost` dealers have words that prove nothing."""

    disputes: Flags
    inconsistent: Flags
    lost: Flags
    liars: Flags


def _judge(
    holders: Elements, told: NDArray[np.uint16], thresholds: Thresholds
) -> _Judged:
    """Decode; set the liars aside; decode once more what they may have spoilt."""
    limit = limit_of(thresholds)
    seen = _Decoded.of(holders, told, thresholds)
    liars = seen.liars(limit)
    _refuse_too_many_liars(liars, thresholds)
    honest, spoilt = np.flatnonzero(~liars), np.flatnonzero(~seen.decodable)
    if len(honest) < len(holders) and len(spoilt):
        rest = _Decoded.of(holders[honest], told[spoilt][:, :, honest], thresholds)
        seen = seen.replaced(spoilt, honest, rest)
        liars = seen.liars(limit)
        _refuse_too_many_liars(liars, thresholds)
    disputes = seen.disputes & ~liars
    proven = disputes.sum(axis=1) > limit
    inconsistent = proven | (~seen.decodable & seen.locatable)
    if int(inconsistent.sum()) > limit:
        raise _conflict("inconsistent", int(inconsistent.sum()), limit)
    return _Judged(disputes, inconsistent, ~seen.decodable & ~inconsistent, liars)


def _refuse_too_many_liars(liars: Flags, thresholds: Thresholds) -> None:
    if int((~liars).sum()) < thresholds.reconstruct:
        raise _conflict("liars", int(liars.sum()), limit_of(thresholds))


def _kept(judged: _Judged, thresholds: Thresholds) -> Flags:
    """Return the dealers that stay, so that enough holders are in no dispute.

    Terminates, for without any dealer all the holders that are no liars are free.
    """
    kept = ~(judged.inconsistent | judged.lost)
    while True:
        disputes = judged.disputes & kept[:, None]
        free = ~judged.liars & ~disputes.any(axis=0)
        if int(free.sum()) >= thresholds.reconstruct:
            return kept
        kept[int(disputes.sum(axis=1).argmax())] = False


def _conflict(who: str, found: int, limit: int) -> ShareConflict:
    return ShareConflict(
        "The holders' checks contradict each other and are too few to tell who lies; "
        "run the round again.",
        metadata={who: str(found), "limit": str(limit)},
    )


def _numbers(numbers: Elements, chosen: Flags) -> frozenset[int]:
    return frozenset(numbers[chosen].tolist())
