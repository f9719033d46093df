"""The engine that runs a Hugging Face model in this process.

Decides how callers on the event loop meet the one thread that owns the model; refuses
to know gRPC, budgets and records. The loop is never blocked by a step: jobs go over by
the admission line, pieces come back by `call_soon_threadsafe`, once per turn.
"""

import asyncio
import copy
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from federated_router.kit.errors import Draining
from node.engine.admission import Admission
from node.engine.answer import Answer
from node.engine.batcher import Batcher
from node.engine.device_map import LoadedModel, ModelSource, load, vocabulary_size_of
from node.engine.engine import (
    DEFAULT_TERMS,
    ChatMessage,
    EngineLoad,
    Pieces,
    Sampling,
    Stepper,
    Terms,
)
from node.engine.generation_limits import context_of, end_ids_of
from node.engine.jobs import ENDED, EngineJob, PrivateJob, PublicJob
from node.engine.limits import EngineLimits, check_prompt, check_sampling, check_stop
from node.engine.memory import free_bytes, planned_memory
from node.engine.model_thread import ModelThread
from node.engine.piece_stream import Deliver, Outcome, open_stream
from node.engine.prompt import rendered_prompt
from node.engine.rows import Row
from node.engine.warm_up import warm_up

_JOIN_S = 60.0
_DECODED_MAX = 8192


@dataclass(frozen=True, slots=True)
class TransformersSettings:
    """What an operator decides about the engine.

    `context_tokens_max` lowers the model's own context, and with it the memory of the
    slots; `prefill_tokens_max` bounds a pass over prompts; `threads` is torch's;
    `prefix_cache_bytes` bounds what is kept of public prompts, 0 keeps nothing.
    """

    source: ModelSource
    limits: EngineLimits
    context_tokens_max: int | None = None
    prefill_tokens_max: int = 1024
    threads: int | None = None
    prefix_cache_bytes: int = 0


class TransformersEngine:
    """An `Engine`; make it, `start` it, `stop` it, all on one event loop."""

    def __init__(self, settings: TransformersSettings) -> None:
        self._settings = settings
        self._admission: Admission[EngineJob] = Admission(settings.limits)
        self._loaded: LoadedModel | None = None
        self._batcher: Batcher | None = None
        self._cache_bytes = 0
        self._decoder: PreTrainedTokenizerBase | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._decode_one = lru_cache(_DECODED_MAX)(
            lambda token_id: self._decode_all([token_id])
        )

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
        return self._started().model

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Return the tokenizer, for use on the event loop."""
        return self._started().tokenizer

    @property
    def layout(self) -> Mapping[str, str]:
        """Return the device of each part of the model; one part "" is all of it."""
        return self._started().layout

    @property
    def end_ids(self) -> frozenset[int]:
        """Return the tokens that end an answer."""
        return end_ids_of(self._started())

    @property
    def context_tokens_max(self) -> int:
        """Return the longest prompt plus answer, in tokens."""
        return context_of(self._started().model, self._settings.context_tokens_max)

    def load(self) -> EngineLoad:
        """Return running and waiting requests, without waiting for a step."""
        return self._admission.load()

    @property
    def cache_bytes(self) -> int:
        """Return the memory of the slots, which is taken at start and stays."""
        return self._cache_bytes

    @property
    def prefix_cache_bytes(self) -> int:
        """Return how much is kept of public prompts now."""
        return 0 if self._batcher is None else self._batcher.kept.size_bytes

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

    def generate(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        terms: Terms = DEFAULT_TERMS,
    ) -> Pieces:
        """Stream one answer of the batch; refusals come at the call."""
        check_sampling(sampling)
        check_prompt(
            prompt_ids,
            sampling,
            context_tokens_max=self.context_tokens_max,
            vocabulary_size=vocabulary_size_of(self.model),
        )
        answer = self._answer(sampling.stop)
        make_job = partial(PublicJob, tuple(prompt_ids), sampling, terms.tenant, answer)
        return self._join(make_job, terms)

    def run_stepper(
        self, make: Callable[[], Stepper], *, stop: tuple[str, ...] = ()
    ) -> Pieces:
        """Stream a private job's tokens; `make` runs in the model thread."""
        check_stop(stop)
        return self._join(partial(PrivateJob, make, self._answer(stop)), DEFAULT_TERMS)

    def _join(self, make_job: Callable[[Deliver], EngineJob], terms: Terms) -> Pieces:
        job, stream = open_stream(make_job, self._cancel)
        self._admission.join(job, terms)
        return stream

    def _cancel(self, job: EngineJob) -> None:
        if not self._admission.withdraw(job):
            job.cancelled = True

    def _answer(self, stop: Sequence[str]) -> Answer:
        return Answer(self._decode, stop=stop, end_ids=self.end_ids)

    def _decode(self, token_ids: Sequence[int]) -> str:
        # Each token is decoded once alone, as context of the next: mostly known ones.
        if len(token_ids) == 1:
            return self._decode_one(token_ids[0])
        return self._decode_all(token_ids)

    def _decode_all(self, token_ids: Sequence[int]) -> str:
        if self._decoder is None:
            raise Draining("The engine is not started.")
        text = self._decoder.decode(
            list(token_ids),
            skip_special_tokens=True,
            clean_up_tokenization_spaces=False,
        )
        return str(text)

    def _started(self) -> LoadedModel:
        if self._loaded is None:
            raise Draining("The engine is not started; ask another node.")
        return self._loaded

    def _run(self, ready: "asyncio.Future[None]") -> None:
        """Be the model thread: load, announce, step until closed."""
        try:
            batcher = self._load()
        except Exception as failure:  # noqa: BLE001 - raised again by `start`.
            self._on_loop(partial(_settle, ready, failure))
            return
        # A stop during the load must not be undone by its end.
        if not self._stopping:
            self._admission.open()
        self._on_loop(partial(_settle, ready, None))
        with torch.inference_mode():
            ModelThread[Row](self._admission, self._post).run(batcher)

    def _load(self) -> Batcher:
        if self._settings.threads is not None:
            # Only the thread that calls this is set: OpenMP counts per thread.
            torch.set_num_threads(self._settings.threads)
        loaded = load(self._settings.source)
        batcher = self._fitting_batcher(loaded.model)
        context_tokens = context_of(loaded.model, self._settings.context_tokens_max)
        warm_up(loaded.model, batcher, context_tokens=context_tokens)
        self._batcher = batcher
        self._loaded = loaded
        # A fast tokenizer must not be used by two threads at once: one copy each.
        self._decoder = copy.deepcopy(loaded.tokenizer)
        return batcher

    def _fitting_batcher(self, model: PreTrainedModel) -> Batcher:
        """Return the slots, once their memory is known to be there.

        Raises:
            ValueError: it is not, or the model cannot run in slots.
        """
        settings = self._settings
        context_tokens = context_of(model, settings.context_tokens_max)
        plan = planned_memory(
            model,
            slots=settings.limits.slots,
            context_tokens=context_tokens,
            prefix_cache_bytes=settings.prefix_cache_bytes,
        )
        plan.require(limits=settings.source.memory_max, free_bytes=free_bytes)
        self._cache_bytes = plan.cache_bytes
        return Batcher(
            model,
            slots=settings.limits.slots,
            context_tokens=context_tokens,
            prefill_tokens_max=settings.prefill_tokens_max,
            prefix_cache_bytes=settings.prefix_cache_bytes,
        )

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
