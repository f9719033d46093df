"""What every scene works with: the running federation, stubs, figures, logs."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import grpc

from federated_router.api.v1 import (
    aggregation_pb2_grpc,
    budget_pb2_grpc,
    inference_pb2_grpc,
    ops_pb2,
    ops_pb2_grpc,
    priors_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
)
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cli.connection import Federation
from federated_router.cli.demo.figures import Figures, NotShown
from federated_router.cli.local_federation import LocalFederation
from federated_router.kit.identity import Role

CALL_TIMEOUT_S = 60.0
WAIT_S = 30.0
LARGE = "models/reference-large"
SMALL = "models/reference-small"


@dataclass(slots=True)
class Stage:
    """The federation as alice (a client) and the operator see it."""

    local: LocalFederation
    known: Federation
    figures: Figures
    inference: inference_pb2_grpc.InferenceServiceStub
    routing: routing_pb2_grpc.RoutingServiceStub
    balance: budget_pb2_grpc.BudgetServiceStub
    budget: budget_pb2_grpc.BudgetServiceStub
    strategy: routing_pb2_grpc.RoutingServiceStub
    registry: registry_pb2_grpc.NodeRegistryServiceStub
    rounds: aggregation_pb2_grpc.AggregationServiceStub
    priors: priors_pb2_grpc.PriorsServiceStub
    _number: int = 0

    def request_id(self) -> str:
        """Return a fresh request id."""
        self._number += 1
        return f"demo-{self._number}"

    def public(self, model: str, prompt: str, *, tokens_max: int = 32) -> pb.Generation:
        """Return a public request of one user turn."""
        return pb.Generation(
            request_id=self.request_id(),
            model=model,
            messages=[pb.Message(role=pb.ROLE_USER, content=prompt)],
            sampling=pb.Sampling(tokens_max=tokens_max),
        )

    async def explain(self, model: str) -> routing_pb2.ExplainRouteResponse:
        """Return the route that a public request for `model` would take now."""
        response: routing_pb2.ExplainRouteResponse = await self.routing.ExplainRoute(
            routing_pb2.ExplainRouteRequest(generation=self.public(model, "Hello")),
            timeout=CALL_TIMEOUT_S,
        )
        return response

    async def nodes(self) -> list[registry_pb2.Node]:
        """Return the nodes that hold a lease."""
        response = await self.registry.ListNodes(
            registry_pb2.ListNodesRequest(), timeout=CALL_TIMEOUT_S
        )
        return list(response.nodes)

    async def statistics(self) -> dict[str, ops_pb2.GetStatsResponse]:
        """Return each member's own plain statistics, asked as its own operator."""
        places = [("router", Role.ROUTER, "")]
        places += [(node.name, Role.NODE, node.name) for node in self.known.nodes]
        found = {}
        for name, role, node in places:
            async with self.known.channel(role, node=node) as channel:
                found[name] = await ops_pb2_grpc.OpsServiceStub(channel).GetStats(
                    ops_pb2.GetStatsRequest(), timeout=CALL_TIMEOUT_S
                )
        return found

    async def logged(self, daemon: str, trace_id: str) -> dict[str, object]:
        """Return the daemon's log line of a call; wait until it is written."""
        path = self.local.layout.log(daemon)

        async def find() -> dict[str, object] | None:
            for line in reversed(path.read_text(encoding="utf-8").splitlines()):
                if trace_id in line and '"call"' in line:
                    found: dict[str, object] = json.loads(line)
                    return found
            return None

        return await until(find, what=f"'{daemon}' logs the call")

    def was_called(self, daemon: str, trace_id: str) -> bool:
        """Return whether a call of this trace ever reached the daemon."""
        return trace_id in self.local.layout.log(daemon).read_text(encoding="utf-8")


T = TypeVar("T")


async def until(
    look: Callable[[], Awaitable[T | None]], *, what: str, wait_s: float = WAIT_S
) -> T:
    """Return what `look` finds, looking again until it does; raise NotShown."""
    end_s = time.monotonic() + wait_s
    while time.monotonic() < end_s:
        found = await look()
        if found:
            return found
        await asyncio.sleep(0.05)
    raise NotShown(f"Waited {wait_s:.0f} s in vain until {what}.")


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace id and the metadata that carries it."""

    trace_id: str

    @classmethod
    def new(cls) -> "Traced":
        """Begin a trace, so that log lines of every hop can be found."""
        return cls(secrets.token_hex(16))

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the W3C header."""
        return (("traceparent", f"00-{self.trace_id}-{secrets.token_hex(8)}-01"),)


@asynccontextmanager
async def opened(
    local: LocalFederation, known: Federation, figures: Figures
) -> AsyncIterator[Stage]:
    """Open the channels of a stage."""
    async with AsyncExitStack() as stack:

        async def to(role: Role, *, as_alice: bool) -> grpc.aio.Channel:
            identity = known.client if as_alice else known.operator
            return await stack.enter_async_context(
                known.channel(role, as_client=identity)
            )

        alice = await to(Role.ROUTER, as_alice=True)
        operator = await to(Role.ROUTER, as_alice=False)
        coordinator = await to(Role.COORDINATOR, as_alice=False)
        yield Stage(
            local=local,
            known=known,
            figures=figures,
            inference=inference_pb2_grpc.InferenceServiceStub(alice),
            routing=routing_pb2_grpc.RoutingServiceStub(alice),
            balance=budget_pb2_grpc.BudgetServiceStub(alice),
            budget=budget_pb2_grpc.BudgetServiceStub(operator),
            strategy=routing_pb2_grpc.RoutingServiceStub(operator),
            registry=registry_pb2_grpc.NodeRegistryServiceStub(operator),
            rounds=aggregation_pb2_grpc.AggregationServiceStub(coordinator),
            priors=priors_pb2_grpc.PriorsServiceStub(coordinator),
        )
