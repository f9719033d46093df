"""Sealed shares in rows of their own, so that a holder's are found without bodies."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Create the table; bodies that are there keep the shares that they hold."""
    op.create_table(
        "round_sealed_shares",
        sa.Column("round", sa.Text, sa.ForeignKey("rounds.name"), primary_key=True),
        sa.Column("first_place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("shares", sa.LargeBinary, nullable=False),
    )
