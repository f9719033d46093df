"""Between the rounds' messages and what a member thinks in.

Decides that a message which cannot mean anything is refused as such. Refuses to know
calls and streams (`grpc_rounds`, `grpc_priors`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from federated_router.api.v1 import aggregation_pb2, priors_pb2
from federated_router.crypto import beacon
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.packed_shamir import ROSTER_SIZE_MAX
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.federation.priors_wire import catalogue_from_message
from federated_router.federation.round_view import (
    Announcement,
    RosterMember,
    Round,
    RoundState,
)
from federated_router.federation.statements import Contributor, attempt_of
from federated_router.federation.survivor_signature import (
    ContributorSet,
    SurvivorSet,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import Catalogue

_STATES: Final = {
    aggregation_pb2.Round.State.Value(f"STATE_{state.name}"): state
    for state in RoundState
}

BODY_WANTED: Final = ("federation-body", "wanted")
"""Initial metadata of a coordinator that has room for a contribution's body."""

CATALOGUES_KEPT: Final = 4
"""Layouts that are not read again each time a round is shown."""


def round_from_message(message: aggregation_pb2.Round) -> Round:
    """Return the round; raise FieldInvalid for a state or keys of no known form."""
    return Round(
        name=message.name,
        state=_state(message.state),
        catalogue=_catalogue(message.catalogue.SerializeToString(deterministic=True)),
        noise=NoiseTerms(
            scale=message.noise.scale,
            survivors_min=message.noise.survivors_min,
            colluders_max=message.noise.colluders_max,
            sensitivity_squared=message.noise.sensitivity_squared,
            cohort_size=message.noise.cohort_size,
            cohort_survivors_min=message.noise.cohort_survivors_min,
            cohort_colluders_max=message.noise.cohort_colluders_max,
        ),
        participation_min=message.participation_min,
        joined_count=message.joined_count,
        roster=tuple(_roster_member(entry) for entry in message.roster),
        roster_hash=RosterHash(message.roster_hash),
        beacon=message.beacon,
        history=frozenset(_state(entry.state) for entry in message.history),
        survivors=frozenset(map(MemberName, message.survivors)),
        end_cause=message.end_cause,
    )


def keys_to_message(announcement: Announcement) -> aggregation_pb2.MemberKeys:
    """Return a member's announcement as it joins."""
    binding = announcement.binding
    return aggregation_pb2.MemberKeys(
        signing_key=binding.keys.signing,
        sealing_key=binding.keys.sealing,
        not_after_s=binding.not_after_s,
        certificate_der=announcement.certificate_der,
        binding_signature=binding.signature,
    )


def keys_from_message(member: str, message: aggregation_pb2.MemberKeys) -> Announcement:
    """Return the announcement that `member` is said to have made."""
    binding = KeyBinding(
        member=MemberName(member),
        keys=PublicKeys(message.signing_key, message.sealing_key),
        not_after_s=message.not_after_s,
        signature=message.binding_signature,
    )
    return Announcement(binding, message.certificate_der)


def contributor_set_from_message(
    message: aggregation_pb2.SharesHeader,
) -> ContributorSet:
    """Return the contributors as the coordinator signed them."""
    return ContributorSet(
        contributors=tuple(
            Contributor(entry.number, entry.sha256, entry.signature)
            for entry in message.contributors
        ),
        signature=message.coordinator_signature,
        certificate_der=message.coordinator_certificate_der,
    )


def survivor_set_from_message(
    message: aggregation_pb2.GetSurvivorSetResponse,
) -> SurvivorSet:
    """Return the survivors as the coordinator signed them."""
    return SurvivorSet(
        survivors=tuple(message.survivors),
        signature=message.coordinator_signature,
        certificate_der=message.coordinator_certificate_der,
    )


def roster_from_message(
    message: aggregation_pb2.GetRosterResponse,
    *,
    round_name: str,
    known: Mapping[bytes, Announcement],
) -> tuple[RosterMember, ...]:
    """Return a roster, its keys taken from `known` where they did not travel.

    Raises FieldInvalid for more members than any round has, a nonce of another length,
    or keys that neither travelled nor are known under this name.
    """
    if len(message.members) > ROSTER_SIZE_MAX:
        raise FieldInvalid(
            f"A roster has at most {ROSTER_SIZE_MAX} members.", field="members"
        )
    attempt = attempt_of(round_name)
    return tuple(
        RosterMember(
            announcement=_announced(entry, known),
            commitment=beacon.commit(
                attempt, MemberName(entry.member), entry.beacon_nonce
            ),
            nonce=entry.beacon_nonce,
        )
        for entry in message.members
    )


@lru_cache(maxsize=CATALOGUES_KEPT)
def _catalogue(content: bytes) -> Catalogue:
    """Return the layout in a message; every view of a round repeats it."""
    return catalogue_from_message(priors_pb2.Catalogue.FromString(content))


def _announced(
    entry: aggregation_pb2.RosterMember, known: Mapping[bytes, Announcement]
) -> Announcement:
    if entry.HasField("keys"):
        return keys_from_message(entry.member, entry.keys)
    found = known.get(entry.keys_sha256)
    if found is None or found.member != entry.member:
        raise FieldInvalid(
            "The roster refers to keys that this member has not seen.", field="keys"
        )
    return found


def _roster_member(message: aggregation_pb2.RosterEntry) -> RosterMember:
    return RosterMember(
        announcement=keys_from_message(message.member, message.keys),
        commitment=message.beacon_commitment,
        nonce=message.beacon_nonce,
    )


def _state(value: int) -> RoundState:
    found = _STATES.get(value)
    if found is None:
        raise FieldInvalid(
            "The round is in a state that this version does not know.", field="state"
        )
    return found
