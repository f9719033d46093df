"""The ledger after the spending: an answer served again, and the log proved offline."""

from federated_router.api.v1 import audit_pb2_grpc
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.audit.export import export
from federated_router.budget.audit.format import Record, line_of
from federated_router.budget.audit.signing import public_key_path, read_public_key
from federated_router.budget.audit.verification import AuditReport, verify
from federated_router.cli.audit import DaemonSource
from federated_router.cli.demo.figures import claim
from federated_router.cli.demo.private_scene import account
from federated_router.cli.demo.stage import CALL_TIMEOUT_S, Stage
from federated_router.cli.screen import say
from federated_router.kit.identity import Role


async def show_replay(
    stage: Stage, asked: pb.Generation, answered: pb.CompleteResponse
) -> None:
    """Ask an answered private request again: the same words, and no charge."""
    before = await account(stage)
    again = await stage.inference.Complete(
        pb.CompleteRequest(generation=asked), timeout=CALL_TIMEOUT_S
    )
    after = await account(stage)
    claim(
        that=again.text == answered.text
        and again.started.source == pb.ANSWER_SOURCE_REPLAY
        and again.finished.charge.units == 0
        and after.spent_units == before.spent_units,
        otherwise=f"Asked again, it said {again} for {after.spent_units} units.",
    )
    say(
        "the last answered request, asked again: the same words for 0 units, although "
        "the account is exhausted."
    )
    stage.figures.add("requests.replayed")


async def show_audit(stage: Stage) -> None:
    """Export the audit log, prove it with the public key, and catch a forger."""
    lines = await _export(stage)
    key = read_public_key(public_key_path(stage.local.layout.audit_key("router")))
    genuine = verify(lines, public_keys=[key])
    claim(
        that=genuine.is_good and genuine.unsigned == 0,
        otherwise=f"The audit log does not verify: {genuine.findings}.",
    )
    say(
        f"the audit log: {genuine.entries} entries, every one signed; the public key "
        f"and the export prove {genuine.reservations} reservations within "
        f"{len(genuine.accounts)} accounts."
    )
    forged = verify(_with_less_spent(lines), public_keys=[key])
    claim(that=not forged.is_good, otherwise="A forged audit log verified.")
    say(f"the same with one charge made smaller: {_first_finding(forged)}")
    stage.figures.record("audit.entries", genuine.entries)
    stage.figures.record("audit.accounts", len(genuine.accounts))


async def _export(stage: Stage) -> list[bytes]:
    lines: list[bytes] = []

    def write(record: Record) -> None:
        lines.append(line_of(record))

    async with stage.known.channel(Role.ROUTER) as channel:
        source = DaemonSource(audit_pb2_grpc.AuditServiceStub(channel))
        await export(source, write, lambda _written, _of: None)
    return lines


def _with_less_spent(lines: list[bytes]) -> list[bytes]:
    """Return the export with fewer steps in its first commit."""
    place = next(at for at, line in enumerate(lines) if b'"committed"' in line)
    changed = lines[place].replace(b'\\"steps\\":', b'\\"steps\\":0', 1)
    claim(that=changed != lines[place], otherwise="There was no charge to forge.")
    return [*lines[:place], changed, *lines[place + 1 :]]


def _first_finding(report: AuditReport) -> str:
    finding = report.findings[0]
    return f"entry {finding.sequence}: {finding.fault}. {finding.text}"
