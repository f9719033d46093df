"""A vault of before dealing checks is still the same member's memory."""

import shutil
from importlib.resources import files
from pathlib import Path

import pytest
from sqlalchemy import text

from federated_router.crypto.beacon import NONCE_BYTES
from federated_router.crypto.signing import MemberKeys
from federated_router.federation.statements import sha256
from federated_router.federation.statistics import Batch
from federated_router.federation.vault import MIGRATIONS, Vault
from federated_router.federation.vault_rows import Answer, Check
from federated_router.federation.verification import Promise
from federated_router.kit.clock import ManualClock
from federated_router.kit.database import Database
from federated_router.kit.errors import RoundStateWrong
from tests.support.round_member import Certificates

BATCH = Batch((1.0, 2.0), {})
HEAD = b"what was sent"
BODY = HEAD + bytes(range(256)) * 120


async def write_v1(path: Path, folder: Path, certificates: Certificates) -> None:
    """Write a vault of the first revision, with one contribution that may be out."""
    directory = folder / "federation" / "migrations"
    directory.mkdir(parents=True)
    shutil.copy(Path(str(files(MIGRATIONS))) / "v0001_vault.py", directory)
    path.parent.mkdir(parents=True, exist_ok=True)
    database = await Database.open(f"sqlite+aiosqlite:///{path}", migrations=directory)
    keys = MemberKeys.generate()
    announced = certificates.credentials("node/old-1").announce(
        keys.public, not_after_s=2**31
    )
    async with database.transaction("old rows") as connection:
        await connection.execute(
            text(
                "INSERT INTO member_keys (number, secret, not_after_s, "
                "certificate_der, binding_signature) VALUES (1, :s, :n, :c, :b)"
            ),
            {
                "s": keys.to_secret_bytes(),
                "n": announced.binding.not_after_s,
                "c": announced.certificate_der,
                "b": announced.binding.signature,
            },
        )
        await connection.execute(
            text(
                "INSERT INTO member_rounds (round_name, state, keys_number, nonce, "
                "roster_hash, survivors_min, batch, body, body_sha256, body_signature) "
                "VALUES ('rounds/old', 'contributed', 1, :n, :r, 3, :b, :y, :d, :s)"
            ),
            {
                "n": bytes(NONCE_BYTES),
                "r": sha256(b"roster"),
                "b": BATCH.to_bytes(),
                "y": BODY,
                "d": sha256(BODY),
                "s": b"signature",
            },
        )
        await connection.execute(
            text(
                "INSERT INTO member_rounds (round_name, state) "
                "VALUES ('rounds/o', 'ended')"
            )
        )
    await database.close()


async def open_upgraded(path: Path, certificates: Certificates) -> Vault:
    """Open the vault as a member of today does."""
    return await Vault.open(
        path,
        credentials=certificates.credentials("node/old-1"),
        key_lifetime_s=1000.0,
        clock=ManualClock(0.0),
    )


async def test_vault_of_the_first_revision_keeps_every_word(
    tmp_path: Path, certificates: Certificates
) -> None:
    """What was said stands, and its terms count as those of one cohort."""
    path = tmp_path / "vault.sqlite"
    await write_v1(path, tmp_path, certificates)

    vault = await open_upgraded(path, certificates)
    (small,) = await vault.unfinished()
    record = await vault.find(small.round_name)
    with pytest.raises(RoundStateWrong):
        await vault.join("rounds/o")
    with pytest.raises(RoundStateWrong):
        await vault.store_answer("rounds/old", Answer(b"sum", b"signature"))
    check = Check(sha256(b"set"), b"combinations", b"signature")
    await vault.store_check("rounds/old", check)
    answer = await vault.store_answer("rounds/old", Answer(b"sum", b"signature"))

    assert record is not None
    assert record.contribution is not None
    assert record.contribution.body == BODY
    assert record.batch == BATCH
    assert record.promise == Promise(contributors_min=3, survivors_min=3)
    assert (record.check, record.answer) == (None, None)
    assert answer.own_summed
    await vault.close()


async def test_upgrade_leaves_no_copy_of_a_contribution_behind(
    tmp_path: Path, certificates: Certificates
) -> None:
    """Bodies move to another table; an ended round's is nowhere in the file."""
    path = tmp_path / "vault.sqlite"
    await write_v1(path, tmp_path, certificates)
    before = path.read_bytes().count(HEAD)

    vault = await open_upgraded(path, certificates)
    await vault.close()
    moved = path.read_bytes().count(HEAD)
    vault = await open_upgraded(path, certificates)
    await vault.end("rounds/old")
    await vault.close()

    assert (before, moved) == (1, 1)
    assert path.read_bytes().count(HEAD) == 0


async def test_keys_of_an_earlier_protocol_are_not_announced_again(
    tmp_path: Path, certificates: Certificates
) -> None:
    """Their binding names the protocol's version, so that nobody would accept it."""
    path = tmp_path / "vault.sqlite"
    await write_v1(path, tmp_path, certificates)

    vault = await open_upgraded(path, certificates)
    old = await vault.find("rounds/old")
    new = await vault.join("rounds/new")
    await vault.close()

    assert old is not None
    assert new.held.announcement.binding.keys != old.held.announcement.binding.keys
