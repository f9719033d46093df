"""The trace's requests against a running federation whose nodes are killed.

Each request is sent when the trace says, whatever became of those before; what came of
it is noted as its caller saw it. Nothing is repeated here: what the router does about
a lost node is what is measured.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_errors import translate
from federated_router.kit.identity import Role
from tests.evaluate.azure_trace import Arrival, Replay
from tests.support.processes import (
    MODEL,
    SHORT_POLICY,
    Processes,
    new_id,
    private,
)

DEADLINE_S = 60.0
NODE_STARTS_S = 2.0
LETTERS = "the quick brown fox jumps over the lazy dog "


@dataclass(slots=True)
class Seen:
    """What the caller saw of one request; `reason` is empty where it was answered."""

    private: bool
    reason: str = ""
    first_token_s: float | None = None
    tokens: int = 0
    tokens_delivered: int = 0
    resumptions: int = 0
    charge_units: int = 0

    @property
    def answered(self) -> bool:
        """Return whether the answer came to its end."""
        return not self.reason

    @property
    def whole(self) -> bool:
        """Return whether each token that was counted was delivered, once."""
        return self.tokens == self.tokens_delivered


@dataclass(slots=True)
class AzureRun:
    """One replay by one client that nobody else uses."""

    federation: Processes
    replay: Replay
    client: str = "azure"
    seen: dict[str, Seen] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    took_s: float = 0.0

    @property
    def dataset(self) -> str:
        """Return the id of the data set that private requests ask about."""
        return self.client

    async def run(self, requests: Sequence[Arrival]) -> None:
        """Send every request in its time, and kill nodes beside them."""
        tls = self.federation.tls(Role.CLIENT, self.client)
        begin_s = time.monotonic()
        enemy = asyncio.create_task(self._kill())
        try:
            await self._send(requests, tls, begin_s)
            self.took_s = time.monotonic() - begin_s
        finally:
            enemy.cancel()
            await asyncio.gather(enemy, return_exceptions=True)

    async def _send(
        self, requests: Sequence[Arrival], tls: TlsSettings, begin_s: float
    ) -> None:
        dice = random.Random(f"{self.replay.seed} requests")  # noqa: S311
        async with (
            self.federation.channel("router", tls) as channel,
            asyncio.TaskGroup() as tasks,
        ):
            stub = inference_pb2_grpc.InferenceServiceStub(channel)
            for arrival in requests:
                generation = self._generation(arrival, dice)
                await asyncio.sleep(begin_s + arrival.at_s - time.monotonic())
                tasks.create_task(self._ask(stub, generation))

    def _generation(self, arrival: Arrival, dice: random.Random) -> pb.Generation:
        seed = dice.randrange(2**31)
        if dice.random() < self.replay.private_share:
            return private(policy=SHORT_POLICY, dataset=f"datasets/{self.dataset}")
        repeats = arrival.prompt_tokens // len(LETTERS) + 1
        text = (LETTERS * repeats)[: arrival.prompt_tokens]
        return pb.Generation(
            request_id=new_id(),
            model=MODEL,
            messages=[pb.Message(role=pb.ROLE_USER, content=text)],
            sampling=pb.Sampling(tokens_max=arrival.completion_tokens, seed=seed),
        )

    async def _ask(
        self,
        stub: inference_pb2_grpc.InferenceServiceStub,
        generation: pb.Generation,
    ) -> None:
        seen = Seen(private=generation.HasField("private_context"))
        self.seen[generation.request_id] = seen
        sent_s = time.monotonic()
        call = stub.Generate(
            pb.GenerateRequest(generation=generation), timeout=DEADLINE_S
        )
        seen.reason = "UNFINISHED"
        try:
            async for event in call:
                _note(seen, event, sent_s)
        except grpc.aio.AioRpcError as error:
            seen.reason = translate(error).reason

    async def _kill(self) -> None:
        """Kill a node every while, as long as another runs; each is started again.

        Starting takes longer than the pause, so nodes are started one after the other
        beside the kills. Ends, when cancelled, once those under way are there.
        """
        dice = random.Random(f"{self.replay.seed} enemy")  # noqa: S311
        one_at_a_time = asyncio.Lock()
        starting: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                await asyncio.sleep(dice.uniform(0.7, 1.3) * self.replay.kill_s)
                up = [
                    one
                    for one in self.federation.nodes
                    if one not in starting or starting[one].done()
                ]
                if len(up) > 1:
                    victim = dice.choice(up)
                    self.kills.append(victim)
                    self.federation.kill(victim)
                    again = self._start(victim, one_at_a_time)
                    starting[victim] = asyncio.create_task(again)
        finally:
            await asyncio.gather(*starting.values())

    async def _start(self, node: str, one_at_a_time: asyncio.Lock) -> None:
        await asyncio.sleep(NODE_STARTS_S)
        async with one_at_a_time:
            await self.federation.restart(node)


def _note(seen: Seen, event: pb.GenerateResponse, sent_s: float) -> None:
    """Note one event of an answer."""
    if event.HasField("chunk"):
        if seen.first_token_s is None:
            seen.first_token_s = time.monotonic() - sent_s
        seen.tokens_delivered += len(event.chunk.token_ids)
    elif event.HasField("finished"):
        seen.reason = ""
        seen.tokens = event.finished.completion_tokens
        seen.resumptions = event.finished.resumptions
        seen.charge_units = event.finished.charge.units
