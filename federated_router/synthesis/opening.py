"""Opens jobs: checked, priced, written down, held once.

Decides the order in which a job and its hold come to be, so that a router that dies in
between leaves a job that the same request opens, or a hold that lapses. Refuses to know
batches (`sampling`).
"""

from dataclasses import dataclass

from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.pricing import Price, Pricer
from federated_router.budget.reservation import (
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.kit.clock import Clock
from federated_router.kit.errors import (
    AccountClosed,
    BudgetExhausted,
    FieldInvalid,
    RequestAlreadyServed,
    RequestIdReused,
)
from federated_router.proxy.checks import check_generation
from federated_router.proxy.private_price import PrivateTerms, terms_of
from federated_router.proxy.private_proxy import PrivateProxy
from federated_router.proxy.settings import ProxySettings
from federated_router.synthesis.batch_hold import JOBS_OWNER
from federated_router.synthesis.job import Job, JobState
from federated_router.synthesis.plan import (
    generation_of,
    job_of_request,
    release_of_job,
)
from federated_router.synthesis.settings import SynthesisSettings
from federated_router.synthesis.store import SynthesisStore

_REFUSED = (BudgetExhausted, AccountClosed, RequestIdReused, RequestAlreadyServed)


@dataclass(frozen=True, slots=True)
class Draft:
    """A job that was asked for, and its price; nothing is stored or held."""

    job: Job
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What opens the jobs of one router."""

    ledger: LedgerStore
    store: SynthesisStore
    pricer: Pricer
    private: PrivateProxy
    proxy: ProxySettings
    settings: SynthesisSettings
    clock: Clock

    async def draft(self, request: pb.CreateSynthesisRequest, *, user: str) -> Draft:
        """Return the job with its price.

        Raises FieldInvalid, PromptTooLong, PolicyUnknown, DatasetUnknown.
        """
        if not 1 <= request.records_count <= self.settings.records_max:
            raise FieldInvalid(
                f"A job has 1 to {self.settings.records_max} records.",
                field="records_count",
            )
        terms = self.terms(request)
        job = job_of_request(request, terms.policy, user=user, now_s=self.clock.now_s())
        release = release_of_job(request, terms, user=user)
        return Draft(job, await self.pricer.price_undivided(release))

    def terms(self, request: pb.CreateSynthesisRequest) -> PrivateTerms:
        """Return what the request's policy means now; errors as `draft`."""
        generation = generation_of(request, ())
        check_generation(generation, self.proxy)
        context = generation.private_context
        policy = self.private.policy(context.policy, context.selection)
        return terms_of(generation, policy)

    async def open(self, draft: Draft) -> Job:
        """Store the job and hold its worst case; the same request finds its job.

        Raises BudgetExhausted and AccountClosed where nothing was held,
        RequestIdReused, RequestAlreadyServed, QueueFull.
        """
        job = await self.store.create(
            draft.job, open_jobs_max=self.settings.open_jobs_max
        )
        if job.state is not JobState.OPENING:
            return job
        try:
            await self._hold(draft)
        except _REFUSED:
            await self.store.forget(job.key)
            raise
        return await self.store.opened(job.key)

    async def _hold(self, draft: Draft) -> None:
        """Hold all tokens of one text; one may be sampled before the bound moves.

        The same request of before a crash finds the hold that it made.
        """
        job, price = draft.job, draft.price
        answer = await self.ledger.reserve(
            ReserveRequest(
                request_id=RequestId(job.key),
                body_digest=job.body_digest,
                owner=JOBS_OWNER,
                charges=price.charges,
                steps_max=job.tokens_max,
                lease_s=self.settings.hold_s,
                event=price.event,
                opens=price.opens,
                steps_bound=1,
            )
        )
        if not _is_untouched(answer.reservation, hold_s=self.settings.hold_s):
            raise RequestAlreadyServed(
                "A job of this id was closed before, or batches of it were sampled "
                "that are not known here any more. Choose a new id.",
                metadata={"request_id": job.key},
            )


def _is_untouched(hold: Reservation, *, hold_s: float) -> bool:
    """Return whether no batch was ever started under the hold.

    Starting one keeps the hold for longer and allows its first tokens. So a hold whose
    job was lost, with a restored ledger for example, opens no second job.
    """
    is_kept_longer = hold.lease_expires_s > hold.reserved_time_s + hold_s
    return (
        hold.state is ReservationState.RESERVED
        and hold.steps_bound == 1
        and not is_kept_longer
    )
