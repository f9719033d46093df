"""A federation of real processes that a test may kill, freeze, cut and heal.

Router, nodes and coordinator are started as an operator starts them: a TOML file each,
mutual TLS on loopback, a ready file. Only waits are shorter than a deployment's, so
that a lease lapses and a round ends while a test looks on.
"""

import asyncio
import json
import secrets
import signal
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import grpc

from federated_router.api.v1 import (
    aggregation_pb2_grpc,
    budget_pb2,
    budget_pb2_grpc,
    inference_pb2_grpc,
    ops_pb2_grpc,
    priors_pb2_grpc,
    registry_pb2,
    registry_pb2_grpc,
    routing_pb2,
    routing_pb2_grpc,
)
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.cli.local_federation import LocalFederation
from federated_router.cli.local_plan import (
    Layout,
    NodePlan,
    common_toml,
)
from federated_router.kit.authority import Authority
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Identity, Role

MODEL = "models/endless"
DATASET = "datasets/d"
LONG_POLICY, SHORT_POLICY = "policies/long", "policies/short"
LONG_TOKENS, SHORT_TOKENS = 400, 4
SLOTS = 4
CONTEXT_TOKENS = 4096
LEASE_S = 4.0
STOP_GRACE_S = 20.0
CONNECT_TIMEOUT_S = 10.0
CALL_S = 30.0
NOISE_SCALE = 1.4
T = TypeVar("T")

POLICIES = "".join(
    f"""
[[policies]]
name = "{name.removeprefix("policies/")}"
slots = {SLOTS}
clip = "1"
temperature = "1"
top_k = 10
tokens_max = {tokens_max}
row_tokens_max = 64
"""
    for name, tokens_max in ((LONG_POLICY, LONG_TOKENS), (SHORT_POLICY, SHORT_TOKENS))
)


def build_endless_model(directory: Path) -> Path:
    """Write a random model that never ends by itself: tests stand in mid-answer.

    The first hidden place is made positive and large for every token, and the end
    token's row of the last layer points away from it.
    """
    import torch
    from transformers import LlamaForCausalLM

    from tests.support.tiny_model import tiny_config, tiny_tokenizer

    config = tiny_config(max_position_embeddings=CONTEXT_TOKENS)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config)
        model.model.embed_tokens.weight[:, 0] = 4.0
        last = model.lm_head.weight
        last[:, 0] = 0.0
        last[config.eos_token_id] = 0.0
        last[config.eos_token_id, 0] = -30.0
    model.save_pretrained(directory)
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = CONTEXT_TOKENS
    tokenizer.save_pretrained(directory)
    return directory


async def until(
    look: Callable[[], Awaitable[T | None]], *, what: str, within_s: float = 30.0
) -> T:
    """Return what `look` finds, looking again until it does; fail after `within_s`."""
    end_s = time.monotonic() + within_s
    while time.monotonic() < end_s:
        if found := await look():
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"Waited {within_s:.0f} s in vain until {what}.")


