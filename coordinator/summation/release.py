"""Open the sum from the holders' answers, and decide whether it may be published.

Decides which answers are believed, and which sums are plausible. Refuses to publish
anything that does not count the survivors exactly. Blocks the calling thread. A sum
that opens to integers in all its slots is the proof that the answers were right: under
any other secret every slot is uniform modulo a 54-bit prime.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations, islice
from typing import Final

from coordinator.rounds.round import Round
from federated_router.crypto import ckks, opening, packed_shamir, quantise
from federated_router.crypto.ckks import Integers, SummedCiphertext
from federated_router.crypto.packed_shamir import Share
from federated_router.crypto.transcript import MemberName
from federated_router.kit.errors import CiphertextMalformed, ShareConflict

SUBSETS_MAX: Final = 128
"""Subsets of answers that one attempt tries where decoding alone names no liar."""

FALSE_REJECTIONS: Final = 1e-12
"""Probability that the noise alone makes a sum implausible."""


@dataclass(frozen=True, slots=True)
class OpenedSum:
    """Every slot of the sum, unchecked, and the holders whose answers were wrong."""

    slots: Integers = field(repr=False)
    liars: tuple[MemberName, ...]


def open_total(round_: Round, total: SummedCiphertext) -> OpenedSum:
    """Open the sum with the answers of the holders that are not known as liars.

    Where answers contradict each other and are too few for decoding, subsets of them
    are tried against the sum itself, so that every liar beyond `reconstruct` honest
    answers is found and not only half as many.

    Raises:
        ShareConflict: more answers, or other ones, are needed.
        CiphertextMalformed: the answers agree beyond doubt, and the sum is wrong.
    """
    answers = _answers(round_)
    needed = round_.thresholds.reconstruct
    try:
        found = _secret(round_, answers)
    except ShareConflict:
        return _by_subsets(round_, total, answers)
    try:
        slots = ckks.open_sum(total, found.secret)
    except CiphertextMalformed as error:
        if found.liars:
            # Enough liars together make honest answers look wrong.
            return _by_subsets(round_, total, answers)
        if len(answers) > needed:
            raise
        raise _unclear(len(answers), needed) from error
    return OpenedSum(slots, _named(round_, found.liars))


def checked(round_: Round, opened: OpenedSum) -> tuple[int, ...]:
    """Return the sums that may be published, in slot order.

    Raises:
        CiphertextMalformed: the count is not that of the survivors, a place that
            nobody fills is not empty, or a sum is beyond what members may contribute
            and noise may add.
    """
    catalogue = round_.terms.catalogue
    sums = quantise.without_count(
        opened.slots,
        accepted=len(round_.survivors),
        slots=catalogue.statistic_slots,
    )
    tail = noise_tail(round_.noise_sigma, slots=catalogue.statistic_slots)
    most = len(round_.survivors) * catalogue.slot_max + tail
    if int(sums.min()) < -tail or int(sums.max()) > most:
        raise CiphertextMalformed(
            "A sum is beyond what contributions and noise can reach.",
            field="contributions",
        )
    return tuple(int(value) for value in sums)


def noise_tail(sigma: float, *, slots: int) -> int:
    """Return what noise exceeds in any of so many slots with FALSE_REJECTIONS.

    A discrete Gaussian of scale sigma is subgaussian with the same scale (Canonne,
    Kamath and Steinke 2020): P(|X| > t) <= 2 exp(-t^2 / (2 sigma^2)).
    """
    return math.ceil(sigma * math.sqrt(2 * math.log(2 * slots / FALSE_REJECTIONS)))


def _answers(round_: Round) -> dict[int, Share]:
    """Return the answers by holder number, without those of known liars."""
    thresholds = round_.thresholds
    return {
        number: packed_shamir.share_from_bytes(round_.answers[member], thresholds)
        for number, member in enumerate(round_.roster, start=1)
        if member in round_.answers and member not in round_.liars
    }


def _secret(round_: Round, answers: Mapping[int, Share]) -> opening.Opening:
    return opening.open_secret(
        answers, thresholds=round_.thresholds, contributors=len(round_.survivors)
    )


def _by_subsets(
    round_: Round, total: SummedCiphertext, answers: Mapping[int, Share]
) -> OpenedSum:
    needed = round_.thresholds.reconstruct
    for omitted in islice(_omissions(answers, needed), SUBSETS_MAX):
        believed = {
            number: share for number, share in answers.items() if number not in omitted
        }
        try:
            found = _secret(round_, believed)
            slots = ckks.open_sum(total, found.secret)
        except (ShareConflict, CiphertextMalformed):
            continue
        return OpenedSum(slots, _named(round_, found.liars | set(omitted)))
    raise _unclear(len(answers), needed)


def _omissions(answers: Mapping[int, Share], needed: int) -> Iterator[tuple[int, ...]]:
    """Yield whom to leave out: one holder first, then two, down to `needed` answers."""
    for count in range(1, len(answers) - needed + 1):
        yield from combinations(sorted(answers), count)


def _named(round_: Round, numbers: frozenset[int]) -> tuple[MemberName, ...]:
    return tuple(round_.roster[number - 1] for number in sorted(numbers))


def _unclear(answers: int, needed: int) -> ShareConflict:
    return ShareConflict(
        f"{answers} answers do not open the sum together; {needed} honest ones do.",
        metadata={"answers": str(answers), "needed": str(needed)},
    )
