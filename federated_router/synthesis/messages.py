"""Jobs and batches as messages, with what the ledger says of their hold."""

from collections.abc import Iterable
from itertools import accumulate, takewhile

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.budget.accounts import Account
from federated_router.budget.messages import time_message
from federated_router.budget.port import LedgerStore
from federated_router.budget.pricing import dataset_account
from federated_router.budget.reservation import (
    RequestId,
    Reservation,
    ReservationState,
)
from federated_router.kit.errors import NotFound
from federated_router.kit.names import resource_id
from federated_router.privacy.measure import Measure, epsilon_of
from federated_router.synthesis.job import Batch, BatchState, JobState
from federated_router.synthesis.plan import request_of
from federated_router.synthesis.reads import Told

_STATES = {
    JobState.OPENING: pb.Synthesis.STATE_OPEN,
    JobState.OPEN: pb.Synthesis.STATE_OPEN,
    JobState.FINISHING: pb.Synthesis.STATE_FINISHING,
    JobState.FINISHED: pb.Synthesis.STATE_FINISHED,
}
_BATCH_STATES = {
    BatchState.SAMPLING: pb.SynthesisBatch.STATE_SAMPLING,
    BatchState.SAMPLED: pb.SynthesisBatch.STATE_SAMPLED,
    BatchState.SPENT: pb.SynthesisBatch.STATE_SPENT,
}


async def synthesis_message(ledger: LedgerStore, told: Told) -> pb.Synthesis:
    """Return a job as its caller is told it; two reads of the ledger."""
    job, tally = told.job, told.tally
    request = request_of(job)
    message = pb.Synthesis(
        name=f"syntheses/{request.request_id}",
        state=_STATES[job.state],
        dataset=request.dataset,
        policy=request.policy,
        model=request.model,
        records_count=job.records_count,
        batch_records=job.slots,
        batches_count=job.batches_count,
        tokens_max=job.tokens_max,
        batches_sampled=tally.sampled,
        batches_spent=tally.spent,
        batches_sampling=tally.live,
        create_time=time_message(job.created_time_s),
    )
    dataset = resource_id(request.dataset, "datasets")
    account = await ledger.get_account(dataset_account(dataset))
    _tell_charge(message, told, account, await _hold_of(ledger, RequestId(job.key)))
    return message


def _tell_charge(
    message: pb.Synthesis, told: Told, account: Account, hold: Reservation | None
) -> None:
    """Fill in what the job costs, or would if it failed now."""
    message.delta = account.terms.delta
    if hold is None:
        return
    message.reservation = f"reservations/{told.job.key}"
    units = next(
        charge.units_per_step
        for charge in hold.charges
        if charge.account == account.name
    )
    message.token_charge_units = units
    message.tokens_charged = _tokens_due(told, hold)
    measure = Measure(account.terms.order)
    for field, tokens in (
        ("epsilon_charged", message.tokens_charged),
        ("epsilon_max", told.job.tokens_max),
    ):
        epsilon = epsilon_of(units * tokens, measure, delta=message.delta)
        setattr(message, field, epsilon)


def _tokens_due(told: Told, hold: Reservation) -> int:
    if told.job.tokens_charged is not None:
        return told.job.tokens_charged
    if hold.state is not ReservationState.RESERVED:
        return hold.steps_charged
    return hold.steps_bound


async def _hold_of(ledger: LedgerStore, request_id: RequestId) -> Reservation | None:
    try:
        return await ledger.get_reservation(request_id)
    except NotFound:
        return None


def batch_message(batch: Batch) -> pb.SynthesisBatch:
    """Return a batch with its text, where it has one."""
    message = pb.SynthesisBatch(
        number=batch.number, state=_BATCH_STATES[batch.state], tokens=batch.tokens
    )
    if batch.state is BatchState.SAMPLED:
        answer = inference_pb2.CompleteResponse.FromString(batch.content)
        message.text = answer.text
        message.finish_reason = answer.finished.reason
    return message


def that_fit(
    batches: Iterable[pb.SynthesisBatch], *, bytes_max: int
) -> list[pb.SynthesisBatch]:
    """Return the first batch and those after it that fit into one message."""
    found = list(batches)
    sizes = accumulate(one.ByteSize() for one in found)
    fitting = sum(1 for _ in takewhile(lambda size: size <= bytes_max, sizes))
    return found[: max(fitting, 1)]
