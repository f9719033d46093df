"""Rounds as messages, and messages as what rounds think in: half of `service`.

Decides what of a round anybody may see: never a nonce before all are revealed, never a
body or an answer.
"""

import hashlib

from google.protobuf.timestamp_pb2 import Timestamp

from coordinator.priors.messages import catalogue_message
from coordinator.rounds.admission import ContributionClaim
from coordinator.rounds.participants import JoinedMember
from coordinator.rounds.round import Round
from coordinator.rounds.state import State
from coordinator.rounds.store import Request
from federated_router.api.v1 import aggregation_pb2
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.statements import keys_sha256
from federated_router.federation.survivor_signature import ContributorSet
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import is_id


def is_full(view: int) -> bool:
    """Return whether a request asks for the roster and for everybody's progress."""
    return view == aggregation_pb2.ROUND_VIEW_FULL


def round_message(round_: Round, *, full: bool = False) -> aggregation_pb2.Round:
    """Return what members and operators see of a round.

    Only a full one grows with the roster, and an ended one by the survivors' names.
    """
    noise = round_.noise
    return aggregation_pb2.Round(
        name=round_.name,
        state=_state(round_.state),
        catalogue=catalogue_message(round_.terms.catalogue),
        roster=_roster(round_) if full else (),
        roster_hash=round_.roster_hash,
        beacon=round_.beacon,
        noise=aggregation_pb2.NoiseTerms(
            scale=noise.scale,
            survivors_min=noise.survivors_min,
            colluders_max=noise.colluders_max,
            sensitivity_squared=noise.sensitivity_squared,
            cohort_size=noise.cohort_size,
            cohort_survivors_min=noise.cohort_survivors_min,
            cohort_colluders_max=noise.cohort_colluders_max,
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
        survivors=round_.survivors if full or round_.ended else (),
        liars=round_.liars,
        priors_revision=round_.priors_revision,
        reservation=round_.reservation,
        joined_count=len(round_.members),
        inconsistent_dealers=round_.inconsistent,
        progress=_progress(round_) if full else (),
        roster_count=len(round_.roster),
        contributed_count=_reached(round_, "contribute_s"),
        checked_count=_reached(round_, "check_s"),
        answered_count=_reached(round_, "answer_s"),
    )


def asked(request: aggregation_pb2.CreateRoundRequest) -> Request:
    """Return who opens a round, and a digest of what; FieldInvalid for a bad id."""
    if not is_id(request.request_id):
        raise FieldInvalid("Choose 1 to 63 safe characters.", field="request_id")
    content = request.SerializeToString(deterministic=True)
    return Request(request.request_id, hashlib.sha256(content).digest())


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


def rosters(
    round_: Round,
) -> tuple[aggregation_pb2.GetRosterResponse, aggregation_pb2.GetRosterResponse]:
    """Return a final roster by number, with all keys and without any."""
    whole, short = (
        aggregation_pb2.GetRosterResponse(),
        aggregation_pb2.GetRosterResponse(),
    )
    for name in round_.roster:
        member = round_.members[name]
        digest = keys_sha256(member.binding, certificate_der=member.certificate_der)
        entry = short.members.add(
            member=name, keys_sha256=digest, beacon_nonce=member.nonce or b""
        )
        whole.members.add(keys=_keys(member)).MergeFrom(entry)
    return whole, short


def shares_header(
    signed: ContributorSet, *, size_bytes: int
) -> aggregation_pb2.SharesHeader:
    """Return the contributor set as the coordinator signed it."""
    return aggregation_pb2.SharesHeader(
        contributors=[
            aggregation_pb2.Contributor(
                number=entry.number, sha256=entry.sha256, signature=entry.signature
            )
            for entry in signed.contributors
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
        keys=_keys(member),
        beacon_commitment=member.commitment,
        beacon_nonce=(member.nonce or b"") if round_.roster else b"",
        contribution_bytes=accepted.size_bytes if accepted else 0,
    )


def _keys(member: JoinedMember) -> aggregation_pb2.MemberKeys:
    return aggregation_pb2.MemberKeys(
        signing_key=member.binding.keys.signing,
        sealing_key=member.binding.keys.sealing,
        not_after_s=member.binding.not_after_s,
        certificate_der=member.certificate_der,
        binding_signature=member.binding.signature,
    )


def _progress(round_: Round) -> list[aggregation_pb2.MemberProgress]:
    """Return how far everybody came, by name."""
    numbers = round_.numbers
    cohort_of = {
        holder: number
        for number, cohort in enumerate(round_.cohorts if numbers else (), start=1)
        for holder in cohort
    }
    return [
        aggregation_pb2.MemberProgress(
            member=name,
            join_time=_reached_at(member.progress.join_s),
            reveal_time=_reached_at(member.progress.reveal_s),
            contribute_time=_reached_at(member.progress.contribute_s),
            check_time=_reached_at(member.progress.check_s),
            answer_time=_reached_at(member.progress.answer_s),
            cohort=cohort_of.get(numbers.get(name, 0), 0),
        )
        for name, member in sorted(round_.members.items())
    ]


def _reached(round_: Round, step: str) -> int:
    """Return how many members took a step."""
    return sum(
        getattr(member.progress, step) is not None for member in round_.members.values()
    )


def _reached_at(time_s: float | None) -> Timestamp | None:
    return None if time_s is None else timestamp(time_s)


def _state(state: State) -> str:
    """Return the name under which the contract knows a state."""
    return f"STATE_{state.name}"