@dataclass(frozen=True, slots=True)
class Calls:
    """What alice (a client) and the operator call."""

    inference: inference_pb2_grpc.InferenceServiceStub
    routing: routing_pb2_grpc.RoutingServiceStub
    budget: budget_pb2_grpc.BudgetServiceStub
    registry: registry_pb2_grpc.NodeRegistryServiceStub
    rounds: aggregation_pb2_grpc.AggregationServiceStub
    priors: priors_pb2_grpc.PriorsServiceStub

    async def nodes(self) -> set[str]:
        """Return the ids of the nodes that hold a lease; none while nobody answers."""
        try:
            response = await self.registry.ListNodes(
                registry_pb2.ListNodesRequest(), timeout=30
            )
        except grpc.aio.AioRpcError:
            return set()
        return {node.name.removeprefix("nodes/") for node in response.nodes}

    async def chosen(self) -> str:
        """Return the id of the node that the next public request goes to."""
        request = routing_pb2.ExplainRouteRequest(generation=public())
        response = await self.routing.ExplainRoute(request, timeout=CALL_S)
        return str(response.node).removeprefix("nodes/")

    async def complete(self, generation: pb.Generation) -> pb.CompleteResponse:
        """Return a whole answer."""
        response: pb.CompleteResponse = await self.inference.Complete(
            pb.CompleteRequest(generation=generation), timeout=CALL_S
        )
        return response

    async def warm(self, nodes: int) -> None:
        """Have the router connect to so many nodes, by requests side by side."""

        async def reached() -> bool:
            many = (self.complete(public()) for _ in range(4 * nodes))
            answers = await asyncio.gather(*many)
            return len({one.started.node for one in answers}) == nodes

        await until(reached, what="every node answered")

    def stream(
        self, generation: pb.Generation, *, traced: "Traced | None" = None
    ) -> grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse]:
        """Begin a streamed answer."""
        return self.inference.Generate(
            pb.GenerateRequest(generation=generation),
            timeout=CALL_S,
            metadata=traced.metadata if traced else None,
        )

    async def account(self, name: str = "accounts/dataset-d") -> budget_pb2.Account:
        """Return a balance, once the router answers."""
        response = await self.budget.GetAccount(
            budget_pb2.GetAccountRequest(name=name),
            timeout=CALL_S,
            wait_for_ready=True,
        )
        found: budget_pb2.Account = response.account
        return found

    async def open_dataset(
        self, dataset: str = "d", epsilon: float = 2000.0
    ) -> budget_pb2.Account:
        """Create a data set's account, or return it where it is there already."""
        terms = budget_pb2.Account(
            name=f"accounts/dataset-{dataset}",
            kind=budget_pb2.Account.KIND_DATASET,
            epsilon=epsilon,
            delta=1e-6,
            renewal=budget_pb2.Account.RENEWAL_NONE,
        )
        response = await self.budget.CreateAccount(
            budget_pb2.CreateAccountRequest(account=terms), timeout=CALL_S
        )
        made: budget_pb2.Account = response.account
        return made


