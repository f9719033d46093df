"""Blocks: the finest accounts, so that disjoint records do not share a limit.

Decides to which block a record belongs, from public names alone, and on which terms a
block opens. Refuses to know requests and balances. With records chosen by public ids a
record is in one block, and a request charges only the blocks that it touches; what one
record can lose is bounded by its block's limit (parallel composition, McSherry 2009).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from federated_router.budget.accounts import (
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.names import is_id, resource_name
from federated_router.privacy.renewal import RenewalPolicy

_BUCKET: Final = b"federated-router bucket 1\0"
_LONG: Final = b"federated-router block 1\0"
_DIGEST_LETTERS: Final = 40
KEY_LENGTH_MAX: Final = 1024


@dataclass(frozen=True, slots=True)
class RecordKey:
    """A record by its public names; `batch` only where blocks are batches."""

    record_id: str
    batch: str = ""


def blocks_touched(
    dataset: AccountTerms, records: Iterable[RecordKey]
) -> tuple[AccountName, ...]:
    """Return the blocks of `records`, each once, in order of name.

    Raises FieldInvalid for a record without the name that decides its block.
    """
    if dataset.blocks is None:
        return ()
    keys = {_key(dataset.blocks, record) for record in records}
    return tuple(sorted(block_name(dataset.name, key) for key in keys))


def block_name(dataset: AccountName, key: str) -> AccountName:
    """Return the account of one block: `accounts/block-DATASET.KEY`.

    A key that does not fit into a resource name is replaced by a digest of both, in
    the form `x-DIGEST`, which no plain name has.
    """
    if not 0 < len(key) <= KEY_LENGTH_MAX:
        raise FieldInvalid(
            f"A block's key has 1 to {KEY_LENGTH_MAX} characters.", field="records"
        )
    dataset_id = dataset.removeprefix("accounts/dataset-")
    plain = f"block-{dataset_id}.{key}"
    if "." not in dataset_id and is_id(key) and is_id(plain):
        return AccountName(f"accounts/{plain}")
    told = _LONG + dataset_id.encode() + b"\0" + key.encode()
    digest = hashlib.sha256(told).hexdigest()[:_DIGEST_LETTERS]
    return AccountName(resource_name("accounts", f"block-x-{digest}"))


def block_terms(dataset: AccountTerms, name: AccountName) -> AccountTerms:
    """Return the terms on which a block of `dataset` opens.

    It shares the data set's delta and calendar. Whatever a block is charged the data
    set is charged too, so the data set's lifetime cap bounds each block's lifetime.
    """
    if dataset.blocks is None:
        raise FieldInvalid(
            f"{dataset.name} is not divided into blocks.", field="dataset"
        )
    in_batches = dataset.blocks.scheme is BlockScheme.BATCH
    return AccountTerms(
        name=name,
        limit_units=dataset.blocks.limit_units,
        delta=dataset.delta,
        renewal=RenewalPolicy.NONE if in_batches else dataset.renewal,
        zone=dataset.zone,
        order=dataset.blocks.order,
    )


def _key(blocks: BlockTerms, record: RecordKey) -> str:
    match blocks.scheme:
        case BlockScheme.RECORD:
            return _named(record.record_id, "id")
        case BlockScheme.BATCH:
            return _named(record.batch, "batch")
        case BlockScheme.BUCKET:
            return _bucket(_named(record.record_id, "id"), blocks.bucket_count)


def _named(key: str, field: str) -> str:
    if not key:
        raise FieldInvalid(
            f"Each record of this data set needs its {field}; it decides which block "
            "is charged.",
            field=f"records.{field}",
        )
    return key


def _bucket(record_id: str, count: int) -> str:
    digest = hashlib.sha256(_BUCKET + record_id.encode()).digest()
    return f"bucket-{int.from_bytes(digest[:16], 'big') % count}"
