"""The engine whose model another server runs, behind the OpenAI API.

Decides how many requests the server gets at once and which wait here, and ends a
request's connection the moment nobody reads its answer. Refuses to know gRPC, budgets
and records. One task reads each answer; what a slow reader has not taken is merged.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import httpx2

from federated_router.kit.errors import (
    ContinuationNotOffered,
    FederationError,
    Internal,
)
from federated_router.kit.log import get_logger
from node.engine.admission import Admission, JobKind, deadline_passed
from node.engine.engine import (
    DEFAULT_TERMS,
    ChatMessage,
    Continuation,
    EngineLoad,
    Sampling,
    Terms,
)
from node.engine.facts import EngineFacts, ModelPart
from node.engine.limits import EngineLimits
from node.engine.piece_stream import Deliver, PieceStream, open_stream
from node.engine.pieces import FinishReason, Piece
from node.model_settings import UpstreamSettings
from node.openai.answer import AnswerReader, Counts, pieces_of
from node.openai.client import UpstreamClient
from node.openai.refusals import failure_of
from node.openai.request import Body, body_of, check_request

log = get_logger("upstream")
LINGER_S: Final = 1.0
"""How long a complete answer's connection may take to end, to be used again."""
_CANCELLED: Final = Piece("", (), FinishReason.CANCELLED)


@dataclass(eq=False, slots=True)
class _Job:
    """A request in line or running."""

    body: Body
    sampling: Sampling
    counts: Counts
    deliver: Deliver
    kind: JobKind = JobKind.PUBLIC
    task: "asyncio.Task[None] | None" = None
    expiry: asyncio.TimerHandle | None = None


class UpstreamAnswer:
    """The `ChatAnswer` of a server: it counts, this node passes on."""

    def __init__(self, stream: PieceStream, counts: Counts) -> None:
        self._stream = stream
        self._counts = counts

    def __aiter__(self) -> "UpstreamAnswer":
        return self

    async def __anext__(self) -> Piece:
        return await anext(self._stream)

    async def aclose(self) -> None:
        """Close the connection if the answer is not complete; idempotent."""
        await self._stream.aclose()

    @property
    def prompt_tokens(self) -> int:
        """Return how many tokens the server counted in the prompt."""
        return self._counts.prompt_tokens

    @property
    def prompt_tokens_cached(self) -> int:
        """Return how many of them the server had kept, if it tells."""
        return self._counts.prompt_tokens_cached

    @property
    def completion_tokens(self) -> int:
        """Return how many tokens the server generated."""
        return self._counts.completion_tokens


class UpstreamEngine:
    """A `ChatEngine`; make it, `start` it, `stop` it, all on one event loop.

    `transport` replaces the network in tests.
    """

    def __init__(
        self,
        settings: UpstreamSettings,
        limits: EngineLimits,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._client = UpstreamClient(
            settings, connections=limits.slots, transport=transport
        )
        self._admission: Admission[_Job] = Admission(limits)
        self._running: set[_Job] = set()

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens, as it is configured."""
        return self._settings.context_tokens_max

    async def start(self) -> None:
        """Read the files that the settings name; the server may still be away.

        Raises:
            ValueError: one of the files is not what it should be.
        """
        await self._client.open()
        self._admission.open()

    async def probe(self) -> None:
        """Return if the server answers this node; raises FederationError if not."""
        await self._client.probe()

    async def stop(self) -> None:
        """End every answer as CANCELLED and close every connection; idempotent."""
        for job in self._admission.close():
            _forget_expiry(job)
            job.deliver(_CANCELLED)
        tasks = [job.task for job in self._running if job.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.close()

    async def begin(
        self,
        messages: Sequence[ChatMessage],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        continuation: Continuation | None = None,
    ) -> UpstreamAnswer:
        """Put the request in line; what the server refuses comes with the answer.

        Raises:
            ContinuationNotOffered: the API has no way to say that an answer goes on.
        """
        if continuation is not None:
            raise ContinuationNotOffered(
                "Another server runs this model, and goes on with no answer of others; "
                "ask another node, or begin anew."
            )
        check_request(messages, sampling, self._settings)
        counts = Counts()
        body = body_of(messages, sampling, self._settings)
        job, stream = open_stream(partial(_Job, body, sampling, counts), self._cancel)
        self._admission.join(job, terms)
        if terms.deadline_s is not None:
            job.expiry = asyncio.get_running_loop().call_later(
                max(0.0, terms.deadline_s - time.monotonic()), self._expire, job
            )
        self._start_next()
        return UpstreamAnswer(stream, counts)

    def load(self) -> EngineLoad:
        """Return running and waiting requests."""
        return replace(self._admission.load(), slots=self._limits.slots)

    def facts(self) -> EngineFacts:
        """Return where the model is, as the one part of it."""
        url = self._settings.base_url
        part = ModelPart(self._settings.model, f"{url.host}:{url.port}", 0)
        return EngineFacts(parts=(part,))

    def _start_next(self) -> None:
        while (job := self._admission.take(JobKind.PUBLIC)) is not None:
            _forget_expiry(job)
            self._running.add(job)
            job.task = asyncio.create_task(self._run(job), name="upstream answer")
            # Not at `_run`'s end: a task that is cancelled before it began has none.
            job.task.add_done_callback(partial(self._ended, job))

    def _ended(self, job: _Job, _: "asyncio.Task[None]") -> None:
        self._running.discard(job)
        self._admission.leave(JobKind.PUBLIC)
        job.deliver(_CANCELLED)
        self._start_next()

    async def _run(self, job: _Job) -> None:
        """Read one answer; deliver how it ended, unless it was cancelled."""
        try:
            await self._read(job)
        except FederationError as error:
            log.warning("upstream failed", reason=error.reason, **error.metadata)
            job.deliver(error)
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            log.warning("upstream failed", cause=type(error).__name__)
            job.deliver(failure_of(error))
        except Exception as error:
            log.exception("upstream failed", exc_info=error)
            job.deliver(Internal("The answer could not be read."))

    async def _read(self, job: _Job) -> None:
        reader = AnswerReader(job.sampling, job.counts)
        async with self._client.completing(job.body) as response:
            pieces = pieces_of(response, reader, self._settings)
            async with contextlib.aclosing(pieces):
                async for piece in pieces:
                    job.deliver(piece)
                    if piece.finish is not None:
                        await _linger(pieces)
                        return

    def _cancel(self, job: _Job) -> None:
        """End a request that nobody reads any more."""
        _forget_expiry(job)
        if not self._admission.withdraw(job) and job.task is not None:
            job.task.cancel()

    def _expire(self, job: _Job) -> None:
        if self._admission.withdraw(job):
            job.deliver(deadline_passed())


def _forget_expiry(job: _Job) -> None:
    if job.expiry is not None:
        job.expiry.cancel()


async def _linger(pieces: AsyncIterator[Piece]) -> None:
    """Read to the end of a complete answer's stream, if that comes soon."""
    with contextlib.suppress(TimeoutError, httpx2.HTTPError, FederationError):
        async with asyncio.timeout(LINGER_S):
            async for _ in pieces:
                continue
