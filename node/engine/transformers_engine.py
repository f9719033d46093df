"""The engine that runs a Hugging Face model in this process.

Decides how callers on the event loop meet the one thread that owns the model; refuses
to know gRPC, budgets and records. The loop is never blocked by a step: jobs go over by
the admission line, pieces come back by `call_soon_threadsafe`, once per turn.
"""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from federated_router.kit.errors import Draining
from node.engine.admission import Admission
from node.engine.answer import Answer
from node.engine.begun import fresh, gone_through
from node.engine.engine import (
    DEFAULT_TERMS,
    Begun,
    ChatMessage,
    Continuation,
    EngineLoad,
    Sampling,
    Stepper,
    Terms,
)
from node.engine.jobs import ENDED, EngineJob, PrivateJob, PublicJob
from node.engine.limits import check_prompt, check_sampling, check_stop
from node.engine.model_thread import ModelThread
from node.engine.piece_stream import Deliver, Outcome, complete_stream, open_stream
from node.engine.pieces import Pieces
from node.engine.prompt import rendered_prompt
from node.engine.ready_model import ReadyModel, TransformersSettings, ready_model
from node.engine.rows import Row

_JOIN_S = 60.0


class TransformersEngine:
    """An `Engine`; make it, `start` it, `stop` it, all on one event loop."""

    def __init__(self, settings: TransformersSettings) -> None:
        self._settings = settings
        self._admission: Admission[EngineJob] = Admission(settings.limits)
        self._ready: ReadyModel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False

    async def start(self) -> None:
        """Load the model, prove that it runs in slots, begin stepping.

        Raises:
            ValueError: the directory holds no model that this engine can run.
        """
        self._loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="model", daemon=True
        )
        self._thread.start()
        await ready

    async def stop(self) -> None:
        """End every generation as CANCELLED and join the model thread; idempotent."""
        self._stopping = True
        for job in self._admission.close():
            job.deliver(ENDED)
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join, _JOIN_S)

    @property
    def model(self) -> PreTrainedModel:
        """Return the model, for steppers that run in the model thread."""
        return self._started().loaded.model

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Return the tokenizer, for use on the event loop."""
        return self._started().loaded.tokenizer

    @property
    def layout(self) -> Mapping[str, str]:
        """Return the device of each part of the model; one part "" is all of it."""
        return self._started().loaded.layout

    @property
    def end_ids(self) -> frozenset[int]:
        """Return the tokens that end an answer."""
        return frozenset(self._started().reading.end_ids)

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        return self._started().context_tokens_max

    def load(self) -> EngineLoad:
        """Return running and waiting requests, without waiting for a step."""
        return self._admission.load()

    @property
    def cache_bytes(self) -> int:
        """Return the memory of the slots, which is taken at start and stays."""
        return 0 if self._ready is None else self._ready.cache_bytes

    @property
    def prefix_cache_bytes(self) -> int:
        """Return how much is kept of public prompts now."""
        return 0 if self._ready is None else self._ready.batcher.kept.size_bytes

    @property
    def prefix_cache_bytes_max(self) -> int:
        """Return how much may be kept of public prompts."""
        return self._settings.prefix_cache_bytes

    def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return the chat template's token ids, ready for an assistant's answer.

        Raises:
            FieldInvalid: a role is unknown or the template refuses the turns.
        """
        return rendered_prompt(self.tokenizer, messages)

    def go_through(self, continuation: Continuation, sampling: Sampling) -> Begun:
        """Return an answer that was begun elsewhere, for `generate` to go on with."""
        return gone_through(continuation, sampling, self._started().reading)

    def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
        begun: Begun | None = None,
    ) -> Pieces:
        """Stream one answer of the batch; refusals come at the call."""
        reading = self._started().reading
        check_sampling(sampling)
        check_prompt(
            prompt_ids,
            sampling,
            context_tokens_max=self.context_tokens_max,
            vocabulary_size=reading.vocabulary_size,
        )
        begun = begun or fresh(sampling, reading)
        if begun.last is not None:
            return complete_stream(begun.last)
        make_job = partial(
            PublicJob,
            tuple(prompt_ids),
            sampling,
            terms.tenant,
            begun.answer,
            drawn_ids=begun.token_ids,
        )
        return self._join(make_job, terms)

    def run_stepper(
        self,
        make: Callable[[], Stepper],
        *,
        stop: tuple[str, ...] = (),
        terms: Terms = DEFAULT_TERMS,
    ) -> Pieces:
        """Stream a private job's tokens; `make` runs in the model thread."""
        check_stop(stop)
        reading = self._started().reading
        answer = Answer(reading.decode_on, stop=stop, end_ids=reading.end_ids)
        return self._join(partial(PrivateJob, make, answer), terms)

    def _join(self, make_job: Callable[[Deliver], EngineJob], terms: Terms) -> Pieces:
        job, stream = open_stream(make_job, self._cancel)
        self._admission.join(job, terms)
        return stream

    def _cancel(self, job: EngineJob) -> None:
        if not self._admission.withdraw(job):
            job.cancelled = True

    def _started(self) -> ReadyModel:
        if self._ready is None:
            raise Draining("The engine is not started; ask another node.")
        return self._ready

    def _run(self, ready: "asyncio.Future[None]") -> None:
        """Be the model thread: load, announce, step until closed."""
        try:
            self._ready = ready_model(self._settings)
        except Exception as failure:  # noqa: BLE001 - raised again by `start`.
            self._on_loop(partial(_settle, ready, failure))
            return
        # A stop during the load must not be undone by its end.
        if not self._stopping:
            self._admission.open()
        self._on_loop(partial(_settle, ready, None))
        with torch.inference_mode():
            ModelThread[Row](self._admission, self._post).run(self._ready.batcher)

    def _post(self, outbox: list[tuple[Deliver, Outcome]]) -> None:
        self._on_loop(partial(_deliver_all, outbox))

    def _on_loop(self, call: Callable[[], None]) -> None:
        # A loop that is closed has no readers left.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)


def _settle(ready: "asyncio.Future[None]", failure: Exception | None) -> None:
    if ready.done():
        return
    if failure is None:
        ready.set_result(None)
    else:
        ready.set_exception(failure)


def _deliver_all(outbox: list[tuple[Deliver, Outcome]]) -> None:
    for deliver, outcome in outbox:
        deliver(outcome)
