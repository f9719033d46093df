"""An operator's desk: the `budget` command against a router's budgets in memory.

The servicer is the router's own, over a ledger in memory; between it and the command
stands a channel that opens no socket.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from federated_router.api.v1 import inference_pb2
from federated_router.budget.blocks import RecordKey
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.memory_store import MemoryLedgerStore
from federated_router.budget.pricing import Pricer, Release
from federated_router.budget.quotas import Quotas
from federated_router.budget.reservation import Owner, RequestId
from federated_router.budget.service import BudgetServicer
from federated_router.budget.settings import BudgetSettings, MemberSettings
from federated_router.cli.main import app
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import PolicyUnknown
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.privacy.policy import RETRIEVED_BY_CONTENT, PrivatePolicy
from federated_router.privacy.step import token_step

START_S = 1_792_000_000.0  # 2026-10-14, a Wednesday.
OWNER = Owner("router-1", "boot-1")
ROLES = {"alice": Role.CLIENT}


class InProcessChannel:
    """As much of a channel as generated stubs need, straight into a servicer."""

    def __init__(self, servicer: BudgetServicer, caller: Identity) -> None:
        self._servicer = servicer
        self._caller = caller

    def unary_unary(
        self, method: str, *_: object, **__: object
    ) -> Callable[..., Awaitable[Message]]:
        """Return a call of the method of that name, as this caller."""
        handler = getattr(self._servicer, method.rpartition("/")[2])

        async def call(request: Message, *, timeout: float) -> Message:  # noqa: ASYNC109
            set_current_identity(self._caller)
            answer: Message = await asyncio.wait_for(handler(request, None), timeout)
            return answer

        return call


def policy(name: str, selection: inference_pb2.Selection) -> PrivatePolicy:
    """Return the one policy that the desk's router has."""
    if name != "policies/standard":
        raise PolicyUnknown("There is policies/standard.")
    retrieved = selection == inference_pb2.SELECTION_RETRIEVED
    return PrivatePolicy(
        name=name,
        slots=32,
        clip=Decimal(1),
        temperature=Decimal(1),
        top_k=50,
        tokens_max=100,
        row_tokens_max=64,
        multiplier=RETRIEVED_BY_CONTENT if retrieved else 1,
    )


@dataclass(slots=True)
class Desk:
    """Runs commands, and makes private requests beside them."""

    directory: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START_S))
    settings: BudgetSettings = field(
        default_factory=lambda: BudgetSettings(
            members=(MemberSettings(user="alice", department="cardiology"),)
        )
    )
    callers: list[str] = field(default_factory=list)
    ledger: MemoryLedgerStore = field(init=False)
    pricer: Pricer = field(init=False)
    servicer: BudgetServicer = field(init=False)

    def __post_init__(self) -> None:
        self.ledger = MemoryLedgerStore(clock=self.clock)
        self.pricer = Pricer(self.ledger, Quotas(self.settings))
        self.servicer = BudgetServicer(
            ledger=self.ledger,
            pricer=self.pricer,
            policy=policy,
            terms_message=lambda _: inference_pb2.PrivacyParameters(),
            proposal_lifetime_s=self.settings.proposal_lifetime_s,
        )

    @property
    def up_file(self) -> Path:
        """Return the file that describes the federation."""
        return self.directory / "up.json"

    def files(self, name: str) -> dict[str, str]:
        """Return where an identity's certificate and key lie."""
        return {
            "cert": str(self.directory / f"{name}.crt"),
            "key": str(self.directory / f"{name}.key"),
        }

    def describe(self) -> None:
        """Write the file, and empty files for every identity."""
        names = ("alice", "operator", "operator-2")
        for name in names:
            for file in self.files(name).values():
                Path(file).touch()
        content = {
            "router": {"address": "127.0.0.1:1"},
            "coordinator": {"address": "127.0.0.1:2"},
            "nodes": [],
            "ca": str(self.directory / "ca.crt"),
            "client": self.files("alice"),
            "operator": self.files("operator"),
            "second_operator": self.files("operator-2"),
        }
        self.up_file.write_text(json.dumps(content), encoding="utf-8")

    def run(self, *words: str) -> Result:
        """Run `budget ...`; what it raises is in the result, as `main` would see it."""
        command = ["budget", *words, "--federation", str(self.up_file)]
        return CliRunner().invoke(app, command)

    def output(self, *words: str) -> str:
        """Run `budget ...`, which must succeed; return what it printed."""
        result = self.run(*words)
        if result.exception is not None:
            raise result.exception
        return result.stdout

    def as_second(self) -> tuple[str, ...]:
        """Return the options by which the second operator acts."""
        files = self.files("operator-2")
        return ("--operator-cert", files["cert"], "--operator-key", files["key"])

    def channel(self, certificate: Path) -> InProcessChannel:
        """Return a channel to the router as whoever has this certificate."""
        name = certificate.stem
        self.callers.append(name)
        role = ROLES.get(name, Role.OPERATOR)
        return InProcessChannel(
            self.servicer, Identity(role=role, id=name, trust_domain="test")
        )

    def hold(
        self,
        request_id: str,
        *,
        dataset: str = "ward",
        user: str = "alice",
        records: tuple[str, ...] = (),
        batch: str = "",
    ) -> None:
        """Reserve what a private request may cost at most."""
        asyncio.run(self._hold(request_id, dataset, user, records, batch))

    async def _hold(
        self,
        request_id: str,
        dataset: str,
        user: str,
        records: tuple[str, ...],
        batch: str,
    ) -> None:
        terms = policy("policies/standard", inference_pb2.SELECTION_BY_ID)
        price = await self.pricer.price(
            Release(
                dataset=dataset,
                step=token_step(terms),
                user=user,
                records=tuple(RecordKey(one, batch) for one in records),
                policy=terms.name,
            )
        )
        await self.ledger.reserve(
            ReserveRequest(
                request_id=RequestId(f"{user}.{request_id}"),
                body_digest=hashlib.sha256(request_id.encode()).digest(),
                owner=OWNER,
                charges=price.charges,
                steps_max=terms.tokens_max,
                lease_s=600.0,
                event=price.event,
                opens=price.opens,
            )
        )

    def spend(self, request_id: str, tokens: int, **named: object) -> None:
        """Make a private request that samples so many tokens."""
        user = str(named.get("user", "alice"))
        self.hold(request_id, **named)  # type: ignore[arg-type]
        asyncio.run(
            self.ledger.commit(
                RequestId(f"{user}.{request_id}"), owner=OWNER, steps=tokens
            )
        )
