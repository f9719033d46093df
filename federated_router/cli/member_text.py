"""Members as rows and sentences for people, and as JSON for programs.

Pure: messages and the time come in, text goes out.
"""

from google.protobuf.timestamp_pb2 import Timestamp

from federated_router.api.v1 import members_pb2 as pb
from federated_router.cli.budget_time import remaining
from federated_router.cli.screen import message_content
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import is_id

COLUMNS = (
    "member",
    "state",
    "certificate",
    "expires",
    "round key",
    "last call",
    "last round",
    "faults",
    "limited",
    "malformed",
)
_ROLES = {"node": "node", "nodes": "node", "router": "router", "routers": "router"}
_SERIAL_DIGITS = 12


def member_name(text: str) -> str:
    """Return `node/ID` or `router/ID`, also for nodes/ID and routers/ID."""
    collection, _, identifier = text.partition("/")
    if collection not in _ROLES or not is_id(identifier):
        raise FieldInvalid("Name a member: nodes/ID or routers/ID.", field="member")
    return f"{_ROLES[collection]}/{identifier}"


def row(member: pb.Member, *, now_s: float) -> tuple[object, ...]:
    """Return a member as a row under COLUMNS."""
    newest = member.certificates[-1] if member.certificates else None
    return (
        member.name,
        state_name(member),
        newest.serial[:_SERIAL_DIGITS] if newest else "-",
        moment(newest.expire_time, now_s=now_s) if newest else "-",
        _key_age(member, now_s),
        moment(member.last_seen_time, now_s=now_s),
        member.last_round or "-",
        member.offence_count,
        member.rate_limited_count,
        member.malformed_count,
    )


def member_facts(member: pb.Member, *, now_s: float) -> list[tuple[str, str]]:
    """Return labels and what is known of a member."""
    found = [
        ("certificate", f"{one.serial}, expires {moment(one.expire_time, now_s=now_s)}")
        for one in member.certificates
    ]
    found += [
        ("enrolled", moment(member.enrol_time, now_s=now_s)),
        ("last call", moment(member.last_seen_time, now_s=now_s)),
        ("last round", member.last_round or "none of the newest 200"),
        ("round key", f"in use for {_key_age(member, now_s)}"),
        ("faults", f"{member.offence_count:,} proven in the newest rounds"),
        ("outlying", _outlying(member)),
        ("limited", f"{member.rate_limited_count:,} calls since the start"),
        ("malformed", f"{member.malformed_count:,} messages since the start"),
        ("signatures", f"{member.signature_failure_count:,} failed since the start"),
    ]
    if member.HasField("suspend_until_time"):
        found.append(("refused", moment(member.suspend_until_time, now_s=now_s)))
    if member.HasField("revoke_time"):
        when = moment(member.revoke_time, now_s=now_s)
        found.append(("revoked", f"{when}: {member.revoke_cause or 'no cause given'}"))
    return found


def content(member: pb.Member) -> dict[str, object]:
    """Return a member as JSON's values."""
    return message_content(member)


def state_name(member: pb.Member) -> str:
    """Return a state as people write it."""
    return pb.Member.State.Name(member.state).removeprefix("STATE_").lower()


def last_serial(member: pb.Member) -> str:
    """Return the newest certificate's serial number."""
    return member.certificates[-1].serial if member.certificates else "unknown"


def moment(time: Timestamp, *, now_s: float) -> str:
    """Return how far away a time is; a dash for none."""
    at_s = time.ToNanoseconds() / 1e9
    if not at_s:
        return "-"
    if at_s >= now_s:
        return f"in {remaining(at_s - now_s)}"
    return f"{remaining(now_s - at_s)} ago"


def _outlying(member: pb.Member) -> str:
    """Return how often its cohort stood apart; that alone proves nothing."""
    return (
        f"{member.outlying_count:,} of the newest rounds; as often by chance with "
        f"probability {member.outlying_chance:.3f}"
    )


def _key_age(member: pb.Member, now_s: float) -> str:
    if not member.HasField("round_key_time"):
        return "-"
    return remaining(now_s - member.round_key_time.ToNanoseconds() / 1e9)
