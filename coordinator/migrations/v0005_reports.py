"""What was found in each round's sums, and how each member of its roster behaved."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create both tables; rounds that ended before have no report."""
    op.create_table(
        "round_reports",
        _of_round(),
        sa.Column("report_json", sa.Text, nullable=False),
        sa.Column("samples_json", sa.Text, nullable=False),
    )
    op.create_table(
        "round_conduct",
        _of_round(),
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("lied", sa.Integer, nullable=False),
        sa.Column("inconsistent", sa.Integer, nullable=False),
        sa.Column("outlying", sa.Integer, nullable=False),
        sa.Column("outlying_chance", sa.Double, nullable=False),
    )


def _of_round() -> sa.Column[str]:
    return sa.Column("round", sa.Text, sa.ForeignKey("rounds.name"), primary_key=True)
