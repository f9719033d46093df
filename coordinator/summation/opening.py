"""Open the cohorts' sums from the holders' answers.

Decides which answers are believed. Refuses to say what may be published
(`plausibility`, `validation`). Blocks the calling thread. A sum that opens to integers
in all its slots is the proof that the answers to it were right: under any other secret
every slot is uniform modulo a 54-bit prime.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice
from typing import Final

from coordinator.rounds.round import Round
from coordinator.summation.opened import OpenedCohort, OpenedRound
from federated_router.crypto import ckks, opening, packed_shamir
from federated_router.crypto.ckks import Integers, SummedCiphertext
from federated_router.crypto.packed_shamir import Share
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import CiphertextMalformed, ShareConflict

SUBSETS_MAX: Final = 128
"""Subsets of answers that one attempt tries where decoding alone names no liar."""

Answers = Mapping[int, Sequence[Share]]
"""Each holder's sums, one for each open cohort, by number on the roster."""


def open_round(
    round_: Round, totals: Sequence[SummedCiphertext], *, decisive: bool
) -> OpenedRound:
    """Open each open cohort's sum; `totals` are in the order of `round_.open_cohorts`.

    Where answers contradict each other and are too few for decoding, subsets of them
    are tried against the sums, so that every liar beyond `reconstruct` honest answers
    is found and not only half as many.

    A sum that stays closed under the decoded secret holds a contribution that is no
    ciphertext under its dealer's secret, and is left out of what is returned; or liars
    made honest answers look wrong. The latter is ruled out by another sum that the
    secret opens, or by `reconstruct` + `corrupt` answers that agree. Otherwise every
    answer that may come is awaited: `decisive` says that no further one can, and that
    the decoded answers are believed, as far as decoding goes.

    Raises:
        ShareConflict: more answers, or other ones, are needed.
    """
    answers = _answers(round_)
    try:
        tried = _try(round_, totals, answers)
    except ShareConflict:
        return _by_subsets(round_, totals, answers).opened(round_)
    if tried.whole:
        return tried.opened(round_)
    thresholds = round_.thresholds
    agreeing = len(answers) - len(tried.liars)
    certain = agreeing >= thresholds.reconstruct + thresholds.corrupt
    redundant = len(answers) > thresholds.reconstruct
    believed = redundant and (decisive or certain or tried.any)
    if believed and not tried.liars:
        return tried.opened(round_)
    try:
        return _by_subsets(round_, totals, answers).opened(round_)
    except ShareConflict:
        if believed:
            return tried.opened(round_)
        raise


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What some answers give: each cohort's slots, None where its sum stays closed."""

    sums: tuple[Integers | None, ...]
    liars: frozenset[int]

    @property
    def whole(self) -> bool:
        """Whether every sum opened."""
        return all(slots is not None for slots in self.sums)

    @property
    def any(self) -> bool:
        """Whether some sum opened."""
        return any(slots is not None for slots in self.sums)

    def opened(self, round_: Round) -> OpenedRound:
        """Return the sums that opened, and the liars by name."""
        cohorts = tuple(
            OpenedCohort(number, len(round_.cohorts[number - 1]), len(part), slots)
            for (number, part), slots in zip(
                round_.open_cohorts, self.sums, strict=True
            )
            if slots is not None
        )
        liars: tuple[MemberName, ...] = tuple(
            round_.roster[number - 1] for number in sorted(self.liars)
        )
        return OpenedRound(cohorts, liars)


def _answers(round_: Round) -> Answers:
    """Return the answers of holders that nothing speaks against, by number."""
    numbers, cohorts = round_.numbers, len(round_.open_cohorts)
    return {
        numbers[name]: packed_shamir.answer_from_bytes(
            content, round_.thresholds, cohorts=cohorts
        )
        for name, content in round_.believed_answers.items()
    }


def _try(
    round_: Round, totals: Sequence[SummedCiphertext], answers: Answers
) -> _Attempt:
    """Open what these answers open; raise ShareConflict for a contradiction."""
    found = opening.open_secrets(
        answers,
        thresholds=round_.thresholds,
        contributors=[len(part) for _, part in round_.open_cohorts],
    )
    sums: list[Integers | None] = []
    for total, secret in zip(totals, found.secrets, strict=True):
        try:
            sums.append(ckks.open_sum(total, secret))
        except CiphertextMalformed:
            sums.append(None)
    return _Attempt(tuple(sums), found.liars)


def _by_subsets(
    round_: Round, totals: Sequence[SummedCiphertext], answers: Answers
) -> _Attempt:
    """Return the first attempt without some holders that opens every sum."""
    needed = round_.thresholds.reconstruct
    for omitted in islice(_omissions(answers, needed), SUBSETS_MAX):
        believed = {
            number: sums for number, sums in answers.items() if number not in omitted
        }
        try:
            found = _try(round_, totals, believed)
        except ShareConflict:
            continue
        if found.whole:
            return _Attempt(found.sums, found.liars | set(omitted))
    raise ShareConflict(
        f"{len(answers)} answers do not open the sums together; {needed} honest ones "
        "do.",
        metadata={"answers": str(len(answers)), "needed": str(needed)},
    )


def _omissions(answers: Answers, needed: int) -> Iterator[tuple[int, ...]]:
    """Yield whom to leave out: one holder first, then two, down to `needed` answers."""
    for count in range(1, len(answers) - needed + 1):
        yield from combinations(sorted(answers), count)
