"""Rounds, their members, what these sent, and the priors that came of it."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    _create_rounds()
    _create_messages()
    op.create_table(
        "priors",
        sa.Column("revision", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column(
            "round",
            sa.Text,
            sa.ForeignKey("rounds.name"),
            nullable=False,
            unique=True,
        ),
        sa.Column("create_s", sa.Double, nullable=False),
        sa.Column("catalogue_json", sa.Text, nullable=False),
        sa.Column("members", sa.Integer, nullable=False),
        sa.Column("noise_standard_deviation", sa.Double, nullable=False),
        sa.Column("sums", sa.LargeBinary, nullable=False),
    )


def _create_rounds() -> None:
    sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "rounds",
        sa.Column("sequence", sequence, primary_key=True, autoincrement=True),
        sa.Column("name", sa.Text, nullable=False, unique=True),
        sa.Column("request_id", sa.Text, nullable=True, unique=True),
        sa.Column("request_sha256", sa.LargeBinary, nullable=False),
        sa.Column("terms_json", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, index=True),
        sa.Column("deadline_s", sa.Double, nullable=False),
        sa.Column("roster_hash", sa.LargeBinary, nullable=False),
        sa.Column("beacon", sa.LargeBinary, nullable=False),
        sa.Column("end_cause", sa.Text, nullable=False),
        sa.Column("priors_revision", sa.BigInteger, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "round_history",
        _of_round(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("enter_s", sa.Double, nullable=False),
    )
    op.create_table(
        "round_members",
        _of_round(),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("signing_key", sa.LargeBinary, nullable=False),
        sa.Column("sealing_key", sa.LargeBinary, nullable=False),
        sa.Column("not_after_s", sa.BigInteger, nullable=False),
        sa.Column("binding_signature", sa.LargeBinary, nullable=False),
        sa.Column("certificate_der", sa.LargeBinary, nullable=False),
        sa.Column("commitment", sa.LargeBinary, nullable=False),
        sa.Column("nonce", sa.LargeBinary, nullable=True),
        sa.Column("roster_place", sa.Integer, nullable=True),
        sa.Column("survivor_place", sa.Integer, nullable=True),
        sa.Column("lied", sa.Integer, nullable=False),
    )


def _create_messages() -> None:
    op.create_table(
        "round_contributions",
        _of_round(),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("sha256", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.LargeBinary, nullable=False),
        sa.Column("size_bytes", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=True),
    )
    op.create_table(
        "round_answers",
        _of_round(),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("share_sum", sa.LargeBinary, nullable=False),
    )


def _of_round() -> sa.Column[str]:
    return sa.Column("round", sa.Text, sa.ForeignKey("rounds.name"), primary_key=True)
