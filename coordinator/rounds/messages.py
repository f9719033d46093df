"""Rounds as messages, and messages as what rounds think in: half of `service`.

Decides what of a round anybody may see: never a nonce before all are revealed, never a
body or an answer.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from coordinator.priors.messages import catalogue_message
from coordinator.rounds.admission import ContributionClaim
from coordinator.rounds.round import JoinedMember, Round
from coordinator.rounds.state import State
from federated_router.api.v1 import aggregation_pb2
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.survivor_signature import SurvivorSet


def round_message(round_: Round) -> aggregation_pb2.Round:
    """Return what members and operators see of a round."""
    noise = round_.noise
    return aggregation_pb2.Round(
        name=round_.name,
        state=_state(round_.state),
        catalogue=catalogue_message(round_.terms.catalogue),
        roster=_roster(round_),
        roster_hash=round_.roster_hash,
        beacon=round_.beacon,
        noise=aggregation_pb2.NoiseTerms(
            scale=noise.scale,
            survivors_min=noise.survivors_min,
            colluders_max=noise.colluders_max,
            sensitivity_squared=noise.sensitivity_squared,
        ),
        participation_min=round_.terms.participation_min,
        state_deadline_time=timestamp(round_.deadline_s),
        history=[
            aggregation_pb2.StateEntry(
                state=_state(entry.state), enter_time=timestamp(entry.enter_s)
            )
            for entry in round_.history
        ],
        end_cause=round_.end_cause,
        survivors=round_.survivors,
        liars=round_.liars,
        priors_revision=round_.priors_revision,
        joined_count=len(round_.members),
    )


def joined_member(
    member: MemberName, request: aggregation_pb2.JoinRoundRequest
) -> JoinedMember:
    """Return what `member` wants to join with; FieldInvalid for unusable keys."""
    keys = request.keys
    binding = KeyBinding(
        member=member,
        keys=PublicKeys(keys.signing_key, keys.sealing_key),
        not_after_s=max(0, keys.not_after_s),
        signature=keys.binding_signature,
    )
    return JoinedMember(binding, keys.certificate_der, request.beacon_commitment)


def claim_of(header: aggregation_pb2.ContributionHeader) -> ContributionClaim:
    """Return what a header says about its body."""
    return ContributionClaim(
        roster_hash=header.roster_hash,
        size_bytes=header.size_bytes,
        sha256=header.sha256,
        signature=header.signature,
    )


def shares_header(
    signed: SurvivorSet, *, size_bytes: int
) -> aggregation_pb2.SharesHeader:
    """Return the survivor set as the coordinator signed it."""
    return aggregation_pb2.SharesHeader(
        survivors=[
            aggregation_pb2.Survivor(
                member=survivor.member,
                sha256=survivor.sha256,
                signature=survivor.signature,
            )
            for survivor in signed.survivors
        ],
        coordinator_signature=signed.signature,
        coordinator_certificate_der=signed.certificate_der,
        size_bytes=size_bytes,
    )


def timestamp(time_s: float) -> Timestamp:
    """Return seconds since the epoch as a Timestamp."""
    found = Timestamp()
    found.FromNanoseconds(round(time_s * 1e9))
    return found


def _roster(round_: Round) -> list[aggregation_pb2.RosterEntry]:
    """Return the roster, or who joined before there is one."""
    return [
        _roster_entry(round_, name) for name in round_.roster or sorted(round_.members)
    ]


def _roster_entry(round_: Round, name: MemberName) -> aggregation_pb2.RosterEntry:
    member = round_.members[name]
    accepted = round_.contributions.get(name)
    return aggregation_pb2.RosterEntry(
        member=name,
        keys=aggregation_pb2.MemberKeys(
            signing_key=member.binding.keys.signing,
            sealing_key=member.binding.keys.sealing,
            not_after_s=member.binding.not_after_s,
            certificate_der=member.certificate_der,
            binding_signature=member.binding.signature,
        ),
        beacon_commitment=member.commitment,
        beacon_nonce=(member.nonce or b"") if round_.roster else b"",
        contribution_bytes=accepted.size_bytes if accepted else 0,
    )


def _state(state: State) -> str:
    """Return the name under which the contract knows a state."""
    return f"STATE_{state.name}"
