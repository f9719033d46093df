"""A coordinator daemon with an account for its rounds, and members of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import grpc

from coordinator.app import build
from coordinator.config import CoordinatorSettings
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc, budget_pb2, budget_pb2_grpc
from federated_router.federation.credentials import Credentials
from federated_router.federation.membership import Membership, open_membership
from federated_router.federation.odometer import Odometer, Reading
from federated_router.federation.odometer_settings import OdometerSettings
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import SystemClock
from federated_router.kit.config import TlsSettings
from federated_router.kit.daemon import Daemon
from federated_router.kit.grpc_client import Channels, translated_errors
from federated_router.kit.identity import Role
from tests.support.round_member import Certificates

ACCOUNT = "accounts/federation-rounds"
WAIT_S = 40.0
ENDED = {
    pb2.Round.STATE_PUBLISHED,
    pb2.Round.STATE_REJECTED,
    pb2.Round.STATE_ABORTED,
}


@dataclass
class ChargedFederation:
    """A coordinator that can be restarted with other terms."""

    certificates: Certificates
    directory: Path
    stack: AsyncExitStack
    epsilon: str = "2000"
    rounds: dict[str, object] = field(default_factory=dict)
    address: str = "127.0.0.1:0"
    members: dict[str, Membership] = field(default_factory=dict)

    def tls(self, name: str) -> TlsSettings:
        """Return the files of `role/id`."""
        files = self.certificates.issue(name)
        return TlsSettings(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        )

    def settings(self) -> CoordinatorSettings:
        """Return the coordinator's configuration."""
        rounds = {
            "noise_scale": 4.0,
            "participation_min": 0.75,
            "budget": {"epsilon": self.epsilon},
            **self.rounds,
        }
        return CoordinatorSettings.model_validate(
            {
                "tls": self.coordinator_tls.model_dump(),
                "server": {"address": self.address, "stop_grace_s": 0.2},
                "store": {"url": f"sqlite+aiosqlite:///{self.directory}/c.sqlite"},
                "budget": {
                    "url": f"sqlite+aiosqlite:///{self.directory}/ledger.sqlite",
                    "audit_key": str(self.directory / "audit-key.pem"),
                },
                "catalogue": {"models": ["a"], "regions": ["eu"], "samples_min": 0},
                "rounds": rounds,
                "watch": {"progress_s": 0.1},
            }
        )

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[Daemon]:
        """Run the coordinator, on the same port and files as before."""
        if not hasattr(self, "coordinator_tls"):
            self.coordinator_tls = self.tls("coordinator/main")
        daemon = await build(self.settings())
        self.address = daemon.address
        running = asyncio.create_task(daemon.run())
        try:
            yield daemon
        finally:
            daemon.stop()
            await running

    def channel(self, name: str) -> grpc.aio.Channel:
        """Return a channel as `role/id`."""
        channels = Channels(self.tls(name), trust_domain=self.certificates.trust_domain)
        channel = channels.open(self.address, role=Role.COORDINATOR)
        self.stack.push_async_callback(channel.close)
        return channel

    async def join(self, name: str, *, epsilon: str | None = None) -> None:
        """Run a member, with a limit of its own if `epsilon` says so."""
        tls = self.tls(name)
        budget = None if epsilon is None else OdometerSettings(epsilon=Decimal(epsilon))
        membership = await open_membership(
            MembershipSettings(
                coordinator=self.address,
                vault=self.directory / f"{name.replace('/', '-')}.sqlite",
                noise_scale_min=1.4,
                participation_min=0.5,
                backoff_s_max=0.3,
                budget=budget,
            ),
            credentials=Credentials.load(
                certificate=tls.certificate,
                private_key=tls.private_key,
                authority=tls.authority,
            ),
            channel=self.channel(name),
            statistics=Statistics(),
            clock=SystemClock(),
        )
        self.members[name] = membership
        self.stack.push_async_callback(membership.close)
        task = asyncio.create_task(membership.participate())
        self.stack.push_async_callback(_cancelled, task)

    async def create(self, request_id: str) -> pb2.Round:
        """Open a round for four members."""
        stub = aggregation_pb2_grpc.AggregationServiceStub(self.channel("operator/op"))
        request = pb2.CreateRoundRequest(request_id=request_id, members_expected=4)
        async with translated_errors():
            response = await stub.CreateRound(request, timeout=30)
        made: pb2.Round = response.round
        return made

    async def ended(self, name: str) -> pb2.Round:
        """Return a round once it has ended."""
        stub = aggregation_pb2_grpc.AggregationServiceStub(self.channel("operator/op"))
        async with asyncio.timeout(WAIT_S):
            while True:
                response = await stub.GetRound(pb2.GetRoundRequest(name=name))
                if response.round.state in ENDED:
                    found: pb2.Round = response.round
                    return found
                await asyncio.sleep(0.05)

    async def all_rounds(self) -> list[pb2.Round]:
        """Return every round, newest first."""
        stub = aggregation_pb2_grpc.AggregationServiceStub(self.channel("operator/op"))
        response = await stub.ListRounds(pb2.ListRoundsRequest(page_size=100))
        return list(response.rounds)

    async def account(self) -> budget_pb2.Account:
        """Return the federation's account as an operator sees it."""
        stub = budget_pb2_grpc.BudgetServiceStub(self.channel("operator/op"))
        request = budget_pb2.GetAccountRequest(name=ACCOUNT)
        found: budget_pb2.Account = (await stub.GetAccount(request)).account
        return found

    async def reading(self, name: str) -> Reading:
        """Return what a member's odometer shows."""
        database = self.members[name].vault.database
        return await Odometer(database, limit=None, clock=SystemClock()).reading()

    def up_file(self) -> Path:
        """Write the file by which the command finds this federation."""
        operator, client = self.tls("operator/op"), self.tls("client/cli")

        def files(tls: TlsSettings) -> dict[str, str]:
            return {"cert": str(tls.certificate), "key": str(tls.private_key)}

        content = {
            "ca": str(operator.authority),
            "router": {"address": "127.0.0.1:1"},
            "coordinator": {"address": self.address},
            "nodes": [],
            "client": files(client),
            "operator": files(operator),
        }
        path = self.directory / "up.json"
        path.write_text(json.dumps(content), encoding="utf-8")
        return path


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
