"""Between the rounds' messages and what a member thinks in.

Decides that a message which cannot mean anything is refused as such. Refuses to know
calls and streams (`grpc_rounds`, `grpc_priors`).
"""

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import aggregation_pb2, priors_pb2
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.round_view import (
    Announcement,
    NoiseTerms,
    RosterMember,
    Round,
    RoundState,
)
from federated_router.federation.statements import Survivor
from federated_router.federation.survivor_signature import SurvivorSet
from federated_router.kit.errors import FieldInvalid
from federated_router.priors.catalogue import Catalogue, Cell, CellCounts
from federated_router.priors.publication import Priors

_STATE_PREFIX = "STATE_"


def round_from_message(message: aggregation_pb2.Round) -> Round:
    """Return the round; raise FieldInvalid for a state or keys of no known form."""
    return Round(
        name=message.name,
        state=_state(message.state),
        catalogue=catalogue_from_message(message.catalogue),
        noise=NoiseTerms(
            scale=message.noise.scale,
            survivors_min=message.noise.survivors_min,
            colluders_max=message.noise.colluders_max,
            sensitivity_squared=message.noise.sensitivity_squared,
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


def survivor_set_from_message(message: aggregation_pb2.SharesHeader) -> SurvivorSet:
    """Return the set that the coordinator signed."""
    return SurvivorSet(
        survivors=tuple(
            Survivor(MemberName(entry.member), entry.sha256, entry.signature)
            for entry in message.survivors
        ),
        signature=message.coordinator_signature,
        certificate_der=message.coordinator_certificate_der,
    )


def catalogue_from_message(message: priors_pb2.Catalogue) -> Catalogue:
    """Return the layout; raise FieldInvalid for one that does not mean one thing."""
    return Catalogue(
        version=message.version,
        models=tuple(message.models),
        regions=tuple(message.regions),
        latency_bounds_ms=tuple(message.latency_bounds_ms),
        slot_max=message.slot_max,
    )


def priors_from_message(message: priors_pb2.Priors) -> Priors:
    """Return published priors; raise FieldInvalid for counts over other buckets."""
    catalogue = catalogue_from_message(message.catalogue)
    performance = {
        Cell(entry.model, entry.region): CellCounts(
            tuple(entry.latency_counts), entry.failures
        )
        for entry in message.performance
    }
    buckets = len(catalogue.latency_bounds_ms) + 1
    if any(len(counts.latency_counts) != buckets for counts in performance.values()):
        raise FieldInvalid(
            "A cell of the priors does not have the catalogue's buckets.",
            field="performance",
        )
    return Priors(
        revision=message.revision,
        round_name=message.round,
        create_time_s=_seconds(message.create_time),
        catalogue=catalogue,
        members=message.members,
        noise_standard_deviation=message.noise_standard_deviation,
        performance=performance,
    )


def _roster_member(message: aggregation_pb2.RosterEntry) -> RosterMember:
    return RosterMember(
        announcement=keys_from_message(message.member, message.keys),
        commitment=message.beacon_commitment,
        nonce=message.beacon_nonce,
    )


def _seconds(moment: Timestamp) -> float:
    try:
        return moment.ToNanoseconds() / 1e9
    except ValueError as error:
        raise FieldInvalid(
            "The priors were not made at any time.", field="create_time"
        ) from error


def _state(value: int) -> RoundState:
    try:
        name = aggregation_pb2.Round.State.Name(value)
        return RoundState(name.removeprefix(_STATE_PREFIX).lower())
    except ValueError:
        raise FieldInvalid(
            "The round is in a state that this version does not know.", field="state"
        ) from None
