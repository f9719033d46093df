"""Dealing checks of holders, what they say about dealers, and how far members came."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_MARKS = ("inconsistent", "disputed", "expelled")
_TIMES = ("join_s", "reveal_s", "contribute_s", "check_s", "answer_s")


def upgrade() -> None:
    """Add the table of checks and the columns of what follows from them."""
    op.create_table(
        "round_checks",
        sa.Column("round", sa.Text, sa.ForeignKey("rounds.name"), primary_key=True),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("combinations", sa.LargeBinary, nullable=False),
    )
    for name in _MARKS:
        op.add_column(
            "round_members",
            sa.Column(name, sa.Integer, nullable=False, server_default="0"),
        )
    for name in _TIMES:
        op.add_column("round_members", sa.Column(name, sa.Double, nullable=True))
