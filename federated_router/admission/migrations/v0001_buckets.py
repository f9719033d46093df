"""When each tenant's buckets are full again."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "admission_buckets",
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("measure", sa.Text, nullable=False),
        sa.Column("full_time_ns", sa.BigInteger, nullable=False, index=True),
        sa.PrimaryKeyConstraint("tenant", "measure"),
    )
