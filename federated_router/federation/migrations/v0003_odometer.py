"""What this member's contributions have cost, round by round, in whole units.

Rows beyond the limit are folded into one number, so that the lifetime stays exact.
"""

from alembic import op

revision = "0003"
down_revision = "0002"

_CHARGES = """
CREATE TABLE member_charges (
    number INTEGER PRIMARY KEY,
    round_name TEXT NOT NULL UNIQUE,
    units INTEGER NOT NULL CHECK (units > 0),
    event TEXT NOT NULL,
    charge_time_s REAL NOT NULL
)
"""

_FOLDED = """
CREATE TABLE member_charges_folded (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    units INTEGER NOT NULL CHECK (units >= 0),
    rounds INTEGER NOT NULL CHECK (rounds >= 0)
)
"""


def upgrade() -> None:
    """Create the tables; nothing is known of rounds before."""
    op.execute(_CHARGES)
    op.execute(_FOLDED)
    op.execute(
        "INSERT INTO member_charges_folded (only, units, rounds) VALUES (1, 0, 0)"
    )
