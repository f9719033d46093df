"""A ledger as revision 2 of the schema wrote it: statements in its own words.

Begins as revision 1 (`ledger_v1`), whose rows revision 2 takes over, with an answer.
"""

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, text

from federated_router.budget.sql.store import MIGRATIONS
from federated_router.kit.database import Database
from tests.support.ledger_v1 import TIME_S, write_v1

ANSWER: Final = b"what was published"
_ANSWER = (
    "INSERT INTO ledger_answers (request_id, cache_key, size_bytes, stored_time_s, "
    "expires_time_s, content) VALUES ('r1', :key, :size, :stored, :expires, :content)"
)


async def write_v2(url: str, folder: Path) -> None:
    """Create a ledger of revision 2 at `url`: that of `write_v1`, and an answer."""
    await write_v1(url, folder / "one")
    database = await Database.open(url, migrations=_only_v2(folder / "two"))
    await database.write("fill", _fill)
    await database.close()


def _only_v2(folder: Path) -> Path:
    directory = folder / "budget" / "migrations"
    directory.mkdir(parents=True)
    for name in ("v0001_accounts.py", "v0002_chain.py"):
        shutil.copy(Path(str(files(MIGRATIONS))) / name, directory)
    return directory


def _fill(connection: Connection) -> None:
    connection.execute(
        text(_ANSWER),
        {
            "key": bytes(32),
            "size": len(ANSWER),
            "stored": TIME_S,
            "expires": TIME_S + 3600.0,
            "content": ANSWER,
        },
    )
