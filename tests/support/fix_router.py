"""A real router in the test's event loop, with scripted nodes and a client."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import grpc
import pytest
import pytest_asyncio

from federated_router.api.v1 import (
    budget_pb2,
    budget_pb2_grpc,
    inference_pb2_grpc,
    ops_pb2_grpc,
    registry_pb2_grpc,
    routing_pb2_grpc,
)
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.app import build
from federated_router.budget.settings import BudgetSettings
from federated_router.config import RouterSettings
from federated_router.kit.clock import Clock
from federated_router.kit.config import OpsSettings, ServerSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.privacy.settings import PolicySettings
from federated_router.proxy.settings import ProxySettings
from federated_router.registry.registry import RegistrySettings
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.running import running
from tests.support.scripted_node import MODEL, ScriptedNode, scripted_node

TOKEN_UNITS = 7_812_500_000
TOKENS_MAX = 8
POLICY = {
    "name": "p",
    "slots": 8,
    "clip": "1",
    "temperature": "1",
    "top_k": 10,
    "tokens_max": TOKENS_MAX,
    "row_tokens_max": 64,
}


def router_settings(
    pki: Pki,
    directory: Path,
    *,
    instalment: int = 16,
    lease_s: float = 600.0,
    proxy: Mapping[str, object] = MappingProxyType({}),
) -> RouterSettings:
    """Return a router's settings; `proxy` are further ones of it.

    Scripted nodes renew no lease, so that each must outlast its test.
    """
    return RouterSettings(
        tls=pki.standing(Role.ROUTER, "r1"),
        ops=OpsSettings(statistics_readers=("op",)),
        server=ServerSettings(stop_grace_s=1.0),
        registry=RegistrySettings(lease_s=lease_s),
        proxy=ProxySettings.model_validate(
            {
                "connect_timeout_s": 30.0,
                "node_waits": {"longest_s": 0.0},
                "prompt_bytes_max": 4096,
                "private_instalment_tokens": instalment,
                **proxy,
            }
        ),
        budget=BudgetSettings(
            url=f"sqlite+aiosqlite:///{directory / 'ledger.sqlite'}",
            expire_interval_s=0.2,
            audit_key=directory / "audit-key.pem",
        ),
        policies=(PolicySettings.model_validate(POLICY),),
    )


@dataclass(slots=True)
class RouterSetting:
    """A running router, and everything that talks to it."""

    pki: Pki
    address: str
    stack: AsyncExitStack
    nodes: dict[str, ScriptedNode] = field(default_factory=dict)

    async def node(self, node_id: str) -> ScriptedNode:
        """Register one more scripted node."""
        node = await self.stack.enter_async_context(
            scripted_node(self.pki, node_id, self.address)
        )
        self.nodes[node_id] = node
        return node

    async def channel(self, role: Role, peer_id: str) -> grpc.aio.Channel:
        """Open a channel to the router as somebody."""
        channels = Channels(self.pki.standing(role, peer_id), trust_domain=DOMAIN)
        channel = channels.open(self.address, role=Role.ROUTER)
        self.stack.push_async_callback(channel.close)
        return channel

    async def inference(
        self, user: str = "alice"
    ) -> inference_pb2_grpc.InferenceServiceStub:
        """Return a client's stub."""
        return inference_pb2_grpc.InferenceServiceStub(
            await self.channel(Role.CLIENT, user)
        )

    async def budget(self) -> budget_pb2_grpc.BudgetServiceStub:
        """Return the operator's stub."""
        return budget_pb2_grpc.BudgetServiceStub(
            await self.channel(Role.OPERATOR, "op")
        )

    async def registry(self) -> registry_pb2_grpc.NodeRegistryServiceStub:
        """Return the operator's stub."""
        return registry_pb2_grpc.NodeRegistryServiceStub(
            await self.channel(Role.OPERATOR, "op")
        )

    async def routing(self) -> routing_pb2_grpc.RoutingServiceStub:
        """Return the operator's stub."""
        return routing_pb2_grpc.RoutingServiceStub(
            await self.channel(Role.OPERATOR, "op")
        )

    async def ops(self) -> ops_pb2_grpc.OpsServiceStub:
        """Return the operator's stub."""
        return ops_pb2_grpc.OpsServiceStub(await self.channel(Role.OPERATOR, "op"))

    async def open_dataset(self, epsilon: float = 6.0) -> budget_pb2.Account:
        """Create the data set's account."""
        response = await (await self.budget()).CreateAccount(
            budget_pb2.CreateAccountRequest(
                account=budget_pb2.Account(
                    name="accounts/dataset-d",
                    kind=budget_pb2.Account.KIND_DATASET,
                    epsilon=epsilon,
                    delta=1e-6,
                    renewal=budget_pb2.Account.RENEWAL_MONTHLY,
                )
            ),
            timeout=30,
        )
        account: budget_pb2.Account = response.account
        return account

    async def account(self, name: str = "accounts/dataset-d") -> budget_pb2.Account:
        """Return a balance."""
        response = await (await self.budget()).GetAccount(
            budget_pb2.GetAccountRequest(name=name), timeout=30
        )
        account: budget_pb2.Account = response.account
        return account


@asynccontextmanager
async def router_in(
    pki: Pki,
    directory: Path,
    *,
    instalment: int = 16,
    lease_s: float = 600.0,
    proxy: Mapping[str, object] = MappingProxyType({}),
    clock: Clock | None = None,
) -> AsyncIterator[RouterSetting]:
    """Run a router whose state lies in `directory`, by this clock."""
    settings = router_settings(
        pki, directory, instalment=instalment, lease_s=lease_s, proxy=proxy
    )
    daemon = await build(settings, clock)
    async with running(daemon), AsyncExitStack() as stack:
        yield RouterSetting(pki, daemon.address, stack)


@pytest.fixture
async def router(pki: Pki, tmp_path: Path) -> AsyncIterator[RouterSetting]:
    """Run a router without nodes."""
    async with router_in(pki, tmp_path) as setting:
        yield setting


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing(
    pki: Pki, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RouterSetting]:
    """Run one router for all requests of a file that change nothing: it refuses them.

    Node `n1` is there, and data set `d` has its budget.
    """
    async with router_in(pki, tmp_path_factory.mktemp("refusing")) as setting:
        await setting.node("n1")
        await setting.open_dataset()
        yield setting


def generation(request_id: str = "r-1", **fields: object) -> pb.Generation:
    """Return a public request."""
    message = pb.Generation(
        request_id=request_id,
        model=MODEL,
        messages=[pb.Message(role=pb.ROLE_USER, content="hello")],
    )
    message.MergeFrom(pb.Generation(**fields))  # type: ignore[arg-type]
    return message


def changed(fields: dict[str, object]) -> pb.Generation:
    """Return a public request with these fields instead of the usual ones."""
    message = generation()
    message.MergeFrom(pb.Generation(**fields))  # type: ignore[arg-type]
    return message


def private(request_id: str = "p-1", records: int = 2) -> pb.Generation:
    """Return a private request."""
    return generation(
        request_id,
        private_context=pb.PrivateContext(
            dataset="datasets/d",
            policy="policies/p",
            selection=pb.SELECTION_BY_ID,
            records=[
                pb.Record(id=f"rec-{index}", text=b"text") for index in range(records)
            ],
        ),
    )
