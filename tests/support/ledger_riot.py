"""Router processes that share one ledger, do random things, and die by SIGKILL.

Run as `python -m tests.support.ledger_riot URL SEED ROUTERS LIVES TOLD`. Each router
lives `LIVES` times, one process each, and each life ends by SIGKILL at a random point
of a random batch. What a router was told is appended to the file TOLD before it does
anything else: one JSON object per line, with `what`, `id` and more. The processes are
forked from this one, which imports everything once.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated_router.budget.accounts import AccountName, BlockScheme, BlockTerms
from federated_router.budget.answers import Answer
from federated_router.budget.blocks import block_name, block_terms
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
)
from federated_router.budget.sql.batch import BatchPoint
from federated_router.budget.sql.store import SqlLedgerStore
from federated_router.budget.transactions import ReserveOutcome
from federated_router.kit.clock import SystemClock
from federated_router.kit.errors import (
    BudgetExhausted,
    FederationError,
    NotNow,
    ProposalUnknown,
)
from tests.support.ledger_world import DATASET, request, terms

TASKS: Final = 8
POINTS: Final = (5, 500)
"""How many points of batches a router passes before it dies."""
USERS: Final = tuple(AccountName(f"accounts/user-{one}") for one in ("ada", "bo", "cy"))
BLOCKS: Final = BlockTerms(scheme=BlockScheme.RECORD, limit_units=1200)
WARD: Final = terms(limit_units=4000, blocks=BLOCKS)
SIGNER: Final = CheckpointSigner(Ed25519PrivateKey.from_private_bytes(bytes(32)))
KEEP_S: Final = 3600.0


@dataclass
class Router:
    """One life of a router: what it does next is decided by its seed."""

    store: LedgerStore
    owner: Owner
    told: int
    draw: random.Random
    numbers: Iterator[int] = field(default_factory=count)

    def tell(self, what: str, request_id: str, **more: object) -> None:
        """Append a line, whole or not at all."""
        line = json.dumps({"what": what, "id": request_id, **more}) + "\n"
        os.write(self.told, line.encode())

    async def live(self) -> None:
        """Do one thing after the other until the end comes."""
        acts = (
            *[self.serve] * 12,
            self.repeat,
            self.store.expire_due,
            self.sign,
            self.sweep,
            self.renew,
        )
        while True:
            try:
                await self.draw.choice(acts)()
            except (BudgetExhausted, NotNow, ProposalUnknown):
                continue  # Others spend, settle and renew as well.
            except FederationError as error:
                self.tell("error", "", reason=error.reason, text=str(error))

    async def serve(self) -> None:
        """Reserve, and end it in one of the ways in which a request ends."""
        request_id = f"{self.owner.instance}.{self.owner.boot}.{next(self.numbers)}"
        user, record = self.draw.choice(USERS), str(self.draw.randrange(6))
        block = block_name(DATASET, record)
        asked = request(
            request_id,
            charges=tuple(
                (name, self.draw.randint(1, 3)) for name in (DATASET, user, block)
            ),
            steps_max=self.draw.randint(4, 12),
            steps_bound=self.draw.choice((None, 1, 4)),
            owner=self.owner,
            lease_s=self.draw.choice((0.05, 600.0, 600.0, 600.0)),
            body=request_id,
            opens=(block_terms(WARD, block),),
        )
        answer = await self.store.reserve(asked)
        if answer.outcome is not ReserveOutcome.OPENED:
            self.tell("error", request_id, text="a new request was replayed")
        self.tell("reserved", request_id)
        bound = await self.bounded(RequestId(request_id), answer.reservation)
        await self.end(RequestId(request_id), bound)

    async def bounded(self, request_id: RequestId, held: Reservation) -> int:
        """Allow more steps as long as the draw says so; return how many."""
        bound = held.steps_bound
        while bound < held.steps_max and self.draw.random() < 0.7:
            more = self.draw.randint(bound + 1, held.steps_max)
            after = await self.store.bound(request_id, owner=self.owner, steps=more)
            bound = after.steps_bound
            self.tell("bounded", request_id, steps=bound)
        return bound

    async def end(self, request_id: RequestId, steps_bound: int) -> None:
        """Commit, release, prolong or forget."""
        ways = ("commit", "commit", "answer", "release", "prolong", "forget")
        way = self.draw.choice(ways)
        if way == "forget":
            return
        if way == "release":
            cause = ReleaseCause.NODE_NEVER_STARTED
            await self.store.release(request_id, owner=self.owner, cause=cause)
            self.tell("released", request_id)
            return
        if way == "prolong":
            await self.store.extend_lease(request_id, owner=self.owner, lease_s=900.0)
        steps = self.draw.randint(1, steps_bound)
        now_s = time.time()
        kept = Answer(
            request_id=request_id,
            content=request_id.encode(),
            stored_time_s=now_s,
            expires_time_s=now_s + KEEP_S,
        )
        await self.store.commit(
            request_id,
            owner=self.owner,
            steps=steps,
            answer=kept if way == "answer" else None,
        )
        self.tell("committed", request_id, steps=steps, answer=way == "answer")

    async def repeat(self) -> None:
        """Send one request twice at once: it is held once."""
        request_id = f"{self.owner.instance}.{self.owner.boot}.{next(self.numbers)}"
        asked = request(
            request_id, charges=((DATASET, 1),), steps_max=1, owner=self.owner
        )
        answers = await asyncio.gather(
            self.store.reserve(asked), self.store.reserve(asked)
        )
        opened = [one for one in answers if one.outcome is ReserveOutcome.OPENED]
        if len(opened) != 1:
            self.tell("error", request_id, text=f"opened {len(opened)} times")
        self.tell("reserved", request_id)

    async def sign(self) -> None:
        """Sign the newest entry."""
        await self.store.checkpoint(SIGNER)

    async def sweep(self) -> None:
        """Delete nothing that is fresh."""
        await self.store.delete_answers(bytes_max=1 << 30)

    async def renew(self) -> None:
        """Begin a new window of some account, by two people."""
        name = self.draw.choice((DATASET, *USERS, block_name(DATASET, "1")))
        try:
            proposal = await self.store.propose_renewal(
                name, operator="ann", reason="More is needed.", lasts_s=60.0
            )
        except FederationError:
            return  # No request has opened the block yet.
        await self.store.approve_renewal(
            name, proposal_id=proposal.proposal_id, operator="ben"
        )


def dying(draw: random.Random) -> Callable[[BatchPoint], None]:
    """Return an observer that kills its process after a random number of points."""
    last = draw.randrange(*POINTS)
    passed = count(1)

    def observe(_: BatchPoint) -> None:
        if next(passed) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    return observe


async def live(url: str, seed: str, owner: Owner, told: int) -> None:
    """Live once, with several requests at a time."""
    # Not a secret: the same seed must do the same again.
    draw = random.Random(f"{seed} {owner.instance} {owner.boot}")  # noqa: S311
    store = await SqlLedgerStore.open(
        url, clock=SystemClock(), timeout_s=60.0, observe_batch=dying(draw)
    )
    await store.settle_orphans(owner)
    router = Router(store, owner, told, draw)
    await asyncio.gather(*(router.live() for _ in range(TASKS)))


def main(url: str, seed: str, routers: str, lives: str, told: str) -> None:
    """Let every router live and die; raise RuntimeError for another end than that."""
    file = os.open(Path(told), os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    born: dict[int, tuple[str, int]] = {}

    def bear(instance: str, boot: int) -> None:
        child = os.fork()
        if child == 0:
            asyncio.run(live(url, seed, Owner(instance, f"boot-{boot}"), file))
            os._exit(1)
        born[child] = (instance, boot)

    for number in range(int(routers)):
        bear(f"router-{number}", 1)
    while born:
        child, status = os.wait()
        instance, boot = born.pop(child)
        if not os.WIFSIGNALED(status):
            raise RuntimeError(f"{instance} ended by itself in life {boot}")
        if boot < int(lives):
            bear(instance, boot + 1)


if __name__ == "__main__":
    main(*sys.argv[1:])
