"""What the ledger says after a replay: no hold is left, every charge is as told."""

from collections.abc import Mapping
from contextlib import suppress

from federated_router.api.v1 import audit_pb2_grpc, budget_pb2, budget_pb2_grpc
from federated_router.budget.audit.export import export
from federated_router.budget.audit.format import Record, line_of
from federated_router.budget.audit.signing import public_key_path, read_public_key
from federated_router.budget.audit.verification import verify
from federated_router.cli.audit import DaemonSource
from tests.evaluate.azure_run import AzureRun, Seen
from tests.support.processes import CALL_S, Calls, until

SETTLE_S = 60.0
Reservations = Mapping[str, budget_pb2.Reservation]


async def holds_lost(run: AzureRun, calls: Calls) -> int:
    """Return how many private requests' holds are not settled as their caller saw.

    A hold is lost that is still held after a minute of quiet, and one whose charge is
    not the one that the answer told. An answer without a reservation counts too.
    """
    account = f"accounts/dataset-{run.dataset}"

    async def quiet() -> bool:
        return (await calls.account(account)).held_units == 0

    with suppress(AssertionError):  # What is still held then is counted.
        await until(quiet, what="no hold is left", within_s=SETTLE_S)
    return len(lost_holds(run.seen, await _reservations(run, account)))


def lost_holds(seen: Mapping[str, Seen], found: Reservations) -> set[str]:
    """Return the private requests whose holds are not settled as their caller saw."""
    held = {
        one
        for one, kept in found.items()
        if kept.state == budget_pb2.Reservation.STATE_HELD
    }
    wrong = {
        name
        for name, one in seen.items()
        if one.private and one.answered and not _is_charged(found.get(name), one)
    }
    return held | wrong


async def audit_is_good(run: AzureRun) -> bool:
    """Return whether the exported audit log proves itself by the public key alone."""
    lines: list[bytes] = []

    def keep(record: Record) -> None:
        lines.append(line_of(record))

    tls = run.federation.own_tls("operator")
    async with run.federation.channel("router", tls) as channel:
        source = DaemonSource(audit_pb2_grpc.AuditServiceStub(channel))
        await export(source, keep, lambda *_: None)
    key = read_public_key(public_key_path(run.federation.layout.audit_key("router")))
    return verify(lines, public_keys={key}).is_good


async def _reservations(run: AzureRun, account: str) -> Reservations:
    """Return what the ledger says of each private request, by request id."""
    found: dict[str, budget_pb2.Reservation] = {}
    token = ""
    tls = run.federation.own_tls("operator")
    async with run.federation.channel("router", tls) as channel:
        budget = budget_pb2_grpc.BudgetServiceStub(channel)
        while True:
            page = await budget.ListReservations(
                budget_pb2.ListReservationsRequest(account=account, page_token=token),
                timeout=CALL_S,
            )
            for one in page.reservations:
                found[one.name.removeprefix(f"reservations/{run.client}.")] = one
            token = page.next_page_token
            if not token:
                return found


def _is_charged(kept: budget_pb2.Reservation | None, seen: Seen) -> bool:
    return (
        kept is not None
        and kept.state == budget_pb2.Reservation.STATE_COMMITTED
        and kept.charged_units == seen.charge_units
    )
