"""Keys of the member, and what it said in each round.

What a member said once stands for ever: the trigger refuses a second answer and a
second contribution, whatever the code above believes. An ended round keeps its row
and loses its content.
"""

from alembic import op

revision = "0001"
down_revision = None

_KEYS = """
CREATE TABLE member_keys (
    number INTEGER PRIMARY KEY,
    secret BLOB NOT NULL,
    not_after_s INTEGER NOT NULL,
    certificate_der BLOB NOT NULL,
    binding_signature BLOB NOT NULL
)
"""

_ROUNDS = """
CREATE TABLE member_rounds (
    number INTEGER PRIMARY KEY,
    round_name TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL
        CHECK (state IN ('joined', 'contributed', 'answered', 'ended')),
    keys_number INTEGER REFERENCES member_keys (number),
    nonce BLOB,
    roster_hash BLOB,
    survivors_min INTEGER,
    batch BLOB,
    body BLOB,
    body_sha256 BLOB,
    body_signature BLOB,
    share_sum BLOB,
    answer_signature BLOB,
    CONSTRAINT contributed_has_body
        CHECK (state NOT IN ('contributed', 'answered')
            OR (body IS NOT NULL AND survivors_min IS NOT NULL)),
    CONSTRAINT answered_has_answer
        CHECK (state <> 'answered' OR share_sum IS NOT NULL)
)
"""

_SAID_ONCE = """
CREATE TRIGGER said_once BEFORE UPDATE ON member_rounds
WHEN (OLD.share_sum IS NOT NULL AND NEW.share_sum IS NOT OLD.share_sum
        AND NEW.share_sum IS NOT NULL)
    OR (OLD.body IS NOT NULL AND NEW.body IS NOT OLD.body AND NEW.body IS NOT NULL)
    OR (OLD.nonce IS NOT NULL AND NEW.nonce IS NOT OLD.nonce AND NEW.nonce IS NOT NULL)
    OR OLD.state = 'ended'
BEGIN
    SELECT RAISE(ABORT, 'a member says each thing once');
END
"""


def upgrade() -> None:
    """Create the tables."""
    for statement in (_KEYS, _ROUNDS, _SAID_ONCE):
        op.execute(statement)
