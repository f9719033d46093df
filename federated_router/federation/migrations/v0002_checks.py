"""What a member checked in a round, and the terms that its sums must keep.

The trigger lets a check be written once, like everything else that a member says.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

_COLUMNS = (
    "contributors_min INTEGER",
    "cohort_size INTEGER",
    "cohort_survivors_min INTEGER",
    "contributors_sha256 BLOB",
    "combinations BLOB",
    "check_signature BLOB",
    "answered_own INTEGER",
)

_CHECKED_ONCE = """
CREATE TRIGGER checked_once BEFORE UPDATE ON member_rounds
WHEN (OLD.combinations IS NOT NULL AND NEW.combinations IS NOT NULL
        AND (NEW.combinations IS NOT OLD.combinations
            OR NEW.contributors_sha256 IS NOT OLD.contributors_sha256))
    OR (NEW.share_sum IS NOT NULL AND NEW.combinations IS NULL)
BEGIN
    SELECT RAISE(ABORT, 'a member checks once, and before it answers');
END
"""


def upgrade() -> None:
    """Add the columns, and the trigger that keeps them."""
    for column in _COLUMNS:
        op.execute(f"ALTER TABLE member_rounds ADD COLUMN {column}")
    op.execute(_CHECKED_ONCE)