@dataclass(slots=True)
class Processes:
    """One federation below one folder. `close` ends every process that it started."""

    local: LocalFederation
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    frozen: set[str] = field(default_factory=set)

    @classmethod
    def prepared(cls, directory: Path, model: Path, *, nodes: int) -> "Processes":
        """Write certificates and configurations for so many nodes; start nothing."""
        plans = tuple(
            NodePlan(f"node-{number}", "north", (("endless", 8),))
            for number in range(1, nodes + 1)
        )
        layout = Layout(directory.resolve(), {"endless": model})
        made = cls(LocalFederation(layout, plans, say=lambda _: None))
        made.local.prepare()
        for name in made.local.plans:
            made.configure(name)
        return made

    @property
    def layout(self) -> Layout:
        """Where files lie."""
        return self.local.layout

    @property
    def nodes(self) -> list[str]:
        """The ids of all nodes, running or not."""
        return [plan.id for plan in self.local.nodes]

    def address(self, name: str) -> str:
        """Return where a daemon listens, in all of its lives."""
        return self.local.plans[name].address

    def configure(self, name: str, *, extra: str = "") -> None:
        """Write a daemon's configuration; `extra` is more TOML at its end."""
        role = self.local.plans[name].role
        write = {
            Role.ROUTER: self._router_toml,
            Role.NODE: self._node_toml,
            Role.COORDINATOR: self._coordinator_toml,
        }[role]
        common = common_toml(self.layout, name, self.address(name)).replace(
            "stop_grace_s = 5.0", f"stop_grace_s = {STOP_GRACE_S}"
        )
        if "[log]" not in extra:  # No line waits: tests read the log.
            common += "\n[log]\ngather_s = 0.0\n"
        self.layout.config(name).write_text(write(name, common) + extra)

    def launch(self, *names: str) -> None:
        """Start daemons side by side and wait until each serves."""
        for name in names:
            self.local.launch(name)
            self.started.append(self.local.processes[name])
        for name in names:
            self.local.wait_ready(name)

    def runs(self, name: str) -> bool:
        """Return whether the process is there, frozen or not."""
        process = self.local.processes.get(name)
        return process is not None and process.poll() is None

    def kill(self, *names: str) -> None:
        """SIGKILL: no handler runs, nothing is flushed."""
        for name in names:
            self.frozen.discard(name)
            self.local.kill(name)

    def terminate(self, name: str) -> None:
        """SIGTERM: the orderly end begins; `wait_end` returns when it is over."""
        self.local.processes[name].send_signal(signal.SIGTERM)

    async def wait_end(self, name: str, *, within_s: float = 40.0) -> int:
        """Return the exit status of a process that is on its way out."""
        process = self.local.processes[name]
        return await asyncio.to_thread(process.wait, within_s)

    def freeze(self, name: str) -> None:
        """SIGSTOP: the peer is there, its sockets are open, and it says nothing."""
        self.local.processes[name].send_signal(signal.SIGSTOP)
        self.frozen.add(name)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.local.processes[name].send_signal(signal.SIGCONT)
        self.frozen.discard(name)

    async def restart(self, *names: str) -> None:
        """Start daemons that ended, and wait until they serve."""
        await asyncio.to_thread(self.launch, *names)

    async def heal(self) -> None:
        """Bring every daemon back, and every node into the registry."""
        for name in list(self.frozen):
            if self.runs(name):
                self.thaw(name)
        self.frozen.clear()
        await self.restart(*(name for name in self.local.plans if not self.runs(name)))
        async with self.calls() as calls:

            async def present() -> bool:
                return await calls.nodes() == set(self.nodes)

            await until(present, what="every node is registered", within_s=60)

    def close(self) -> None:
        """End every process that was ever started here, frozen or not."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
        for process in self.started:
            process.wait()

    def tls(
        self, role: Role, peer_id: str, *, authority: Authority | None = None
    ) -> TlsSettings:
        """Return a fresh identity that the federation trusts, or `authority`'s."""
        pki = self.layout.pki()
        issuer = authority or Authority.open(pki, trust_domain=TRUST_DOMAIN)
        files = issuer.issue(
            Identity(role=role, id=peer_id, trust_domain=TRUST_DOMAIN),
            pki / f"extra-{secrets.token_hex(4)}",
        )
        return TlsSettings(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=pki / "ca.crt",
        )

    def own_tls(self, name: str) -> TlsSettings:
        """Return the files of a daemon, of `alice` or of `operator`."""
        pki = self.layout.pki()
        return TlsSettings(
            certificate=pki / f"{name}.crt",
            private_key=pki / f"{name}.key",
            authority=pki / "ca.crt",
        )

    @asynccontextmanager
    async def channel(
        self, daemon: str, tls: TlsSettings
    ) -> AsyncIterator[grpc.aio.Channel]:
        """Dial a daemon as somebody."""
        channels = Channels(tls, trust_domain=TRUST_DOMAIN)
        role = self.local.plans[daemon].role
        channel = channels.open(self.address(daemon), role=role)
        try:
            yield channel
        finally:
            await channel.close(grace=None)

    @asynccontextmanager
    async def calls(self) -> AsyncIterator[Calls]:
        """Open alice's and the operator's stubs."""
        async with AsyncExitStack() as stack:

            async def to(daemon: str, name: str) -> grpc.aio.Channel:
                tls = self.own_tls(name)
                return await stack.enter_async_context(self.channel(daemon, tls))

            alice = await to("router", "alice")
            operator = await to("router", "operator")
            coordinator = await to("coordinator", "operator")
            yield Calls(
                inference=inference_pb2_grpc.InferenceServiceStub(alice),
                routing=routing_pb2_grpc.RoutingServiceStub(operator),
                budget=budget_pb2_grpc.BudgetServiceStub(operator),
                registry=registry_pb2_grpc.NodeRegistryServiceStub(operator),
                rounds=aggregation_pb2_grpc.AggregationServiceStub(coordinator),
                priors=priors_pb2_grpc.PriorsServiceStub(coordinator),
            )

    @asynccontextmanager
    async def ops(self, name: str) -> AsyncIterator[ops_pb2_grpc.OpsServiceStub]:
        """Open a daemon's own operator door."""
        async with self.channel(name, self.own_tls("operator")) as channel:
            yield ops_pb2_grpc.OpsServiceStub(channel)

    def log_lines(self, name: str, containing: str) -> list[dict[str, object]]:
        """Return the log lines of a daemon that hold a text."""
        lines = self.layout.log(name).read_text(errors="replace").splitlines()
        found = (line for line in lines if containing in line)
        return [json.loads(line) for line in found if line.startswith("{")]

    async def logged(
        self, name: str, containing: str, *, event: str = "call"
    ) -> dict[str, object]:
        """Return a daemon's log line of that event, once it is written."""

        async def find() -> dict[str, object] | None:
            lines = self.log_lines(name, containing)
            return next((one for one in lines if one["event"] == event), None)

        return await until(find, what=f"'{name}' logs '{event}' of '{containing}'")

    def _router_toml(self, name: str, common: str) -> str:
        return f"""{common}
[registry]
lease_s = {LEASE_S}

[proxy]
connect_timeout_s = {CONNECT_TIMEOUT_S}

[budget]
url = "sqlite+aiosqlite:///{self.layout.state(name) / "ledger.sqlite"}"
audit_key = "{self.layout.audit_key(name)}"
timeout_s = 5.0
user_epsilon = "2000"
lease_margin_s = 5.0
expire_interval_s = 0.5
{POLICIES}{self._member_toml(name)}"""

    def _node_toml(self, name: str, common: str) -> str:
        return f"""region = "north"

{common}
[registration]
router_address = "{self.address("router")}"
retry_max_s = 0.5

[[models]]
name = "endless"
path = "{self.layout.models["endless"]}"
slots = 8
private_slots = 2
waiting_max = 64
{POLICIES}{self._member_toml(name)}"""

    def _coordinator_toml(self, name: str, common: str) -> str:
        return f"""{common}
[store]
url = "sqlite+aiosqlite:///{self.layout.state(name) / "rounds.sqlite"}"

[catalogue]
models = ["endless"]
regions = ["north"]
samples_min = 0

[budget]
url = "sqlite+aiosqlite:///{self.layout.state(name) / "ledger.sqlite"}"
audit_key = "{self.layout.audit_key(name)}"
timeout_s = 5.0

[rounds.budget]
epsilon = "2000"

[rounds]
noise_scale = {NOISE_SCALE}
participation_min = 0.7
joining_s = 20.0
revealing_s = 5.0
collecting_s = 8.0
checking_s = 8.0
summing_s = 20.0
opening_s = 20.0
validating_s = 20.0
resume_grace_s = 8.0
"""

    def _member_toml(self, name: str) -> str:
        return f"""
[federation]
coordinator = "{self.address("coordinator")}"
vault = "{self.layout.state(name) / "vault.sqlite"}"
noise_scale_min = 1.4
participation_min = 0.7
backoff_s_min = 0.05
backoff_s_max = 0.5
"""


