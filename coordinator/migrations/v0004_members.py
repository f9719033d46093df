"""Members as operators enrol and revoke them, their certificates and renewals."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "enrolments",
        sa.Column("member", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=True, unique=True),
        sa.Column("request_sha256", sa.LargeBinary, nullable=True),
        sa.Column("enrol_s", sa.Double, nullable=True),
        sa.Column("seen_s", sa.Double, nullable=True),
        sa.Column("revoke_s", sa.Double, nullable=True),
        sa.Column("revoke_cause", sa.Text, nullable=False),
    )
    op.create_table(
        "member_certificates",
        sa.Column("serial", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, nullable=False, index=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("expire_s", sa.Double, nullable=False),
    )
    op.create_table(
        "revocation_lists",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("list_der", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "certificate_renewals",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("member", sa.Text, nullable=False, unique=True),
        sa.Column("signing_request_der", sa.LargeBinary, nullable=False),
        sa.Column("request_s", sa.Double, nullable=False),
        sa.Column("expire_s", sa.Double, nullable=False),
        sa.Column("certificate_der", sa.LargeBinary, nullable=False),
    )
