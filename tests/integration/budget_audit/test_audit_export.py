"""`audit export` and `audit checkpoint` against a real server, and verified offline."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from federated_router.api.v1 import audit_pb2
from federated_router.budget.audit.service import AuditServicer
from federated_router.budget.audit.signing import open_signer, public_key_path
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.cli.audit import app
from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.kit.authority import Authority, IdentityFiles
from federated_router.kit.clock import ManualClock
from federated_router.kit.config import ServerSettings, TlsSettings
from federated_router.kit.errors import FieldInvalid, RoleNotAllowed
from federated_router.kit.grpc_server import Health, ServiceBinding, build_server
from federated_router.kit.identity import Identity, Role
from tests.support.audit_world import random_history, story

ENTRIES_MIN = 19
HOSTS = ("localhost", "127.0.0.1")


@dataclass
class RunningLog:
    """A ledger behind a server, and the files that the command needs."""

    ledger: MemoryLedgerStore
    clock: ManualClock
    directory: Path
    public_key: Path

    async def run(self, *words: object, up: str = "up.json") -> Result:
        """Run the command as the operator, or as `up` says, in a thread of its own."""
        arguments = [*map(str, words), "--federation", str(self.directory / up)]
        return await asyncio.to_thread(CliRunner().invoke, app, arguments)


def described(directory: Path, address: str, caller: IdentityFiles, name: str) -> None:
    """Write the file that tells the command where the router is."""
    files = {"cert": str(caller.certificate), "key": str(caller.private_key)}
    content = {
        "router": {"address": address},
        "coordinator": {"address": address},
        "nodes": [],
        "client": files,
        "operator": files,
        "ca": str(caller.authority),
    }
    (directory / name).write_text(json.dumps(content))


@pytest.fixture
async def log(tmp_path: Path, clock: ManualClock) -> AsyncIterator[RunningLog]:
    """Serve a ledger with a story."""
    authority = Authority.open(tmp_path / "pki", trust_domain=TRUST_DOMAIN)

    def issued(role: Role, peer_id: str) -> IdentityFiles:
        identity = Identity(role=role, id=peer_id, trust_domain=TRUST_DOMAIN)
        return authority.issue(identity, tmp_path / "pki", hosts=HOSTS)

    router = issued(Role.ROUTER, "r1")
    ledger = MemoryLedgerStore(clock=clock)
    signer = open_signer(tmp_path / "audit-key.pem")
    await story(ledger, clock, between=lambda: ledger.checkpoint(signer))
    await random_history(ledger, clock, 7, length=20)
    service = audit_pb2.DESCRIPTOR.services_by_name["AuditService"]
    servicer = AuditServicer(ledger=ledger, signer=signer, page_bytes_max=4000)
    bound = build_server(
        settings=ServerSettings(),
        tls=TlsSettings(
            certificate=router.certificate,
            private_key=router.private_key,
            authority=router.authority,
        ),
        trust_domain=TRUST_DOMAIN,
        bindings=[ServiceBinding(service, servicer)],
        health_state=Health([service.full_name]),
    )
    await bound.server.start()
    described(tmp_path, bound.address, issued(Role.OPERATOR, "op"), "up.json")
    described(tmp_path, bound.address, issued(Role.CLIENT, "ada"), "client.json")
    yield RunningLog(
        ledger, clock, tmp_path, public_key_path(tmp_path / "audit-key.pem")
    )
    await bound.server.stop(None)


def verified(*words: object) -> Result:
    """Run `audit verify`."""
    return CliRunner().invoke(app, ["verify", *map(str, words)])


async def test_export_of_a_router_is_proven_by_its_key_alone(log: RunningLog) -> None:
    """From the router to the auditor: two commands and two files."""
    file = log.directory / "export.jsonl"

    result = await log.run("export", file)

    head = await log.ledger.head()
    assert result.exit_code == 0
    assert f"{head.sequence} entries, 2 checkpoints" in result.output
    assert head.sequence > ENTRIES_MIN
    assert file.stat().st_mode & 0o777 == 0o600
    proof = verified(file, "--public-key", log.public_key)
    assert proof.exit_code == 0
    assert f"through entry {head.sequence}" in proof.output


async def test_export_replaces_a_file_only_when_told_to(log: RunningLog) -> None:
    """An older export may be all that an auditor has."""
    file = log.directory / "export.jsonl"
    file.write_text("precious")

    refused = await log.run("export", file)
    kept = file.read_text()
    forced = await log.run("export", file, "--force")

    assert isinstance(refused.exception, FieldInvalid)
    assert kept == "precious"
    assert forced.exit_code == 0
    assert verified(file, "--public-key", log.public_key).exit_code == 0


async def test_checkpoints_are_gathered_in_a_file_and_stay_true(
    log: RunningLog,
) -> None:
    """Kept from time to time, they hold every later export to its past."""
    kept, file = log.directory / "kept.jsonl", log.directory / "export.jsonl"
    await log.run("checkpoint", kept)
    await random_history(log.ledger, log.clock, 8, length=5)
    await log.run("checkpoint", kept)
    # The server of this test logs to the same screen first.
    output = (await log.run("checkpoint")).output
    printed = json.loads(output[output.index("{\n") :])
    await random_history(log.ledger, log.clock, 9, length=5)
    await log.run("export", file)

    proof = verified(
        *(file, "--public-key", log.public_key),
        *("--checkpoint", kept, "--checkpoint", json.dumps(printed)),
    )

    assert len(kept.read_text().splitlines()) == 2
    assert proof.exit_code == 0
    assert "3 kept checkpoints compared" in proof.output


async def test_client_gets_no_export_and_no_file(log: RunningLog) -> None:
    """The log tells who asked when; it is for operators."""
    file = log.directory / "export.jsonl"

    result = await log.run("export", file, up="client.json")

    assert isinstance(result.exception, RoleNotAllowed)
    assert not file.exists()
