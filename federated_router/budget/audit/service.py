"""AuditService: the ledger's audit log and its checkpoints, for operators.

Decides how large a page may be, in entries and in bytes; refuses to change anything but
to add a signature. docs/audit.md says what an outsider does with the answers.
"""

from collections.abc import Mapping
from itertools import accumulate, takewhile
from typing import ClassVar, Final

import grpc

from federated_router.api.v1 import audit_pb2 as pb
from federated_router.api.v1 import audit_pb2_grpc as pb_grpc
from federated_router.budget.chain import ChainedEntry, ChainHead
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.port import LedgerStore
from federated_router.kit.errors import FieldInvalid
from federated_router.kit.identity import Role
from federated_router.kit.pages import page_size_of

PAGE_BYTES_MAX: Final = 1 << 20
"""An entry may charge a thousand blocks, and a thousand of those fit no message."""
_OPERATOR: Final = frozenset({Role.OPERATOR})


class AuditServicer(pb_grpc.AuditServiceServicer):
    """Serves the audit log."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "ListEntries": _OPERATOR,
        "ListCheckpoints": _OPERATOR,
        "CreateCheckpoint": _OPERATOR,
    }

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        signer: CheckpointSigner,
        page_bytes_max: int = PAGE_BYTES_MAX,
    ) -> None:
        self._ledger = ledger
        self._signer = signer
        self._page_bytes_max = page_bytes_max

    async def ListEntries(
        self, request: pb.ListEntriesRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListEntriesResponse:
        """Return a page of entries; only an empty one is behind the end."""
        found = await self._ledger.list_entries(
            after=_place(request.after), page_size=page_size_of(request.page_size)
        )
        head = await self._ledger.head()
        return pb.ListEntriesResponse(
            entries=self._that_fit([_entry(chained) for chained in found]),
            ledger_id=head.ledger_id,
        )

    async def ListCheckpoints(
        self, request: pb.ListCheckpointsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListCheckpointsResponse:
        """Return a page of checkpoints; only an empty one is behind the end."""
        found = await self._ledger.list_checkpoints(
            after=_place(request.after), page_size=page_size_of(request.page_size)
        )
        return pb.ListCheckpointsResponse(
            checkpoints=[checkpoint_message(one) for one in found]
        )

    async def CreateCheckpoint(
        self, _request: pb.CreateCheckpointRequest, _: grpc.aio.ServicerContext
    ) -> pb.CreateCheckpointResponse:
        """Sign the newest entry; an empty log has no checkpoint."""
        made = await self._ledger.checkpoint(self._signer)
        if made is None:
            return pb.CreateCheckpointResponse()
        return pb.CreateCheckpointResponse(checkpoint=checkpoint_message(made))

    def _that_fit(self, entries: list[pb.AuditEntry]) -> list[pb.AuditEntry]:
        """Return the first entry and those after it that fit into one message."""
        sizes = accumulate(entry.ByteSize() for entry in entries)
        fitting = sum(1 for _ in takewhile(self._fits, sizes))
        return entries[: max(fitting, 1)]

    def _fits(self, size_bytes: int) -> bool:
        return size_bytes <= self._page_bytes_max


def checkpoint_message(checkpoint: Checkpoint) -> pb.Checkpoint:
    """Return a checkpoint as the contract tells it."""
    return pb.Checkpoint(
        ledger_id=checkpoint.head.ledger_id,
        sequence=checkpoint.head.sequence,
        hash=checkpoint.head.hash,
        time_us=checkpoint.time_us,
        public_key=checkpoint.public_key,
        signature=checkpoint.signature,
    )


def checkpoint_of(message: pb.Checkpoint) -> Checkpoint:
    """Return the checkpoint that a message of the contract tells."""
    return Checkpoint(
        head=ChainHead(message.ledger_id, message.sequence, message.hash),
        time_us=message.time_us,
        public_key=message.public_key,
        signature=message.signature,
    )


def _entry(chained: ChainedEntry) -> pb.AuditEntry:
    entry = chained.entry
    return pb.AuditEntry(
        sequence=chained.sequence,
        time_us=entry.time_us,
        kind=entry.kind.value,
        account=entry.account or "",
        request_id=entry.request_id or "",
        detail=entry.detail,
        hash=chained.hash,
    )


def _place(after: int) -> int:
    if after < 0:
        raise FieldInvalid("Name an entry, or 0 for the beginning.", field="after")
    return after
