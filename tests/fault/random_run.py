"""Load, an enemy and a witness: a seeded run of kills, and what must hold in it.

Callers ask for private and public answers, the enemy kills daemons in an order that
its seed decides, and the witness reads the ledger's file all the while. Nothing here
says what any one request must get; the invariants are about what was charged.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field

import grpc

from federated_router.api.v1 import budget_pb2, budget_pb2_grpc, inference_pb2_grpc
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_errors import translate
from federated_router.kit.identity import Role
from tests.support.processes import (
    CALL_S,
    LONG_POLICY,
    SHORT_POLICY,
    Processes,
    private,
    public,
)

LOOK_S = 0.1
DEADLINE_S = 8.0
PATIENCE_S = 60.0
_BALANCES = "SELECT name, limit_units, spent_units, reserved_units FROM ledger_accounts"


@dataclass(slots=True)
class RandomRun:
    """One run against one federation, by one client that nobody else uses."""

    federation: Processes
    seed: int
    client: str
    targets: Sequence[str]
    asked: dict[str, pb.Generation] = field(default_factory=dict)
    charged: dict[str, pb.Charge] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    kills: list[str] = field(default_factory=list)
    looks: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        """The id of the data set that only this run asks about."""
        return f"run-{self.client}"

    @property
    def accounts(self) -> tuple[str, str]:
        """Both accounts that every private request of this run is charged to."""
        return f"accounts/dataset-{self.dataset}", f"accounts/user-{self.client}"

    async def run(self, *, seconds: float, callers: int, pause_s: float) -> None:
        """Load, kill and look for so many seconds."""
        end_s = time.monotonic() + seconds
        tls = self.federation.tls(Role.CLIENT, self.client)
        async with asyncio.TaskGroup() as tasks:
            for number in range(callers):
                dice = random.Random(f"{self.seed} caller {number}")  # noqa: S311
                tasks.create_task(self._ask(dice, tls, end_s))
            tasks.create_task(self._kill(end_s, pause_s))
            tasks.create_task(self._look(end_s))

    async def _ask(self, dice: random.Random, tls: TlsSettings, end_s: float) -> None:
        """Ask one request after the other, whatever became of the last."""
        async with self.federation.channel("router", tls) as channel:
            stub = inference_pb2_grpc.InferenceServiceStub(channel)
            while self._goes_on(end_s):
                generation = self._generation(dice)
                try:
                    response = await stub.Complete(
                        pb.CompleteRequest(generation=generation), timeout=DEADLINE_S
                    )
                except grpc.aio.AioRpcError as error:
                    self._count(translate(error).reason)
                    await asyncio.sleep(0.05)
                    continue
                self._count("ANSWERED")
                if generation.HasField("private_context"):
                    self.charged[generation.request_id] = response.finished.charge

    def _generation(self, dice: random.Random) -> pb.Generation:
        if dice.random() < 0.3:
            return public()
        policy = LONG_POLICY if dice.random() < 0.3 else SHORT_POLICY
        made = private(policy=policy, dataset=f"datasets/{self.dataset}")
        self.asked[made.request_id] = made
        return made

    def _goes_on(self, end_s: float) -> bool:
        """Return whether to ask on: a busy machine may need longer for an answer."""
        late_s = time.monotonic() - end_s
        return late_s < 0 or (not self.charged and late_s < PATIENCE_S)

    async def _kill(self, end_s: float, pause_s: float) -> None:
        """Kill one daemon after the other; the next dies when it is back."""
        dice = random.Random(f"{self.seed} enemy")  # noqa: S311 - to be repeated.
        while time.monotonic() < end_s:
            await asyncio.sleep(dice.uniform(0.2, 1.0) * pause_s)
            victim = dice.choice(self.targets)
            self.kills.append(victim)
            self.federation.kill(victim)
            await self.federation.restart(victim)

    async def _look(self, end_s: float) -> None:
        while self._goes_on(end_s):
            self.look()
            await asyncio.sleep(LOOK_S)

    def look(self) -> None:
        """Read every balance as the disk has it, and note what must not be."""
        path = self.federation.layout.state("router") / "ledger.sqlite"
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(path, timeout=1)) as database,
        ):
            for name, limit, spent, held in database.execute(_BALANCES):
                if spent < 0 or held < 0 or spent + held > limit:
                    self.violations.append(f"{name}: {spent} + {held} of {limit}")
            self.looks += 1

    async def repeat(self, count: int) -> list[str]:
        """Ask answered requests once more; return what became of each."""
        reasons = []
        tls = self.federation.tls(Role.CLIENT, self.client)
        async with self.federation.channel("router", tls) as channel:
            stub = inference_pb2_grpc.InferenceServiceStub(channel)
            for request_id in list(self.charged)[:count]:
                request = pb.CompleteRequest(generation=self.asked[request_id])
                try:
                    await stub.Complete(request, timeout=CALL_S)
                except grpc.aio.AioRpcError as error:
                    reasons.append(translate(error).reason)
                else:
                    reasons.append("ANSWERED")
        return reasons

    def _count(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    @asynccontextmanager
    async def _budget(self) -> AsyncIterator[budget_pb2_grpc.BudgetServiceStub]:
        tls = self.federation.own_tls("operator")
        async with self.federation.channel("router", tls) as channel:
            yield budget_pb2_grpc.BudgetServiceStub(channel)

    async def reservations(self) -> dict[str, budget_pb2.Reservation]:
        """Return what the ledger says of every request of this run, by request id."""
        found: dict[str, budget_pb2.Reservation] = {}
        token = ""
        async with self._budget() as budget:
            while True:
                page = await budget.ListReservations(
                    budget_pb2.ListReservationsRequest(
                        account=self.accounts[0], page_token=token
                    ),
                    timeout=CALL_S,
                )
                for one in page.reservations:
                    found[one.name.removeprefix(f"reservations/{self.client}.")] = one
                token = page.next_page_token
                if not token:
                    return found
