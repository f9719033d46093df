"""The hold of one batch: a share of its job's hold, and its own on records' blocks.

Decides what a grant, an end and a refusal of one batch mean for the job. The job's
hold is moved to the largest grant of any batch, and settled with the job; so a grant
that another batch had before costs nothing. Refuses to know nodes and how an answer is
relayed (`proxy.private_relay` treats it as any hold).
"""

from typing import Final

from federated_router.budget.answers import Answer
from federated_router.budget.cashier import Hold
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import Owner, ReleaseCause, RequestId
from federated_router.kit.errors import FieldInvalid
from federated_router.synthesis.job import JobKey
from federated_router.synthesis.store import SynthesisStore

JOBS_OWNER: Final = Owner(instance="synthesis jobs", boot="any")
"""Holds of jobs outlive routers: the job's own transactions are their fence.

No router can have this name, so no router's start takes them for its own.
"""


class BatchHold(Hold):
    """A live batch. `blocks` is its hold on the blocks of its records, if there are."""

    def __init__(
        self,
        *,
        ledger: LedgerStore,
        store: SynthesisStore,
        owner: Owner,
        job: JobKey,
        number: int,
        attempt: RequestId,
        tokens_max: int,
        blocks: Hold | None,
    ) -> None:
        super().__init__(
            ledger,
            JOBS_OWNER,
            RequestId(job),
            steps_max=tokens_max,
            steps_bound=0,
        )
        self._store = store
        self._sampler = owner
        self._job = job
        self._number = number
        self._attempt = attempt
        self._blocks = blocks

    @property
    def name(self) -> str:
        """Return `reservations/ATTEMPT`, under which the node knows it."""
        return f"reservations/{self._attempt}"

    async def bound(self, steps: int) -> None:
        """Allow up to `steps` tokens of this batch; errors as `Hold.bound`."""
        steps = min(steps, self._steps_max)
        if steps <= self._steps_bound:
            return
        if self._blocks is not None:
            await self._blocks.bound(steps)
        await self._ledger.bound(self._request_id, owner=JOBS_OWNER, steps=steps)
        self._steps_bound = steps

    async def commit(self, steps: int, answer: Answer | None = None) -> None:
        """Store the text, or that there is none; the job is charged when it ends.

        Raises FieldInvalid for a length that the batch cannot have.
        """
        if not 1 <= steps <= self._steps_bound:
            raise FieldInvalid(
                f"A batch has 1 to {self._steps_bound} tokens, as granted.",
                field="steps",
            )
        content = None if answer is None else answer.content
        await self._settle(self._end(steps, content))

    async def release(self, cause: ReleaseCause) -> None:
        """Take the batch back: nothing was sampled, and no record is the reason."""
        await self._settle(self._drop(cause))

    async def _end(self, steps: int, content: bytes | None) -> None:
        if self._blocks is not None and not self._blocks.is_settled:
            await self._blocks.commit(steps)
        await self._store.end(
            self._job,
            self._number,
            owner=self._sampler,
            tokens=steps,
            content=content,
        )

    async def _drop(self, cause: ReleaseCause) -> None:
        if self._blocks is not None and not self._blocks.is_settled:
            await self._blocks.release(cause)
        await self._store.drop(self._job, self._number, owner=self._sampler)
