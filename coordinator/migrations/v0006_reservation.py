"""Which reservation of the federation's account a round charges; empty where none."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; rounds that began before were charged to no account."""
    op.add_column(
        "rounds",
        sa.Column("reservation", sa.Text(), nullable=False, server_default=""),
    )
