"""Contributions apart from what is said about them, so that a step rewrites no body.

The bytes that were sent and the batch that is in them move to a table of their own, in
which nothing is ever changed: a row comes with the contribution and goes with its
round. What the old table leaves behind in the file is overwritten.

Keys were bound under an earlier version of the protocol, which nobody accepts any more:
they are kept for rounds that still name them, and are not announced again.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

_ROUNDS = """
CREATE TABLE member_rounds (
    number INTEGER PRIMARY KEY,
    round_name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
        CHECK (state IN ('joined', 'contributed', 'answered', 'ended')),
    keys_number INTEGER REFERENCES member_keys (number),
    nonce BLOB,
    roster_hash BLOB,
    body_sha256 BLOB,
    body_signature BLOB,
    contributors_min INTEGER,
    survivors_min INTEGER,
    cohort_size INTEGER,
    cohort_survivors_min INTEGER,
    contributors_sha256 BLOB,
    combinations BLOB,
    check_signature BLOB,
    share_sum BLOB,
    answer_signature BLOB,
    answered_own INTEGER,
    CONSTRAINT contributed_has_body
        CHECK (state NOT IN ('contributed', 'answered')
            OR (body_sha256 IS NOT NULL AND survivors_min IS NOT NULL)),
    CONSTRAINT answered_has_answer
        CHECK (state <> 'answered' OR share_sum IS NOT NULL)
)
"""

_COLUMNS = """
    number, round_name, state, keys_number, nonce, roster_hash, body_sha256,
    body_signature, contributors_min, survivors_min, cohort_size,
    cohort_survivors_min, contributors_sha256, combinations, check_signature,
    share_sum, answer_signature, answered_own
"""

_BODIES = """
CREATE TABLE member_bodies (
    round_number INTEGER PRIMARY KEY REFERENCES member_rounds (number),
    batch BLOB NOT NULL,
    body BLOB NOT NULL
)
"""

_SAID_ONCE = """
CREATE TRIGGER said_once BEFORE UPDATE ON member_rounds
WHEN (OLD.share_sum IS NOT NULL AND NEW.share_sum IS NOT OLD.share_sum
        AND NEW.share_sum IS NOT NULL)
    OR (OLD.body_sha256 IS NOT NULL AND NEW.body_sha256 IS NOT OLD.body_sha256
        AND NEW.body_sha256 IS NOT NULL)
    OR (OLD.nonce IS NOT NULL AND NEW.nonce IS NOT OLD.nonce AND NEW.nonce IS NOT NULL)
    OR OLD.state = 'ended'
BEGIN
    SELECT RAISE(ABORT, 'a member says each thing once');
END
"""

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

_CONTRIBUTED_ONCE = """
CREATE TRIGGER contributed_once BEFORE INSERT ON member_bodies
WHEN (SELECT state FROM member_rounds WHERE number = NEW.round_number)
    IS NOT 'joined'
BEGIN
    SELECT RAISE(ABORT, 'a member contributes once');
END
"""

_NEVER_CHANGED = """
CREATE TRIGGER never_changed BEFORE UPDATE ON member_bodies
BEGIN
    SELECT RAISE(ABORT, 'a contribution is never changed');
END
"""


def upgrade() -> None:
    """Move the bodies, and put the triggers back that went with the old table."""
    op.execute("PRAGMA secure_delete = ON")
    for trigger in ("said_once", "checked_once"):
        op.execute(f"DROP TRIGGER {trigger}")
    op.execute("ALTER TABLE member_rounds RENAME TO member_rounds_before")
    op.execute(_ROUNDS)
    op.execute(_BODIES)
    op.execute(
        f"INSERT INTO member_rounds ({_COLUMNS}) "  # noqa: S608 - constants.
        f"SELECT {_COLUMNS} FROM member_rounds_before"
    )
    op.execute(
        "INSERT INTO member_bodies (round_number, batch, body) "
        "SELECT number, batch, body FROM member_rounds_before "
        "WHERE body IS NOT NULL AND batch IS NOT NULL"
    )
    op.execute("DROP TABLE member_rounds_before")
    for trigger in (_SAID_ONCE, _CHECKED_ONCE, _CONTRIBUTED_ONCE, _NEVER_CHANGED):
        op.execute(trigger)
    op.execute("UPDATE member_keys SET not_after_s = 0")
