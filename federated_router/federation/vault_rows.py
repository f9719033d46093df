"""Rows of the vault, and the records that they mean.

Decides how a record is laid out in a row. Refuses to know when rows are written
(`vault`).
"""

from dataclasses import dataclass, field
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
    Column("survivors_min", Integer),
    Column("batch", LargeBinary),
    Column("body", LargeBinary),
    Column("body_sha256", LargeBinary),
    Column("body_signature", LargeBinary),
    Column("share_sum", LargeBinary),
    Column("answer_signature", LargeBinary),
)


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
class Answer:
    """The one answer to a round, as it was and will be sent."""

    share_sum: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRecord:
    """What this member said in a round that has not ended.

    `survivors_min` is the least number of contributions that the sum must have, by
    the terms under which this member contributed; 0 until it did.
    """

    round_name: str
    state: RecordState
    held: HeldKeys
    nonce: bytes = field(repr=False)
    batch: Batch | None = None
    contribution: Contribution | None = None
    survivors_min: int = 0
    answer: Answer | None = None


def held_keys(row: Row[tuple[object, ...]], *, member: MemberName) -> HeldKeys:
    """Return the keys in a row that has the columns of KEYS."""
    keys = MemberKeys.from_secret_bytes(row.secret)
    binding = KeyBinding(member, keys.public, row.not_after_s, row.binding_signature)
    return HeldKeys(row.number, keys, Announcement(binding, row.certificate_der))


def round_record(row: Row[tuple[object, ...]], held: HeldKeys) -> RoundRecord:
    """Return the record in a row of ROUNDS that has not ended."""
    return RoundRecord(
        round_name=row.round_name,
        state=RecordState(row.state),
        held=held,
        nonce=row.nonce,
        batch=None if row.batch is None else Batch.from_bytes(row.batch),
        contribution=None if row.body is None else _contribution(row),
        survivors_min=row.survivors_min or 0,
        answer=None
        if row.share_sum is None
        else Answer(row.share_sum, row.answer_signature),
    )


def _contribution(row: Row[tuple[object, ...]]) -> Contribution:
    return Contribution(
        round_name=row.round_name,
        roster_hash=RosterHash(row.roster_hash),
        body=row.body,
        sha256=row.body_sha256,
        signature=row.body_signature,
    )
