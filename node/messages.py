"""Between the messages of InferenceService and the values of the engine.

Decides which field becomes which value, and refuses what no engine here serves; refuses
to know engines, statistics and calls.
"""

import time

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.federation.user_clipping import METADATA_KEY, UserKey
from federated_router.kit.errors import (
    ChargeMismatch,
    FieldInvalid,
    FieldRequired,
    LimitReached,
)
from federated_router.kit.sampling_checks import (
    check_priority,
    check_private_sampling,
    check_sampling,
)
from federated_router.privacy.charge import require_token_charge
from federated_router.privacy.policy import (
    RETRIEVED_BY_CONTENT,
    SELECTED_BY_ID,
    PrivatePolicy,
    decimal_of,
)
from node.config import SamplingDefaults
from node.engine.engine import ChatMessage, Continuation, Priority, Sampling, Terms
from node.engine.pieces import FinishReason, Piece, TokenLogprob
from node.statistics.endings import TokenCounts

_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
}
_MULTIPLIERS = {
    pb.SELECTION_BY_ID: SELECTED_BY_ID,
    pb.SELECTION_RETRIEVED: RETRIEVED_BY_CONTENT,
}
_PRIORITIES = {
    pb.PRIORITY_LOW: Priority.LOW,
    pb.PRIORITY_NORMAL: Priority.NORMAL,
    pb.PRIORITY_HIGH: Priority.HIGH,
}
_REASONS = {
    FinishReason.END: pb.FINISH_REASON_END,
    FinishReason.STOP: pb.FINISH_REASON_STOP,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
}


def user_of(context: grpc.aio.ServicerContext) -> UserKey | None:
    """Return whom the calling router asks for, by its own pseudonym."""
    named = dict(context.invocation_metadata() or ()).get(METADATA_KEY)
    return UserKey.from_metadata(named if isinstance(named, str) else None)


def messages_of(generation: pb.Generation) -> list[ChatMessage]:
    """Return the conversation; a role that the contract does not know is empty."""
    return [
        ChatMessage(role=_ROLES.get(message.role, ""), content=message.content)
        for message in generation.messages
    ]


def sampling_of(asked: pb.Sampling, defaults: SamplingDefaults) -> Sampling:
    """Return how a public answer is drawn; raise FieldInvalid outside the bounds."""
    check_sampling(asked)

    def value(field: str) -> float:
        source = asked if asked.HasField(field) else defaults
        return float(getattr(source, field))

    penalised = asked.HasField("repetition_penalty")
    return Sampling(
        tokens_max=int(value("tokens_max")),
        temperature=value("temperature"),
        top_k=int(value("top_k")),
        top_p=value("top_p"),
        seed=asked.seed if asked.HasField("seed") else None,
        stop=tuple(asked.stop),
        repetition_penalty=asked.repetition_penalty if penalised else 1.0,
        logprobs=asked.logprobs if asked.HasField("logprobs") else None,
    )


def continuation_of(generation: pb.Generation) -> Continuation | None:
    """Return what the caller has of a public answer; None where it begins here.

    Raises:
        FieldRequired: no tokens were told.
        FieldInvalid: the request is private, or fewer than no bytes were delivered.
    """
    if not generation.HasField("continuation"):
        return None
    told, path = generation.continuation, "generation.continuation"
    if generation.HasField("private_context"):
        raise FieldInvalid(
            "A private answer ends with its node: more noise is another release.",
            field=path,
        )
    if not told.token_ids:
        raise FieldRequired("Send the tokens so far.", field=f"{path}.token_ids")
    if told.text_bytes < 0:
        raise FieldInvalid("Send 0 or more.", field=f"{path}.text_bytes")
    return Continuation(tuple(told.token_ids), told.text_bytes)


def terms_of(
    generation: pb.Generation, *, user: UserKey | None, allowed_s: float | None
) -> Terms:
    """Return on which terms a request waits; a public one also uses prefixes by them.

    `allowed_s` is what is left of the call's time; None is no limit. A user that the
    router did not name has no tenant, so nothing is kept for it.
    """
    check_priority(generation)
    return Terms(
        priority=_PRIORITIES.get(generation.priority, Priority.NORMAL),
        tenant="" if user is None else user.metadata,
        deadline_s=None if allowed_s is None else time.monotonic() + allowed_s,
    )


def granted_policy(generation: pb.Generation) -> PrivatePolicy:
    """Return the granted terms.

    Raises:
        FieldRequired: there is no grant.
        NotPrivatelyServable: the request sets what the grant fixes.
        ChargeMismatch: the charge does not follow from the terms, or its multiplier
            not from how the records were chosen.
    """
    context, path = generation.private_context, "generation.private_context"
    if not context.HasField("grant"):
        raise FieldRequired(
            "A node decodes privately only on a router's grant.", field=f"{path}.grant"
        )
    check_private_sampling(generation.sampling)
    terms = context.grant.parameters
    policy = PrivatePolicy(
        name=context.policy,
        slots=terms.slots,
        clip=decimal_of(terms.clip, field=f"{path}.grant.parameters.clip"),
        temperature=decimal_of(
            terms.temperature, field=f"{path}.grant.parameters.temperature"
        ),
        top_k=terms.top_k,
        tokens_max=terms.tokens_max,
        row_tokens_max=terms.row_tokens_max,
        multiplier=terms.multiplier,
        records_per_subject=terms.records_per_subject,
    )
    if terms.multiplier != _MULTIPLIERS.get(context.selection):
        raise ChargeMismatch(
            "The multiplier does not follow from how the records were chosen.",
            field=f"{path}.grant.parameters.multiplier",
        )
    require_token_charge(policy, claimed_units=context.grant.token_charge_units)
    return policy


def chunk_of(piece: Piece) -> pb.GenerateResponse:
    """Return newly generated text as an event."""
    return pb.GenerateResponse(
        chunk=pb.Chunk(
            text=piece.text,
            token_ids=piece.token_ids,
            logprobs=map(_logprob_of, piece.logprobs),
        )
    )


def finished_of(last: Piece | None, counts: TokenCounts) -> pb.GenerateResponse:
    """Return an answer's last event.

    Raises:
        LimitReached: the engine was stopped before the answer was complete.
    """
    finish = last.finish if last is not None else None
    if finish not in _REASONS:
        raise LimitReached("The engine was stopped.", retry_after_s=1.0)
    return pb.GenerateResponse(
        finished=pb.Finished(
            reason=_REASONS[finish],
            prompt_tokens=counts.prompt,
            completion_tokens=counts.output,
            prompt_tokens_cached=counts.cached,
        )
    )


def _logprob_of(drawn: TokenLogprob) -> pb.TokenLogprob:
    return pb.TokenLogprob(
        token_id=drawn.token_id,
        logprob=drawn.logprob,
        alternatives=[
            pb.TokenLogprob.Alternative(token_id=token_id, logprob=logprob)
            for token_id, logprob in drawn.alternatives
        ],
    )
