"""Operators read the audit log in pages that fit, and ask for signatures."""

from typing import Any, cast

import grpc
import pytest

from federated_router.api.v1 import audit_pb2 as pb
from federated_router.budget.audit.export import export
from federated_router.budget.audit.format import End, Record, line_of
from federated_router.budget.audit.service import AuditServicer
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.cli.audit import DaemonSource
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, Internal
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.identity import Role
from tests.support.audit_world import (
    NOON_S,
    TERMS,
    USER,
    LedgerSource,
    check,
    export_lines,
    story,
)

NOBODY = cast("grpc.aio.ServicerContext", None)
ENTRIES = 19


@pytest.fixture
async def ledger() -> MemoryLedgerStore:
    """Return a ledger with a story."""
    clock = ManualClock(NOON_S)
    store = MemoryLedgerStore(clock=clock)
    await story(store, clock)
    return store


class InProcess:
    """A stub whose calls end in a servicer of this process."""

    def __init__(self, servicer: AuditServicer) -> None:
        self._servicer = servicer

    def __getattr__(self, method: str) -> Any:  # noqa: ANN401 - as stubs are.
        """Return a method that takes a deadline and drops it."""

        async def call(request: object, *, timeout: float) -> object:  # noqa: ASYNC109
            assert timeout > 0
            return await getattr(self._servicer, method)(request, NOBODY)

        return call


async def exported_by(servicer: AuditServicer) -> list[bytes]:
    """Return the export that the command draws from a servicer."""
    lines: list[bytes] = []

    def write(record: Record) -> None:
        lines.append(line_of(record))

    source = DaemonSource(cast("Any", InProcess(servicer)))
    await export(source, write, lambda _written, _of: None)
    return lines


def test_every_method_is_for_operators_only(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """Who asked for what, and when, is nobody else's business."""
    servicer = AuditServicer(ledger=ledger, signer=key)
    service = pb.DESCRIPTOR.services_by_name["AuditService"]

    policies = ServiceBinding(service, servicer).policies(5.0)

    assert len(policies) == 3
    assert {one.callers for one in policies.values()} == {frozenset({Role.OPERATOR})}


async def test_pages_follow_each_other_without_gap_or_overlap(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """A reader who follows the places sees every entry once."""
    servicer = AuditServicer(ledger=ledger, signer=key)
    seen: list[int] = []
    while True:
        after = seen[-1] if seen else 0
        request = pb.ListEntriesRequest(after=after, page_size=4)
        response = await servicer.ListEntries(request, NOBODY)
        assert response.ledger_id == (await ledger.head()).ledger_id
        if not response.entries:
            break
        seen += [one.sequence for one in response.entries]

    assert seen == list(range(1, ENTRIES + 1))


async def test_page_holds_what_fits_into_a_message_and_at_least_one_entry(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """Entries of many blocks are large; a page that no message carries is no page."""
    request = pb.ListEntriesRequest(page_size=1000)
    whole = await AuditServicer(ledger=ledger, signer=key).ListEntries(request, NOBODY)
    sizes = [one.ByteSize() for one in whole.entries]

    for limit, count in [(sum(sizes[:3]), 3), (sum(sizes[:3]) - 1, 2), (1, 1)]:
        servicer = AuditServicer(ledger=ledger, signer=key, page_bytes_max=limit)
        response = await servicer.ListEntries(request, NOBODY)
        assert len(response.entries) == count


@pytest.mark.parametrize("field", ["after", "page_size"])
async def test_negative_numbers_are_refused(
    ledger: MemoryLedgerStore, key: CheckpointSigner, field: str
) -> None:
    """They mean nothing, and a database would take them for something."""
    servicer = AuditServicer(ledger=ledger, signer=key)

    with pytest.raises(FieldInvalid) as entries:
        await servicer.ListEntries(pb.ListEntriesRequest(**{field: -1}), NOBODY)
    with pytest.raises(FieldInvalid):
        await servicer.ListCheckpoints(pb.ListCheckpointsRequest(**{field: -1}), NOBODY)

    assert entries.value.metadata["field"] == field


async def test_checkpoint_is_made_once_per_entry(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """Asking again gives the same signature."""
    servicer = AuditServicer(ledger=ledger, signer=key)
    ask = pb.CreateCheckpointRequest()

    first = await servicer.CreateCheckpoint(ask, NOBODY)
    second = await servicer.CreateCheckpoint(ask, NOBODY)
    listed = await servicer.ListCheckpoints(pb.ListCheckpointsRequest(), NOBODY)

    assert first == second
    assert first.checkpoint.sequence == ENTRIES
    assert list(listed.checkpoints) == [first.checkpoint]


async def test_export_through_the_contract_is_the_export_of_the_ledger(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """Nothing is lost on the wire, small pages or large."""
    direct = await export_lines(ledger, key)

    for limit in (1, 2000, 1 << 20):
        servicer = AuditServicer(ledger=ledger, signer=key, page_bytes_max=limit)
        assert await exported_by(servicer) == direct
    assert check(direct, key.public_key).is_good


async def test_empty_log_is_exported_and_verified(key: CheckpointSigner) -> None:
    """A ledger in which nothing happened is sound."""
    store = MemoryLedgerStore(clock=ManualClock(NOON_S))

    lines = await exported_by(AuditServicer(ledger=store, signer=key))

    report = check(lines, key.public_key)
    assert report.is_good
    assert report.entries == report.checkpoints == 0


async def test_export_ends_at_the_entry_that_it_signed(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """A ledger that goes on meanwhile leaves no unsigned tail in the file."""

    class Growing(LedgerSource):
        async def entries(self, *, after: int) -> Any:  # noqa: ANN401
            name = TERMS[USER].name.replace("ada", f"new{after}")
            await self.store.create_account(
                type(TERMS[USER])(name=cast("Any", name), limit_units=1, delta=1e-6)
            )
            await self.store.checkpoint(self.signer)
            return await super().entries(after=after)

    lines: list[bytes] = []
    end = await export(
        Growing(ledger, key),
        lambda record: lines.append(line_of(record)),
        lambda _written, _of: None,
    )

    report = check(lines, key.public_key)
    assert end == End(ENTRIES, 1)
    assert (report.is_good, report.unsigned) == (True, 0)
    assert (await ledger.head()).sequence > ENTRIES


async def test_router_that_tells_less_than_it_signed_is_caught(
    ledger: MemoryLedgerStore, key: CheckpointSigner
) -> None:
    """An export that never ends, or ends early, is no export."""

    class Silent(LedgerSource):
        async def entries(self, *, after: int) -> Any:  # noqa: ANN401
            page = await super().entries(after=after)
            return page if after < 6 else type(page)(page.ledger_id, ())

    with pytest.raises(Internal):
        await export(Silent(ledger, key), lambda _: None, lambda _written, _of: None)
