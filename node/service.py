"""InferenceService at the node: between the contract and the engines."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import ClassVar

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.federation.records import FailureCause
from federated_router.federation.user_clipping import METADATA_KEY, UserKey
from federated_router.kit.errors import (
    FederationError,
    FieldRequired,
    LimitReached,
    ModelUnknown,
    NotPrivatelyServable,
)
from federated_router.kit.identity import Role
from federated_router.kit.pages import page_of
from federated_router.privacy.charge import require_token_charge
from federated_router.privacy.policy import PrivatePolicy, decimal_of
from node.config import SamplingDefaults
from node.engine.engine import ChatMessage, FinishReason, Piece, Sampling
from node.private_answer import begin_private_answer
from node.served_model import ServedModel
from node.statistics.recorder import RequestRecorder, RequestTiming
from node.stream import coalesced

DEADLINE_SLACK_S = 0.05
DEADLINE_SLACK_SHARE = 0.02
_ROUTER = frozenset({Role.ROUTER})
_ROLES = {
    pb.ROLE_SYSTEM: "system",
    pb.ROLE_USER: "user",
    pb.ROLE_ASSISTANT: "assistant",
}
_REASONS = {
    FinishReason.END: pb.FINISH_REASON_END,
    FinishReason.STOP: pb.FINISH_REASON_STOP,
    FinishReason.LENGTH: pb.FINISH_REASON_LENGTH,
}


class InferenceServicer(pb_grpc.InferenceServiceServicer):
    """Serves routers."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
        "Generate": _ROUTER,
        "Complete": _ROUTER,
        "ListModels": _ROUTER,
    }
    UNTIMED: ClassVar[frozenset[str]] = frozenset({"Complete"})
    DRAINABLE: ClassVar[frozenset[str]] = frozenset({"Generate", "Complete"})

    def __init__(
        self,
        *,
        node: str,
        models: Mapping[str, ServedModel],
        recorder: RequestRecorder,
        defaults: SamplingDefaults,
        stream_window_s: float,
        request_timeout_max_s: float,
    ) -> None:
        self._node = node
        self._models = models
        self._recorder = recorder
        self._defaults = defaults
        self._stream_window_s = stream_window_s
        self._request_timeout_max_s = request_timeout_max_s

    async def Generate(
        self, request: pb.GenerateRequest, context: grpc.aio.ServicerContext
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream one answer."""
        async with aclosing(
            self._answer(request.generation, context, self._stream_window_s)
        ) as responses:
            async for response in responses:
                yield response

    async def Complete(
        self, request: pb.CompleteRequest, context: grpc.aio.ServicerContext
    ) -> pb.CompleteResponse:
        """Return one whole answer."""
        whole = pb.CompleteResponse()
        texts: list[str] = []
        async with aclosing(self._answer(request.generation, context, 0)) as responses:
            async for response in responses:
                match response.WhichOneof("event"):
                    case "started":
                        whole.started.CopyFrom(response.started)
                    case "chunk":
                        texts.append(response.chunk.text)
                    case _:
                        whole.finished.CopyFrom(response.finished)
        whole.text = "".join(texts)
        return whole

    async def ListModels(
        self, request: pb.ListModelsRequest, _: grpc.aio.ServicerContext
    ) -> pb.ListModelsResponse:
        """Return a page of the models served here."""
        page, token = page_of(
            sorted(self._models.values(), key=lambda served: served.name),
            lambda served: served.name,
            size=request.page_size,
            token=request.page_token,
        )
        models = [
            pb.Model(
                name=served.name,
                context_tokens_max=served.engine.context_tokens_max,
                private_support=private_support(served),
                nodes=[self._node],
            )
            for served in page
        ]
        return pb.ListModelsResponse(models=models, next_page_token=token)

    async def _answer(
        self,
        generation: pb.Generation,
        context: grpc.aio.ServicerContext,
        window_s: float,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Stream and count one answer, whichever way it ends."""
        served = self._served(generation.model)
        private = generation.HasField("private_context")
        timing = self._recorder.begin(served.name, user=_user(context), private=private)
        allowed_s = context.time_remaining()
        try:
            async with asyncio.timeout(self._request_timeout_max_s):
                events = (
                    self._private(served, generation, timing, window_s)
                    if private
                    else self._public(served, generation, timing, window_s)
                )
                async with aclosing(events) as responses:
                    async for response in responses:
                        yield response
        except (asyncio.CancelledError, GeneratorExit):
            _end_cancelled(timing, context, allowed_s)
            raise
        except FederationError as error:
            _end_failed(timing, error)
            raise
        except TimeoutError:
            timing.fail(FailureCause.DEADLINE)
            raise
        except Exception:
            timing.fail(FailureCause.ENGINE)
            raise

    async def _public(
        self,
        served: ServedModel,
        generation: pb.Generation,
        timing: RequestTiming,
        window_s: float,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        messages = _messages(generation)
        sampling = _sampling(generation.sampling, self._defaults)
        prompt_ids = await served.prompt_ids(messages)
        pieces = served.engine.generate(prompt_ids, sampling)
        yield self._started(served, "")
        last, tokens = None, 0
        async with aclosing(coalesced(pieces, window_s=window_s)) as merged:
            async for piece in merged:
                tokens += len(piece.token_ids)
                last = piece
                yield _chunk(piece)
        yield _finished(last, timing, prompt_tokens=len(prompt_ids), tokens=tokens)

    async def _private(
        self,
        served: ServedModel,
        generation: pb.Generation,
        timing: RequestTiming,
        window_s: float,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Decode privately on the granted terms; only sampled tokens leave."""
        context = generation.private_context
        policy = _granted_policy(generation)
        answer = await begin_private_answer(
            served,
            policy,
            messages=_messages(generation),
            records=[record.text.decode("utf-8") for record in context.records],
            stop=tuple(generation.sampling.stop),
        )
        yield self._started(served, context.grant.reservation)
        last: Piece | None = None
        async with aclosing(coalesced(answer.pieces, window_s=window_s)) as merged:
            async for piece in merged:
                last = piece
                yield _chunk(piece)
        yield _finished(
            last,
            timing,
            prompt_tokens=answer.public_tokens,
            tokens=answer.tokens_sampled,
        )

    def _served(self, model: str) -> ServedModel:
        served = self._models.get(model)
        if served is None:
            raise ModelUnknown(
                f"This node does not serve '{model}'.", metadata={"model": model}
            )
        return served

    def _started(self, served: ServedModel, reservation: str) -> pb.GenerateResponse:
        started = pb.Started(
            node=self._node, model=served.name, reservation=reservation
        )
        return pb.GenerateResponse(started=started)


def _user(context: grpc.aio.ServicerContext) -> UserKey | None:
    """Return whom the calling router asks for, by its own pseudonym."""
    named = dict(context.invocation_metadata() or ()).get(METADATA_KEY)
    return UserKey.from_metadata(named if isinstance(named, str) else None)


def _messages(generation: pb.Generation) -> list[ChatMessage]:
    return [
        ChatMessage(role=_ROLES.get(message.role, ""), content=message.content)
        for message in generation.messages
    ]


def _sampling(asked: pb.Sampling, defaults: SamplingDefaults) -> Sampling:
    def value(field: str) -> float:
        source = asked if asked.HasField(field) else defaults
        return float(getattr(source, field))

    return Sampling(
        tokens_max=int(value("tokens_max")),
        temperature=value("temperature"),
        top_k=int(value("top_k")),
        top_p=value("top_p"),
        seed=asked.seed if asked.HasField("seed") else None,
        stop=tuple(asked.stop),
    )


def _granted_policy(generation: pb.Generation) -> PrivatePolicy:
    """Return the granted terms; refuse a charge that does not follow from them."""
    context, path = generation.private_context, "generation.private_context"
    if not context.HasField("grant"):
        raise FieldRequired(
            "A node decodes privately only on a router's grant.", field=f"{path}.grant"
        )
    for field in ("temperature", "top_k", "top_p", "seed"):
        if generation.sampling.HasField(field):
            raise NotPrivatelyServable(
                f"The grant fixes how private tokens are drawn, not '{field}'.",
                field=f"generation.sampling.{field}",
            )
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
    require_token_charge(policy, claimed_units=context.grant.token_charge_units)
    return policy


def _chunk(piece: Piece) -> pb.GenerateResponse:
    return pb.GenerateResponse(
        chunk=pb.Chunk(text=piece.text, token_ids=piece.token_ids)
    )


def _finished(
    last: Piece | None, timing: RequestTiming, *, prompt_tokens: int, tokens: int
) -> pb.GenerateResponse:
    """Count the answer and return its last event."""
    finish = last.finish if last is not None else None
    if finish not in _REASONS:
        raise LimitReached("The engine was stopped.", retry_after_s=1.0)
    timing.answer(tokens=tokens)
    return pb.GenerateResponse(
        finished=pb.Finished(
            reason=_REASONS[finish],
            prompt_tokens=prompt_tokens,
            completion_tokens=tokens,
        )
    )


def _end_cancelled(
    timing: RequestTiming, context: grpc.aio.ServicerContext, allowed_s: float | None
) -> None:
    """Count a missed deadline as a failure, and a caller's farewell not at all.

    The caller's clock runs out first: its cancellation comes while a little is left
    here, more so because gRPC rounds a deadline up by as much as a hundredth.
    """
    remaining_s = context.time_remaining()
    if allowed_s is None or remaining_s is None:
        timing.cancel()
    elif remaining_s <= DEADLINE_SLACK_S + DEADLINE_SLACK_SHARE * allowed_s:
        timing.fail(FailureCause.DEADLINE)
    else:
        timing.cancel()


def _end_failed(timing: RequestTiming, error: FederationError) -> None:
    """Count overload and inner failures; a caller's mistake is not the node's."""
    if isinstance(error, LimitReached):
        timing.fail(FailureCause.OVERLOAD)
    elif error.reason == "INTERNAL":
        timing.fail(FailureCause.ENGINE)
    else:
        timing.cancel()


def private_support(served: ServedModel) -> pb.PrivateSupport:
    """Return whether the model proved its rows independent."""
    if served.offers_private:
        return pb.PRIVATE_SUPPORT_OFFERED
    return pb.PRIVATE_SUPPORT_REFUSED
