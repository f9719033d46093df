"""Jobs, their batches, and which record is in which batch.

The keys hold the promise once more below the code: a batch has one row, and a record
of a job is in one batch.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "synthesis_jobs",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("user", sa.Text, nullable=False, index=True),
        sa.Column("body_digest", sa.LargeBinary, nullable=False),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("terms", sa.Text, nullable=False),
        sa.Column("records_count", sa.BigInteger, nullable=False),
        sa.Column("slots", sa.BigInteger, nullable=False),
        sa.Column("tokens_max", sa.BigInteger, nullable=False),
        sa.Column("created_time_s", sa.Double, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("tokens_charged", sa.BigInteger, nullable=True),
        sa.Column("closed_time_s", sa.Double, nullable=True),
        sa.CheckConstraint(
            "state IN ('opening', 'open', 'finishing', 'finished')", name="job_states"
        ),
        sa.CheckConstraint(
            "(state = 'finished') = (tokens_charged IS NOT NULL)", name="charged_once"
        ),
        sa.CheckConstraint(
            "tokens_charged >= 0 AND tokens_charged <= tokens_max",
            name="charged_within",
        ),
    )
    op.create_table(
        "synthesis_batches",
        sa.Column("job", sa.Text, sa.ForeignKey("synthesis_jobs.key"), nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("owner_instance", sa.Text, nullable=False),
        sa.Column("owner_boot", sa.Text, nullable=False),
        sa.Column("lease_expires_s", sa.Double, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("job", "number"),
        sa.CheckConstraint(
            "state IN ('sampling', 'sampled', 'spent')", name="batch_states"
        ),
        sa.CheckConstraint(
            "(state = 'sampled') = (tokens > 0)", name="told_its_length"
        ),
    )
    op.create_table(
        "synthesis_records",
        sa.Column("job", sa.Text, sa.ForeignKey("synthesis_jobs.key"), nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("job", "digest"),
    )
    op.create_index("synthesis_records_batch", "synthesis_records", ["job", "number"])
