"""What a job's request means: the generation of a batch, its terms, its digest.

Decides what makes two jobs the same, and that a policy which changed meanwhile is
another job. Refuses to know what is stored and held.
"""

import hashlib
from collections.abc import Sequence

from federated_router.api.v1 import inference_pb2
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.budget.blocks import RecordKey
from federated_router.budget.pricing import Release
from federated_router.kit.names import resource_id
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.step import token_step
from federated_router.privacy.step_text import step_text
from federated_router.proxy.private_price import PrivateTerms, terms_of
from federated_router.synthesis.job import Job, JobKey

_BODY = b"federated-router synthesis 1\0"
_RECORD = b"federated-router synthesis record 1\0"


def generation_of(
    request: pb.CreateSynthesisRequest, records: Sequence[inference_pb2.Record]
) -> inference_pb2.Generation:
    """Return what one batch asks of a node."""
    generation = inference_pb2.Generation(
        request_id=request.request_id,
        model=request.model,
        messages=request.messages,
        private_context=inference_pb2.PrivateContext(
            dataset=request.dataset,
            policy=request.policy,
            selection=inference_pb2.SELECTION_BY_ID,
            records=records,
        ),
    )
    if request.tokens_max:
        generation.sampling.tokens_max = request.tokens_max
    return generation


def terms_text(terms: PrivateTerms) -> str:
    """Return everything that a policy's name meant when the job was opened."""
    policy = terms.policy
    shape = f"{policy.top_k},{policy.row_tokens_max},{policy.tokens_max}"
    return f"{step_text(token_step(policy))} {shape}"


def release_of_job(
    request: pb.CreateSynthesisRequest,
    terms: PrivateTerms,
    *,
    user: str,
    records: Sequence[inference_pb2.Record] = (),
) -> Release:
    """Return what the ledger needs to know of a token of the job."""
    return Release(
        dataset=resource_id(request.dataset, "datasets"),
        step=token_step(terms.policy),
        user=user,
        records=tuple(RecordKey(one.id, one.batch) for one in records),
        policy=terms.policy.name,
    )


def job_of_request(
    request: pb.CreateSynthesisRequest,
    policy: PrivatePolicy,
    *,
    user: str,
    now_s: float,
) -> Job:
    """Return the job that a request opens."""
    terms = terms_of(generation_of(request, ()), policy)
    return Job(
        key=JobKey(f"{user}.{request.request_id}"),
        user=user,
        body_digest=body_digest(request, user=user),
        request=request.SerializeToString(),
        terms=terms_text(terms),
        records_count=request.records_count,
        slots=policy.slots,
        tokens_max=terms.policy.tokens_max,
        created_time_s=now_s,
    )


def request_of(job: Job) -> pb.CreateSynthesisRequest:
    """Return the request that opened the job."""
    return pb.CreateSynthesisRequest.FromString(job.request)


def body_digest(request: pb.CreateSynthesisRequest, *, user: str) -> bytes:
    """Return SHA-256 of the request and its user, without the request id."""
    body = pb.CreateSynthesisRequest.FromString(request.SerializeToString())
    body.ClearField("request_id")
    body.ClearField("validate_only")
    content = body.SerializeToString(deterministic=True)
    return hashlib.sha256(_BODY + _framed(user.encode()) + content).digest()


def record_digest(job: Job, record: inference_pb2.Record) -> bytes:
    """Return SHA-256 of a record's id within its job, 32 bytes; never of its text."""
    parts = _framed(job.key.encode()) + _framed(record.id.encode())
    return hashlib.sha256(_RECORD + parts).digest()


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part
