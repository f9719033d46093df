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
    """What the caller saw of one request; `reason` is empty where it was answered.

    `whole_asked` is a request for the whole answer in one message, and not a stream.
    """

    private: bool
    whole_asked: bool = False
    sent_s: float = 0.0
    ended_s: float = 0.0
    reason: str = ""
    message: str = ""
    first_token_s: float | None = None
    tokens: int = 0
    tokens_delivered: int = 0
    resumptions: int = 0
    charge_units: int = 0

    def end(self, finished: pb.Finished) -> None:
        """Note the last event of an answer."""
        self.reason = ""
        self.tokens = finished.completion_tokens
        self.resumptions = finished.resumptions
        self.charge_units = finished.charge.units

    @property
    def kind(self) -> str:
        """Return what kind of request it is: what is promised depends on it."""
        if self.private:
            return "private"
        return "whole" if self.whole_asked else "stream"

    @property
    def answered(self) -> bool:
        """Return whether the answer came to its end."""
        return not self.reason

    @property
    def whole(self) -> bool:
        """Return whether each token that was counted was delivered, once."""
        return self.tokens == self.tokens_delivered


@dataclass(slots=True)
class Kill:
    """A node that was killed, and when it served again; seconds after the begin."""

    node: str
    at_s: float
    back_s: float | None = None


@dataclass(slots=True)
class AzureRun:
    """One replay by one client that nobody else uses."""

    federation: Processes
    replay: Replay
    client: str = "azure"
    seen: dict[str, Seen] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)
    begin_s: float = 0.0
    took_s: float = 0.0

    @property
    def dataset(self) -> str:
        """Return the id of the data set that private requests ask about."""
        return self.client

    async def run(self, requests: Sequence[Arrival]) -> None:
        """Send every request in its time, and kill nodes beside them."""
        tls = self.federation.tls(Role.CLIENT, self.client)
        self.begin_s = time.monotonic()
        enemy = asyncio.create_task(self._kill())
        try:
            await self._send(requests, tls)
            self.took_s = self._now_s()
        finally:
            enemy.cancel()
            await asyncio.gather(enemy, return_exceptions=True)

    def _now_s(self) -> float:
        """Return the seconds since the begin."""
        return time.monotonic() - self.begin_s

    async def _send(self, requests: Sequence[Arrival], tls: TlsSettings) -> None:
        dice = random.Random(f"{self.replay.seed} requests")  # noqa: S311
        async with (
            self.federation.channel("router", tls) as channel,
            asyncio.TaskGroup() as tasks,
        ):
            stub = inference_pb2_grpc.InferenceServiceStub(channel)
            for arrival in requests:
                generation = self._generation(arrival, dice)
                whole = dice.random() < self.replay.whole_share
                await asyncio.sleep(arrival.at_s - self._now_s())
                tasks.create_task(self._ask(stub, generation, whole=whole))

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
        *,
        whole: bool,
    ) -> None:
        private = generation.HasField("private_context")
        seen = Seen(private, whole and not private, self._now_s())
        self.seen[generation.request_id] = seen
        seen.reason = "UNFINISHED"
        try:
            if seen.whole_asked:
                await self._read_whole(stub, generation, seen)
            else:
                await self._read(stub, generation, seen)
        except grpc.aio.AioRpcError as error:
            seen.reason, seen.message = translate(error).reason, error.details() or ""
        seen.ended_s = self._now_s()

    async def _read(
        self,
        stub: inference_pb2_grpc.InferenceServiceStub,
        generation: pb.Generation,
        seen: Seen,
    ) -> None:
        request = pb.GenerateRequest(generation=generation)
        async for event in stub.Generate(request, timeout=DEADLINE_S):
            if event.HasField("chunk"):
                if seen.first_token_s is None:
                    seen.first_token_s = self._now_s() - seen.sent_s
                seen.tokens_delivered += len(event.chunk.token_ids)
            elif event.HasField("finished"):
                seen.end(event.finished)

    async def _read_whole(
        self,
        stub: inference_pb2_grpc.InferenceServiceStub,
        generation: pb.Generation,
        seen: Seen,
    ) -> None:
        request = pb.CompleteRequest(generation=generation)
        response = await stub.Complete(request, timeout=DEADLINE_S)
        seen.end(response.finished)
        seen.tokens_delivered = seen.tokens

    async def _kill(self) -> None:
        """Kill a node every while, as long as others run; each is started again.

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
                if len(up) > self.replay.spared:
                    victim = dice.choice(up)
                    kill = Kill(victim, self._now_s())
                    self.kills.append(kill)
                    self.federation.kill(victim)
                    again = self._start(kill, one_at_a_time)
                    starting[victim] = asyncio.create_task(again)
        finally:
            await asyncio.gather(*starting.values())

    async def _start(self, kill: Kill, one_at_a_time: asyncio.Lock) -> None:
        await asyncio.sleep(NODE_STARTS_S)
        async with one_at_a_time:
            await self.federation.restart(kill.node)
        kill.back_s = self._now_s()
