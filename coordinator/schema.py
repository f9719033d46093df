"""The coordinator's tables, as the newest revision in `migrations` leaves them.

What members send is kept as it came: ciphertexts and sealed shares. Bodies and answers
go when a round ends; no column ever holds one member's statistics.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()
_Sequence = BigInteger().with_variant(Integer(), "sqlite")


def _of_round() -> Column[str]:
    return Column("round", Text, ForeignKey("rounds.name"), primary_key=True)


rounds = Table(
    "rounds",
    metadata,
    Column("sequence", _Sequence, primary_key=True, autoincrement=True),
    Column("name", Text, nullable=False, unique=True),
    Column("request_id", Text, nullable=True, unique=True),
    Column("request_sha256", LargeBinary, nullable=False),
    Column("terms_json", Text, nullable=False),
    Column("state", Text, nullable=False, index=True),
    Column("deadline_s", Double, nullable=False),
    Column("roster_hash", LargeBinary, nullable=False),
    Column("beacon", LargeBinary, nullable=False),
    Column("end_cause", Text, nullable=False),
    Column("priors_revision", BigInteger, nullable=False),
    Column("reservation", Text, nullable=False),
    Column("version", Integer, nullable=False),
)

history = Table(
    "round_history",
    metadata,
    _of_round(),
    Column("position", Integer, primary_key=True),
    Column("state", Text, nullable=False),
    Column("enter_s", Double, nullable=False),
)

members = Table(
    "round_members",
    metadata,
    _of_round(),
    Column("member", Text, primary_key=True),
    Column("signing_key", LargeBinary, nullable=False),
    Column("sealing_key", LargeBinary, nullable=False),
    Column("not_after_s", BigInteger, nullable=False),
    Column("binding_signature", LargeBinary, nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
    Column("nonce", LargeBinary, nullable=True),
    Column("roster_place", Integer, nullable=True),
    Column("survivor_place", Integer, nullable=True),
    Column("lied", Integer, nullable=False),
    Column("inconsistent", Integer, nullable=False, server_default="0"),
    Column("disputed", Integer, nullable=False, server_default="0"),
    Column("expelled", Integer, nullable=False, server_default="0"),
    Column("join_s", Double, nullable=True),
    Column("reveal_s", Double, nullable=True),
    Column("contribute_s", Double, nullable=True),
    Column("check_s", Double, nullable=True),
    Column("answer_s", Double, nullable=True),
)

contributions = Table(
    "round_contributions",
    metadata,
    _of_round(),
    Column("member", Text, primary_key=True),
    Column("sha256", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("body", LargeBinary, nullable=True),
)

sealed_shares = Table(
    "round_sealed_shares",
    metadata,
    _of_round(),
    Column("first_place", Integer, primary_key=True, autoincrement=False),
    Column("member", Text, primary_key=True),
    Column("shares", LargeBinary, nullable=False),
)

checks = Table(
    "round_checks",
    metadata,
    _of_round(),
    Column("member", Text, primary_key=True),
    Column("combinations", LargeBinary, nullable=False),
)

answers = Table(
    "round_answers",
    metadata,
    _of_round(),
    Column("member", Text, primary_key=True),
    Column("share_sum", LargeBinary, nullable=False),
)

priors = Table(
    "priors",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("round", Text, ForeignKey("rounds.name"), nullable=False, unique=True),
    Column("create_s", Double, nullable=False),
    Column("catalogue_json", Text, nullable=False),
    Column("members", Integer, nullable=False),
    Column("noise_standard_deviation", Double, nullable=False),
    Column("noise_by_block_json", Text, nullable=False, server_default="{}"),
    Column("sums", LargeBinary, nullable=False),
    Column("withdrawn_revision", BigInteger, nullable=False),
)

enrolments = Table(
    "enrolments",
    metadata,
    Column("member", Text, primary_key=True),
    Column("request_id", Text, nullable=True, unique=True),
    Column("request_sha256", LargeBinary, nullable=True),
    Column("enrol_s", Double, nullable=True),
    Column("seen_s", Double, nullable=True),
    Column("revoke_s", Double, nullable=True),
    Column("revoke_cause", Text, nullable=False),
)

member_certificates = Table(
    "member_certificates",
    metadata,
    Column("serial", Text, primary_key=True),
    Column("member", Text, nullable=False, index=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("expire_s", Double, nullable=False),
)

revocation_lists = Table(
    "revocation_lists",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("list_der", LargeBinary, nullable=False),
)

certificate_renewals = Table(
    "certificate_renewals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("member", Text, nullable=False, unique=True),
    Column("signing_request_der", LargeBinary, nullable=False),
    Column("request_s", Double, nullable=False),
    Column("expire_s", Double, nullable=False),
    Column("certificate_der", LargeBinary, nullable=False),
)

reports = Table(
    "round_reports",
    metadata,
    _of_round(),
    Column("report_json", Text, nullable=False),
    Column("samples_json", Text, nullable=False),
)

conduct = Table(
    "round_conduct",
    metadata,
    _of_round(),
    Column("member", Text, primary_key=True),
    Column("lied", Integer, nullable=False),
    Column("inconsistent", Integer, nullable=False),
    Column("outlying", Integer, nullable=False),
    Column("outlying_chance", Double, nullable=False),
)