async def events_of(
    call: grpc.aio.UnaryStreamCall[pb.GenerateRequest, pb.GenerateResponse],
) -> list[pb.GenerateResponse]:
    """Return the rest of a stream; raise what ended it."""
    events = []
    while (event := await call.read()) is not grpc.aio.EOF:
        events.append(event)
    return events


def new_id() -> str:
    """Return a request id that no test had before."""
    return f"r-{uuid.uuid4().hex[:20]}"


def public(*, tokens_max: int = 4, model: str = MODEL) -> pb.Generation:
    """Return a public request; thousands of tokens take seconds."""
    return pb.Generation(
        request_id=new_id(),
        model=model,
        messages=[pb.Message(role=pb.ROLE_USER, content="hello")],
        sampling=pb.Sampling(tokens_max=tokens_max),
    )


def private(*, policy: str = SHORT_POLICY, dataset: str = DATASET) -> pb.Generation:
    """Return a private request; one of LONG_POLICY is in flight for a while."""
    return pb.Generation(
        request_id=new_id(),
        model=MODEL,
        messages=[pb.Message(role=pb.ROLE_USER, content="hello")],
        private_context=pb.PrivateContext(
            dataset=dataset,
            policy=policy,
            selection=pb.SELECTION_BY_ID,
            records=[pb.Record(id=f"rec-{index}", text=b"text") for index in range(2)],
        ),
    )


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace, so that the log lines of one request are found on every hop."""

    trace_id: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """Return the W3C header."""
        return (("traceparent", f"00-{self.trace_id}-{secrets.token_hex(8)}-01"),)
