"""Samples batches: written down before anything is sent, never sampled twice.

Decides what is checked of a batch, and in which order it is started, held and sent.
Refuses to know how jobs are opened and closed.

A batch is started in the store first, then the hold is moved, and only then a node
hears of it; so whatever dies, a batch that may have been sampled has its row, and a
row without a text is never sampled again.
"""

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.budget.accounts import AccountKind, account_kind
from federated_router.budget.cashier import Cashier, Hold, RequestKeys
from federated_router.budget.port import LedgerStore
from federated_router.budget.pricing import Price, Pricer
from federated_router.budget.reservation import Owner, ReleaseCause, RequestId
from federated_router.kit.clock import Clock
from federated_router.kit.errors import FederationError, FieldInvalid, NotNow
from federated_router.kit.log import get_logger
from federated_router.proxy.checks import check_generation
from federated_router.proxy.deadline import Deadline
from federated_router.proxy.private_answers import AnswerKeys
from federated_router.proxy.private_price import PrivateTerms
from federated_router.proxy.private_proxy import PrivateProxy
from federated_router.proxy.settings import ProxySettings
from federated_router.synthesis.batch_hold import JOBS_OWNER, BatchHold
from federated_router.synthesis.job import (
    Batch,
    BatchState,
    Job,
    already_started,
    check_open,
)
from federated_router.synthesis.opening import Opening
from federated_router.synthesis.plan import (
    generation_of,
    record_digest,
    release_of_job,
    request_of,
    terms_text,
)
from federated_router.synthesis.settings import SynthesisSettings
from federated_router.synthesis.store import SynthesisStore

Records = Sequence[inference_pb2.Record]
log = get_logger("synthesis")


@dataclass(frozen=True, slots=True)
class Part:
    """One batch of a job that is about to be sampled.

    `id` is of this attempt alone: under it the node knows the batch, and the ledger a
    hold on the blocks of its records.
    """

    id: RequestId
    job: Job
    request: pb.CreateSynthesisRequest
    number: int
    records: Records
    terms: PrivateTerms

    def keys(self) -> AnswerKeys:
        """Return under what the batch is known; its answer serves nobody else."""
        told = b"".join(record_digest(self.job, one) for one in self.records)
        digest = hashlib.sha256(self.job.body_digest + told).digest()
        return AnswerKeys(RequestKeys(self.id, digest), cache_key=None, fresh=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """What samples the batches of one router."""

    ledger: LedgerStore
    store: SynthesisStore
    pricer: Pricer
    cashier: Cashier
    private: PrivateProxy
    opening: Opening
    owner: Owner
    proxy: ProxySettings
    settings: SynthesisSettings
    clock: Clock
    lease_margin_s: float

    async def sample(
        self, job: Job, number: int, records: Records, deadline: Deadline
    ) -> Batch:
        """Return the batch with its text, sampled now or stored before.

        Raises:
            FieldInvalid: no such batch, or not its number of records.
            RequestAlreadyServed: it was sent to a node and has no text.
            NotNow: the job is closed, its hold is over, or its policy has changed.
        """
        part = self._part(job, number, records)
        earlier = await self.store.batch(job.key, number)
        if earlier is not None:
            return _with_text(earlier)
        check_open(job)
        release = release_of_job(
            part.request, part.terms, user=job.user, records=records
        )
        price = await self.pricer.price(release)
        generation = generation_of(part.request, records)

        async def reserve(steps_bound: int) -> Hold:
            return await self._started(part, price, steps_bound, deadline)

        async with aclosing(
            self.private.sample(
                generation, part.terms, part.keys(), price, deadline, reserve=reserve
            )
        ) as responses:
            async for _ in responses:
                pass
        ended = await self.store.batch(job.key, number)
        if ended is None:
            raise NotNow("The batch was not sampled; ask again.")
        return _with_text(ended)

    def _part(self, job: Job, number: int, records: Records) -> Part:
        wanted = job.records_in(number)
        if len(records) != wanted:
            raise FieldInvalid(
                f"Batch {number} has {wanted} records; {len(records)} came.",
                field="records",
            )
        request = request_of(job)
        terms = self.opening.terms(request)
        if terms_text(terms) != job.terms:
            raise NotNow(
                "The policy has changed since the job was opened, and the job was "
                "priced by what it was. Finish the job, and open another.",
                metadata={"policy": request.policy},
            )
        check_generation(generation_of(request, records), self.proxy)
        attempt = RequestId(f"{job.key}.{number}.{secrets.token_hex(4)}")
        return Part(attempt, job, request, number, records, terms)

    async def _started(
        self, part: Part, price: Price, steps_bound: int, deadline: Deadline
    ) -> Hold:
        """Start the batch; take it back for a caller who leaves meanwhile."""
        pending = asyncio.ensure_future(self._start(part, price, steps_bound, deadline))
        try:
            return await asyncio.shield(pending)
        except asyncio.CancelledError:
            hold = await pending
            await hold.release(ReleaseCause.CALLER_CANCELLED)
            raise

    async def _start(
        self, part: Part, price: Price, steps_bound: int, deadline: Deadline
    ) -> Hold:
        job, time_s = part.job, deadline.remaining_s()
        lease_s = time_s + self.lease_margin_s
        batch = Batch(
            number=part.number,
            owner=self.owner,
            lease_expires_s=self.clock.now_s() + lease_s,
        )
        await self.store.start(
            job.key,
            batch,
            [record_digest(job, one) for one in part.records],
            live_max=self.settings.batches_live_max,
        )
        blocks: Hold | None = None
        try:
            blocks = await self._hold_blocks(part, price, steps_bound, time_s)
            return await self._bounded(part, blocks, steps_bound)
        except FederationError:
            await self._take_back(part, blocks)
            raise

    async def _hold_blocks(
        self, part: Part, price: Price, steps_bound: int, time_s: float
    ) -> Hold | None:
        """Hold the worst case on the blocks of the records, where there are any."""
        of_blocks = replace(
            price,
            charges=tuple(one for one in price.charges if _is_block(one.account)),
            opens=tuple(one for one in price.opens if _is_block(one.name)),
        )
        if not of_blocks.charges:
            return None
        return await self.cashier.reserve(
            part.keys().request,
            of_blocks,
            steps_max=part.job.tokens_max,
            steps_bound=steps_bound,
            time_s=time_s,
        )

    async def _bounded(self, part: Part, blocks: Hold | None, steps: int) -> Hold:
        """Allow the first instalment, and keep the job's hold for another while."""
        job = part.job
        await self.ledger.extend_lease(
            RequestId(job.key), owner=JOBS_OWNER, lease_s=self.settings.hold_s
        )
        hold = BatchHold(
            ledger=self.ledger,
            store=self.store,
            owner=self.owner,
            job=job.key,
            number=part.number,
            attempt=part.id,
            tokens_max=job.tokens_max,
            blocks=blocks,
        )
        await hold.bound(steps)
        return hold

    async def _take_back(self, part: Part, blocks: Hold | None) -> None:
        """Undo a start of which no node has heard."""
        if blocks is not None and not blocks.is_settled:
            await blocks.release(ReleaseCause.NODE_NEVER_STARTED)
        await self.store.drop(part.job.key, part.number, owner=self.owner)


def _with_text(batch: Batch) -> Batch:
    """Return a sampled batch; raise RequestAlreadyServed for any other."""
    if batch.state is BatchState.SAMPLED:
        return batch
    raise already_started(batch)


def _is_block(account: str) -> bool:
    return account_kind(account) is AccountKind.BLOCK
