"""Which earlier revision priors withdraw; 0 where none."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; what was published before withdraws nothing."""
    op.add_column(
        "priors",
        sa.Column(
            "withdrawn_revision", sa.BigInteger(), nullable=False, server_default="0"
        ),
    )
