"""Rows of the vault, and the records that they mean.

Decides how a record is laid out in a row. Refuses to know when rows are written
(`vault`).
"""

from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Row,
    Table,
    Text,
)

from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName, RosterHash
from federated_router.federation.round_view import Announcement, Contribution
from federated_router.federation.statistics import Batch
from federated_router.federation.verification import Promise

_METADATA = MetaData()

KEYS = Table(
    "member_keys",
    _METADATA,
    Column("number", Integer, primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("not_after_s", Integer, nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("binding_signature", LargeBinary, nullable=False),
)

ROUNDS = Table(
    "member_rounds",
    _METADATA,
    Column("number", Integer, primary_key=True),
    Column("round_name", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("keys_number", Integer, ForeignKey("member_keys.number")),
    Column("nonce", LargeBinary),
    Column("roster_hash", LargeBinary),
    Column("body_sha256", LargeBinary),
    Column("body_signature", LargeBinary),
    Column("contributors_min", Integer),
    Column("survivors_min", Integer),
    Column("cohort_size", Integer),
    Column("cohort_survivors_min", Integer),
    Column("contributors_sha256", LargeBinary),
    Column("combinations", LargeBinary),
    Column("check_signature", LargeBinary),
    Column("share_sum", LargeBinary),
    Column("answer_signature", LargeBinary),
    Column("answered_own", Integer),
)
"""What was said in a round, without what takes tens of kilobytes."""

BODIES = Table(
    "member_bodies",
    _METADATA,
    Column("round_number", Integer, ForeignKey("member_rounds.number")),
    Column("batch", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
"""What was sent and what is in it; written once, read to be sent or taken back."""

CONTENT = tuple(
    column.name
    for column in ROUNDS.columns
    if column.name not in {"number", "round_name", "state"}
)
"""What an ended round loses."""


class RecordState(StrEnum):
    """JOINED -> CONTRIBUTED -> ANSWERED; ENDED from each of them, for ever."""

    JOINED = "joined"
    CONTRIBUTED = "contributed"
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class HeldKeys:
    """The member's key pairs and what it announced about them."""

    number: int
    keys: MemberKeys = field(repr=False)
    announcement: Announcement = field(repr=False)


@dataclass(frozen=True, slots=True)
class Check:
    """The one check of what was dealt, as it was and will be sent.

    `contributors_sha256` is the digest of the only contributor set that this member
    helps to sum.
    """

    contributors_sha256: bytes
    combinations: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """The one answer to a round, as it was and will be sent.

    `own_summed` tells whether this member's own contribution is in the sum that the
    answer helps to open.
    """

    share_sum: bytes = field(repr=False)
    signature: bytes = field(repr=False)
    own_summed: bool = True


@dataclass(frozen=True, slots=True)
class Contributed:
    """What a contribution was bound to; its bytes are read only to be sent."""

    roster_hash: RosterHash
    sha256: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """What this member said in a round that has not ended.

    `contributed` and `promise`, the terms under which this member contributed, are None
    until it did. `batch` and `contribution` are large, and in whole records alone.
    """

    round_name: str
    state: RecordState
    held: HeldKeys
    nonce: bytes = field(repr=False)
    contributed: Contributed | None = None
    batch: Batch | None = None
    contribution: Contribution | None = None
    promise: Promise | None = None
    check: Check | None = None
    answer: Answer | None = None


def held_keys(row: Row[tuple[object, ...]], *, member: MemberName) -> HeldKeys:
    """Return the keys in a row that has the columns of KEYS."""
    keys = MemberKeys.from_secret_bytes(row.secret)
    binding = KeyBinding(member, keys.public, row.not_after_s, row.binding_signature)
    return HeldKeys(row.number, keys, Announcement(binding, row.certificate_der))


def round_record(row: Row[tuple[object, ...]], held: HeldKeys) -> RoundRecord:
    """Return the small record in a row of ROUNDS that has not ended."""
    contributed = row.body_sha256 is not None
    return RoundRecord(
        round_name=row.round_name,
        state=RecordState(row.state),
        held=held,
        nonce=row.nonce,
        contributed=Contributed(
            RosterHash(row.roster_hash), row.body_sha256, row.body_signature
        )
        if contributed
        else None,
        promise=_promise(row) if contributed else None,
        check=None
        if row.combinations is None
        else Check(row.contributors_sha256, row.combinations, row.check_signature),
        answer=None
        if row.share_sum is None
        else Answer(row.share_sum, row.answer_signature, row.answered_own != 0),
    )


def whole_record(small: RoundRecord, body: Row[tuple[object, ...]]) -> RoundRecord:
    """Return a record with the bytes in its row of BODIES."""
    if small.contributed is None:
        return small
    contribution = Contribution(
        round_name=small.round_name,
        roster_hash=small.contributed.roster_hash,
        body=body.body,
        sha256=small.contributed.sha256,
        signature=small.contributed.signature,
    )
    return replace(small, batch=Batch.from_bytes(body.batch), contribution=contribution)


def contribution_columns(
    contribution: Contribution, promise: Promise
) -> dict[str, bytes | int | str]:
    """Return what a row of ROUNDS says of a contribution and its terms."""
    return {
        "state": RecordState.CONTRIBUTED,
        "roster_hash": contribution.roster_hash,
        "body_sha256": contribution.sha256,
        "body_signature": contribution.signature,
        **asdict(promise),
    }


def check_columns(check: Check) -> dict[str, bytes | int | str]:
    """Return what a row of ROUNDS says of a check."""
    return {
        "contributors_sha256": check.contributors_sha256,
        "combinations": check.combinations,
        "check_signature": check.signature,
    }


def answer_columns(answer: Answer) -> dict[str, bytes | int | str]:
    """Return what a row of ROUNDS says of an answer."""
    return {
        "state": RecordState.ANSWERED,
        "share_sum": answer.share_sum,
        "answer_signature": answer.signature,
        "answered_own": int(answer.own_summed),
    }


def _promise(row: Row[tuple[object, ...]]) -> Promise:
    # Contributions of before cohorts are of one cohort.
    return Promise(
        contributors_min=row.contributors_min or row.survivors_min,
        survivors_min=row.survivors_min,
        cohort_size=row.cohort_size or 0,
        cohort_survivors_min=row.cohort_survivors_min or 0,
    )
