"""The hash chain over the ledger's journal: nothing changes, vanishes or moves unseen.

Decides what a hash covers; refuses to know where entries are kept and who signs. Each
entry's hash covers the hash before it, and the first covers the ledger's random
identity, so that no entry of another ledger fits (RFC 6962 uses trees where readers
want single proofs; here readers take the whole journal). docs/audit.md has the bytes.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from federated_router.budget.entries import Entry

_GENESIS: Final = b"federated-router ledger 1\0"
_ENTRY: Final = b"federated-router entry 1\0"
LEDGER_ID_BYTES: Final = 16
HASH_BYTES: Final = 32
_quoted: Final = json.encoder.encode_basestring_ascii


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The last entry of the chain: its place, from 1, and its hash.

    Place 0 is the empty chain, whose hash covers the ledger's identity alone.
    """

    ledger_id: bytes
    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChainedEntry:
    """An entry with its place in the chain and its hash."""

    sequence: int
    entry: Entry
    hash: bytes


def genesis(ledger_id: bytes) -> ChainHead:
    """Return the head of the empty chain of a ledger."""
    return ChainHead(ledger_id, 0, hashlib.sha256(_GENESIS + ledger_id).digest())


def link(head: ChainHead, entry: Entry) -> ChainedEntry:
    """Return `entry` as the one after `head`."""
    sequence = head.sequence + 1
    return ChainedEntry(sequence, entry, entry_hash(head.hash, sequence, entry))


def head_after(head: ChainHead, chained: ChainedEntry) -> ChainHead:
    """Return the head once `chained` is the last entry."""
    return ChainHead(head.ledger_id, chained.sequence, chained.hash)


def entry_hash(before: bytes, sequence: int, entry: Entry) -> bytes:
    """Return SHA-256 over the hash before, the place, and what the entry says."""
    # JSON of a list, put together here because every request passes: a test compares.
    account = "null" if entry.account is None else _quoted(entry.account)
    request_id = "null" if entry.request_id is None else _quoted(entry.request_id)
    told = (
        f"[{sequence},{entry.time_us},{_quoted(entry.kind)},{account},{request_id},"
        f"{_quoted(entry.detail)}]"
    )
    return hashlib.sha256(_ENTRY + before + told.encode()).digest()
