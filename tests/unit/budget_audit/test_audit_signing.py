"""The audit key is made once, kept private, and signs what is new."""

import asyncio
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from structlog.testing import capture_logs

from federated_router.budget.audit.signing import (
    checkpoint_at_stop,
    checkpoint_for_ever,
    open_signer,
    public_key_path,
    read_public_key,
)
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner, is_genuine
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    QueueFull,
    StoreUnavailable,
)
from tests.support.audit_world import NOON_S, TERMS, USER, WARD

INTERVAL_S = 60.0


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return stat.S_IMODE(path.stat().st_mode)


def test_first_start_makes_a_key_for_its_owner_only(tmp_path: Path) -> None:
    """A router has a key without anybody's doing, and nobody else has it."""
    path = tmp_path / "made" / "audit-key.pem"

    made = open_signer(path)

    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    assert public_key_path(path) == tmp_path / "made" / "audit-key.pub.pem"
    assert read_public_key(public_key_path(path)) == made.public_key
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "audit-key.pem",
        "audit-key.pub.pem",
    ]


def test_later_starts_use_the_same_key(tmp_path: Path) -> None:
    """Outsiders hold its public half; another key would look like a forger's."""
    path = tmp_path / "audit-key.pem"

    first, second = open_signer(path), open_signer(path)

    assert first.public_key == second.public_key


def test_routers_that_start_together_make_one_key(tmp_path: Path) -> None:
    """Whoever comes second reads what the first one wrote, whole."""
    path = tmp_path / "audit-key.pem"
    with ThreadPoolExecutor(8) as pool:
        keys = {one.public_key for one in pool.map(open_signer, [path] * 32)}

    assert len(keys) == 1


def test_lost_or_foreign_public_half_is_written_again(tmp_path: Path) -> None:
    """The private key is the truth; its other half follows."""
    path = tmp_path / "audit-key.pem"
    made = open_signer(path)
    public_key_path(path).write_text("something else")

    open_signer(path)

    assert read_public_key(public_key_path(path)) == made.public_key


@pytest.mark.parametrize("wrong", [0o640, 0o604, 0o620, 0o644, 0o602, 0o610])
def test_key_that_others_may_touch_is_refused(tmp_path: Path, wrong: int) -> None:
    """A key that others could read signs nothing that anybody should believe."""
    path = tmp_path / "audit-key.pem"
    open_signer(path)
    path.chmod(wrong)

    with pytest.raises(FieldInvalid) as caught:
        open_signer(path)

    assert caught.value.metadata["field"] == "budget.audit_key"


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root gives files away.")
def test_key_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner can change its mode at any time."""
    path = tmp_path / "audit-key.pem"
    open_signer(path)
    os.chown(path, 65534, -1)

    with pytest.raises(FieldInvalid):
        open_signer(path)


def private_pem(key: object, password: bytes | None = None) -> bytes:
    """Return a private key as PEM."""
    protection = BestAvailableEncryption(password) if password else NoEncryption()
    pem: bytes = key.private_bytes(  # type: ignore[attr-defined]
        Encoding.PEM, PrivateFormat.PKCS8, protection
    )
    return pem


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        private_pem(generate_private_key(SECP256R1())),
        private_pem(Ed25519PrivateKey.generate(), b"secret"),
        private_pem(Ed25519PrivateKey.generate())[:60],
    ],
    ids=["empty", "text", "ecdsa", "encrypted", "cut"],
)
def test_file_without_the_key_is_refused_without_a_word_of_it(
    tmp_path: Path, content: bytes
) -> None:
    """An error message must not be the way a key leaks."""
    path = tmp_path / "audit-key.pem"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(FieldInvalid) as caught:
        open_signer(path)

    body = content.decode().replace("\n", "")[27:60]
    assert not body or body not in str(caught.value)
    assert caught.value.__cause__ is None
    assert path.read_bytes() == content


def test_private_key_shows_in_no_repr(tmp_path: Path) -> None:
    """What is printed by accident is not the key."""
    path = tmp_path / "audit-key.pem"
    made = open_signer(path)
    secret = "".join(path.read_text().splitlines()[1:-1])

    assert secret not in repr(made)
    assert secret[10:40] not in repr(vars(made))


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PUBLIC KEY-----\n"])
def test_public_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    """A verifier without a key would believe anybody."""
    path = tmp_path / "key.pub.pem"
    path.write_bytes(content)

    with pytest.raises(FieldInvalid):
        read_public_key(path)
    with pytest.raises(FieldInvalid):
        read_public_key(tmp_path / "absent.pem")


class FailingOnce(MemoryLedgerStore):
    """A ledger whose database is away, or busy, for the first signature."""

    failure: FederationError | None = StoreUnavailable("It is away.")

    async def checkpoint(self, signer: CheckpointSigner) -> Checkpoint | None:
        """Fail, then sign."""
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        return await super().checkpoint(signer)


async def test_loop_signs_what_is_new_and_nothing_twice(tmp_path: Path) -> None:
    """A quiet ledger gathers no signatures, a busy one at most one per interval."""
    clock = ManualClock(NOON_S)
    ledger = MemoryLedgerStore(clock=clock)
    key = open_signer(tmp_path / "audit-key.pem")
    loop = asyncio.create_task(
        checkpoint_for_ever(ledger, key, clock, interval_s=INTERVAL_S)
    )
    await clock.advance(INTERVAL_S)
    assert await ledger.list_checkpoints(page_size=10) == ()

    await ledger.create_account(TERMS[WARD])
    await clock.advance(INTERVAL_S)
    await clock.advance(INTERVAL_S)
    await ledger.create_account(TERMS[USER])
    await clock.advance(INTERVAL_S - 1.0)
    one_signed = await ledger.list_checkpoints(page_size=10)
    await clock.advance(1.0)
    loop.cancel()

    both = await ledger.list_checkpoints(page_size=10)
    assert [one.head.sequence for one in one_signed] == [1]
    assert [one.head.sequence for one in both] == [1, 2]
    assert all(map(is_genuine, both))


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), QueueFull("busy")])
async def test_loop_waits_for_an_absent_or_busy_database(
    tmp_path: Path, failure: FederationError
) -> None:
    """A database that comes back finds a router that still signs."""
    clock = ManualClock(NOON_S)
    ledger = FailingOnce(clock=clock)
    ledger.failure = failure
    await ledger.create_account(TERMS[WARD])
    key = open_signer(tmp_path / "audit-key.pem")
    with capture_logs() as logs:
        loop = asyncio.create_task(
            checkpoint_for_ever(ledger, key, clock, interval_s=INTERVAL_S)
        )
        await asyncio.sleep(0)
        await clock.advance(INTERVAL_S)
        loop.cancel()

    assert [
        one.head.sequence for one in await ledger.list_checkpoints(page_size=9)
    ] == [1]
    assert [log["event"] for log in logs] == [
        "audit log not signed",
        "audit log signed",
    ]


async def test_orderly_stop_signs_the_rest_and_never_hinders_the_end(
    tmp_path: Path,
) -> None:
    """The last entries of a router that goes are covered, if its database answers."""
    clock = ManualClock(NOON_S)
    ledger = FailingOnce(clock=clock)
    await ledger.create_account(TERMS[WARD])
    key = open_signer(tmp_path / "audit-key.pem")

    await checkpoint_at_stop(ledger, key)
    assert await ledger.list_checkpoints(page_size=9) == ()
    await checkpoint_at_stop(ledger, key)

    assert len(await ledger.list_checkpoints(page_size=9)) == 1
