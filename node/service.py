"""InferenceService at the node: runs, counts and ends each answer.

Decides what every ending means for the statistics; `messages.py` translates, and
refuses what is out of bounds.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import ClassVar

import grpc

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.api.v1 import inference_pb2_grpc as pb_grpc
from federated_router.federation.records import FailureCause
from federated_router.kit.errors import FederationError, ModelUnknown
from federated_router.kit.identity import Role, current_identity
from federated_router.kit.pages import page_of
from node.answer_events import answer_events, counts_of
from node.config import SamplingDefaults
from node.engine.engine import Terms
from node.messages import (
    continuation_of,
    granted_policy,
    messages_of,
    sampling_of,
    terms_of,
    user_of,
)
from node.offers import private_support
from node.private.credit import Credit, OpenCredits
from node.private_answer import begin_private_answer
from node.served_model import ServedModel
from node.statistics.endings import TokenCounts
from node.statistics.recorder import RequestRecorder
from node.statistics.timing import RequestTiming
from node.unanswered import end_cancelled, end_failed

_ROUTER = frozenset({Role.ROUTER})


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
        open_credits: OpenCredits,
        grant_wait_s: float,
    ) -> None:
        self._node = node
        self._models = models
        self._recorder = recorder
        self._defaults = defaults
        self._stream_window_s = stream_window_s
        self._request_timeout_max_s = request_timeout_max_s
        self._open_credits = open_credits
        self._grant_wait_s = grant_wait_s

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
                        whole.logprobs.extend(response.chunk.logprobs)
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
                context_tokens_max=served.chat.context_tokens_max,
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
        user, allowed_s = user_of(context), context.time_remaining()
        timing = self._recorder.begin(served.name, user=user, private=private)
        try:
            async with asyncio.timeout(self._request_timeout_max_s):
                terms = terms_of(
                    generation, user=user, allowed_s=self._within(allowed_s)
                )
                made = self._private if private else self._public
                events = made(served, generation, terms, timing, window_s)
                async with aclosing(events) as responses:
                    async for response in responses:
                        yield response
        except (asyncio.CancelledError, GeneratorExit):
            end_cancelled(timing, context, allowed_s)
            raise
        except FederationError as error:
            end_failed(timing, error)
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
        terms: Terms,
        timing: RequestTiming,
        window_s: float,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        sampling = sampling_of(generation.sampling, self._defaults)
        told = continuation_of(generation)
        answer = await served.chat.begin(messages_of(generation), sampling, terms, told)
        async with aclosing(answer):
            yield self._started(served, "")
            events = answer_events(
                answer,
                timing,
                counts=lambda: counts_of(answer),
                window_s=window_s,
                drawn_elsewhere=len(told.token_ids) if told else 0,
            )
            async with aclosing(events):
                async for event in events:
                    yield event

    async def _private(
        self,
        served: ServedModel,
        generation: pb.Generation,
        terms: Terms,
        timing: RequestTiming,
        window_s: float,
    ) -> AsyncGenerator[pb.GenerateResponse, None]:
        """Decode privately on the granted terms; only sampled tokens leave."""
        continuation_of(generation)
        context = generation.private_context
        policy = granted_policy(generation)
        credit = Credit(
            tokens_granted=context.grant.tokens_granted,
            tokens_max=policy.tokens_max,
            wait_s=self._grant_wait_s,
        )
        router, reservation = current_identity().id, context.grant.reservation
        with self._open_credits.opened(router, reservation, credit):
            answer = await begin_private_answer(
                served.require_private(),
                policy,
                credit=credit,
                messages=messages_of(generation),
                records=[record.text.decode("utf-8") for record in context.records],
                stop=tuple(generation.sampling.stop),
                terms=terms,
            )
            timing.rows_laid_out(
                rows=policy.slots + 1, row_tokens=policy.row_tokens_max
            )
            yield self._started(served, reservation)
            events = answer_events(
                answer.pieces,
                timing,
                counts=lambda: TokenCounts(
                    prompt=answer.public_tokens, output=answer.tokens_sampled
                ),
                window_s=window_s,
            )
            async with aclosing(events):
                async for event in events:
                    yield event

    def _within(self, allowed_s: float | None) -> float:
        """Return how long a request may take: the caller's time or the node's most."""
        limit_s = self._request_timeout_max_s
        return limit_s if allowed_s is None else min(allowed_s, limit_s)

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
