"""What a holder checks about the sets that the coordinator signs.

Decides when a holder checks shares, and when it helps to open sums: contributors that
each signed for itself, its own contribution among them, enough of them; and survivors
that are a part of those, in cohorts that it draws itself, none of them too small.
Refuses to know how messages arrive and what happens after a refusal. Pure: the time is
an argument.

A holder that is no survivor itself may answer: thresholds let one survivor set be
opened at most (`Thresholds`), whoever is in it, and the others' sums need its answer.
"""

import hmac
from collections.abc import Iterable, Sequence
from itertools import pairwise

from federated_router.crypto import cohorts as drawing
from federated_router.crypto import signing
from federated_router.crypto.transcript import MemberName
from federated_router.federation.statements import (
    Contributor,
    attempt_of,
    contribution_statement,
)
from federated_router.federation.survivor_signature import (
    ContributorSet,
    SurvivorSet,
    Trust,
    verify_contributors,
    verify_survivors,
)
from federated_router.federation.verification import (
    Promise,
    Roster,
    mismatch,
    require_members,
)

Survivors = tuple[tuple[int, ...], ...]
"""Each cohort's survivors by number, in the order of cohort numbers; none is empty."""


def verify_contributor_set(
    claim: ContributorSet,
    *,
    roster: Roster,
    promise: Promise,
    own: MemberName,
    own_sha256: bytes,
    trust: Trust,
    now_s: float,
) -> None:
    """Accept the set whose dealings this member may check.

    Raises:
        SignatureInvalid: not signed by a coordinator, or a contribution that its
            member did not sign.
        RosterTooSmall: fewer contributors than promised.
        RosterMismatch: out of order, or this member's contribution is missing.
        NotOnRoster: a contributor of another round.
    """
    verify_contributors(roster.round_name, roster.hash, claim, trust=trust, now_s=now_s)
    numbers = [entry.number for entry in claim.contributors]
    _refuse_unordered(numbers, "contributors")
    names = [roster.member_of(number) for number in numbers]
    require_members(len(names), promise.contributors_min)
    digests = {
        name: entry.sha256
        for name, entry in zip(names, claim.contributors, strict=True)
    }
    if not hmac.compare_digest(digests.get(own, b""), own_sha256):
        raise mismatch("this member's contribution was not accepted", "contributors")
    for name, entry in zip(names, claim.contributors, strict=True):
        _verify_contribution(name, entry, roster)


def verify_survivor_set(
    claim: SurvivorSet,
    *,
    roster: Roster,
    promise: Promise,
    contributors: Iterable[Contributor],
    contributors_sha256: bytes,
    trust: Trust,
    now_s: float,
) -> Survivors:
    """Return the survivors of each cohort whose sum this member may help to open.

    `contributors` and their digest are those of the set that this member checked.

    Raises:
        SignatureInvalid: not signed by a coordinator, or of another contributor set.
        RosterTooSmall: fewer survivors than promised, in the round or in a cohort.
        RosterMismatch: out of order, or a survivor that did not contribute.
    """
    verify_survivors(
        roster.round_name,
        roster.hash,
        claim,
        contributors_sha256=contributors_sha256,
        trust=trust,
        now_s=now_s,
    )
    _refuse_unordered(claim.survivors, "survivors")
    if not set(claim.survivors) <= {entry.number for entry in contributors}:
        raise mismatch("somebody survived who did not contribute", "survivors")
    require_members(len(claim.survivors), promise.survivors_min)
    survivors = _by_cohort(claim.survivors, roster=roster, size=promise.cohort_size)
    for part in survivors:
        require_members(len(part), promise.cohort_survivors_min)
    return survivors


def _by_cohort(numbers: Sequence[int], *, roster: Roster, size: int) -> Survivors:
    cohorts = drawing.assign(
        attempt_of(roster.round_name),
        roster.hash,
        roster.beacon,
        holders=len(roster.members),
        size=size,
    )
    surviving = frozenset(numbers)
    parts = (
        tuple(number for number in cohort if number in surviving) for cohort in cohorts
    )
    return tuple(part for part in parts if part)


def _refuse_unordered(numbers: Sequence[int], check: str) -> None:
    if not all(low < high for low, high in pairwise(numbers)):
        raise mismatch("a set does not name each member once, in order", check)


def _verify_contribution(name: MemberName, entry: Contributor, roster: Roster) -> None:
    statement = contribution_statement(
        roster.round_name, name, roster_hash=roster.hash, body_sha256=entry.sha256
    )
    signing.verify(statement, entry.signature, roster.keys_at(entry.number))
