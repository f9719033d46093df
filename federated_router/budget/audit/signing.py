"""The router's audit key, and the loop that signs the ledger's chain with it.

Decides where the key comes from: a file for its owner only, made at the first start,
with its public half beside it for outsiders. Refuses to say anything of the key itself,
in logs, errors and reprs. Routers that share a ledger may each have a key.
"""

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from federated_router.budget.audit.files import whole_file
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.port import LedgerStore
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    FederationError,
    FieldInvalid,
    QueueFull,
    StoreUnavailable,
)
from federated_router.kit.log import get_logger

log = get_logger("audit")
FIELD: Final = "budget.audit_key"
PUBLIC_SUFFIX: Final = ".pub.pem"
_KEY_BYTES_MAX: Final = 16_384
_OWNER_ONLY: Final = 0o600
_EVERYBODY: Final = 0o644


def open_signer(path: Path) -> CheckpointSigner:
    """Return the signer whose key is in `path`, making the key where there is none.

    The public half is written beside it, as `public_key_path` says. Blocks: call it
    before the daemon serves. Routers that start together make one key.

    Raises:
        FieldInvalid: others may read the key, it belongs to somebody else, or the file
            holds no Ed25519 private key (PKCS8 PEM, not encrypted).
    """
    if not path.exists():
        _make_key(path)
    key = _read_key(path)
    _write_public_half(public_key_path(path), key.public_key())
    return CheckpointSigner(key)


def public_key_path(path: Path) -> Path:
    """Return where the public half of the key in `path` is kept."""
    return path.with_suffix(PUBLIC_SUFFIX)


def read_public_key(path: Path) -> bytes:
    """Return the raw 32 bytes of an Ed25519 public key (SubjectPublicKeyInfo PEM).

    Raises:
        FieldInvalid: no such file, or another kind of key.
    """
    try:
        key = load_pem_public_key(_read(path))
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise _not_a_key(path, "public") from error
    if not isinstance(key, Ed25519PublicKey):
        raise _not_a_key(path, "public")
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


async def checkpoint_for_ever(
    ledger: LedgerStore, signer: CheckpointSigner, clock: Clock, *, interval_s: float
) -> None:
    """Sign what is new every `interval_s`; an absent or busy database is waited for."""
    signed = 0
    while True:
        signed = await _sign(ledger, signer, after=signed)
        await clock.sleep(interval_s)


async def checkpoint_at_stop(ledger: LedgerStore, signer: CheckpointSigner) -> None:
    """Sign what is new before the router ends; an absent database is only logged."""
    await _sign(ledger, signer, after=0)


async def _sign(ledger: LedgerStore, signer: CheckpointSigner, *, after: int) -> int:
    """Return the place that is signed now; log it if it lies behind `after`."""
    try:
        made: Checkpoint | None = await ledger.checkpoint(signer)
    except (StoreUnavailable, QueueFull) as error:
        log.warning("audit log not signed", reason=error.reason)
        return after
    if made is None or made.head.sequence <= after:
        return after
    log.info("audit log signed", sequence=made.head.sequence, hash=made.head.hash.hex())
    return made.head.sequence


def _make_key(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with whole_file(path, mode=_OWNER_ONLY) as file:
            file.write(pem)
    except FieldInvalid as error:
        # Another process was first: its key is the one to read.
        if not path.exists():
            raise FieldInvalid(error.message, field=FIELD) from error


def _read_key(path: Path) -> Ed25519PrivateKey:
    try:
        pem = _read(path, private=True)
        key = load_pem_private_key(pem, password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        # What the parser says might quote the file.
        raise _not_a_key(path, "private") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _not_a_key(path, "private")
    return key


def _read(path: Path, *, private: bool = False) -> bytes:
    with path.open("rb") as file:
        if private:
            _refuse_shared(path, os.fstat(file.fileno()))
        return file.read(_KEY_BYTES_MAX)


def _refuse_shared(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise FieldInvalid(
            f"{path} belongs to another user; the audit key is the router's own.",
            field=FIELD,
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise FieldInvalid(
            f"Others may read or write {path}. If nobody did, run chmod 600 on it; "
            "else make a new key and tell who verifies.",
            field=FIELD,
        )


def _write_public_half(path: Path, key: Ed25519PublicKey) -> None:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if path.exists() and path.read_bytes() == pem:
        return
    with whole_file(path, mode=_EVERYBODY, overwrite=True) as file:
        file.write(pem)


def _not_a_key(path: Path, half: str) -> FederationError:
    return FieldInvalid(
        f"{path} does not hold an Ed25519 {half} key in PEM.",
        field=FIELD if half == "private" else "public_key",
    )
