"""What a private generation asks of the ledger, and what makes two of them the same."""

import hashlib
from dataclasses import dataclass, replace

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.budget.blocks import RecordKey
from federated_router.budget.pricing import Release
from federated_router.budget.settings import AnswerScope
from federated_router.kit.names import resource_id
from federated_router.privacy.charge import token_charge_units
from federated_router.privacy.policy import PrivatePolicy
from federated_router.privacy.step import token_step
from federated_router.privacy.step_text import step_text

_BODY = b"federated-router body 1\0"
_QUESTION = b"federated-router question 1\0"


@dataclass(frozen=True, slots=True)
class PrivateTerms:
    """The terms of one private request: its policy, and a token's charge in zCDP.

    The charge is what router and node must agree on. What each account is charged in
    its own measure follows from the same policy.
    """

    policy: PrivatePolicy
    token_units: int


def terms_of(generation: pb.Generation, policy: PrivatePolicy) -> PrivateTerms:
    """Return the terms of a request; `tokens_max` may only lower the policy's."""
    asked = generation.sampling
    tokens_max = policy.tokens_max
    if asked.HasField("tokens_max"):
        tokens_max = min(asked.tokens_max, tokens_max)
    terms = replace(policy, tokens_max=tokens_max)
    return PrivateTerms(terms, token_charge_units(terms))


def release_of(generation: pb.Generation, terms: PrivateTerms, *, user: str) -> Release:
    """Return what the ledger needs to know of the request."""
    context = generation.private_context
    by_id = context.selection == pb.SELECTION_BY_ID
    return Release(
        dataset=resource_id(context.dataset, "datasets"),
        step=token_step(terms.policy),
        user=user,
        records=tuple(RecordKey(one.id, one.batch) for one in context.records)
        if by_id
        else None,
        policy=terms.policy.name,
    )


def body_digest(generation: pb.Generation, *, user: str) -> bytes:
    """Return SHA-256 of the request and its user, without the request id."""
    body = pb.Generation.FromString(generation.SerializeToString())
    body.request_id = ""
    content = body.SerializeToString(deterministic=True)
    return hashlib.sha256(_BODY + _framed(user.encode()) + content).digest()


def cache_key(
    generation: pb.Generation, terms: PrivateTerms, *, user: str, scope: AnswerScope
) -> bytes | None:
    """Return a digest of the public question; None where it may not be cached.

    It holds the model asked for, the messages, what the policy's name means now, the
    data set and its public version, and the ids of records that were chosen by id. It
    holds no record's text, and nothing of records that were chosen by content: a hit
    would tell that they have not changed.
    """
    context = generation.private_context
    if not context.dataset_version:
        return None
    question = _public_part(generation, terms)
    whom = user if scope is AnswerScope.USER else ""
    parts = (scope.value, whom, step_text(token_step(terms.policy)), _shape(terms))
    told = b"".join(_framed(part.encode()) for part in parts)
    content = question.SerializeToString(deterministic=True)
    return hashlib.sha256(_QUESTION + told + content).digest()


def _public_part(generation: pb.Generation, terms: PrivateTerms) -> pb.Generation:
    context = generation.private_context
    public = pb.Generation(
        model=generation.model,
        messages=generation.messages,
        sampling=generation.sampling,
        private_context=pb.PrivateContext(
            dataset=context.dataset,
            policy=context.policy,
            selection=context.selection,
            dataset_version=context.dataset_version,
        ),
    )
    public.sampling.tokens_max = terms.policy.tokens_max
    if context.selection == pb.SELECTION_BY_ID:
        for one in context.records:
            public.private_context.records.add(id=one.id, batch=one.batch)
    return public


def _shape(terms: PrivateTerms) -> str:
    policy = terms.policy
    return f"{policy.top_k},{policy.row_tokens_max}"


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part
