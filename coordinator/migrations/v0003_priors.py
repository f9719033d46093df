"""The noise of each block of published priors; priors of before have one noise."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; an empty object says that every block has the one noise."""
    op.add_column(
        "priors",
        sa.Column("noise_by_block_json", sa.Text, nullable=False, server_default="{}"),
    )
