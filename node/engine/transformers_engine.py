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
from functools import partial

import torch
from jinja2 import TemplateError
from transformers import BatchEncoding, PreTrainedModel, PreTrainedTokenizerBase

from federated_router.kit.errors import Draining, FieldInvalid
from node.engine.admission import Admission
from node.engine.answer import Answer
from node.engine.batcher import Batcher, Row
from node.engine.device_map import LoadedModel, ModelSource, load, vocabulary_size_of
from node.engine.engine import ChatMessage, EngineLoad, Pieces, Sampling, Stepper
from node.engine.limits import (
    EngineLimits,
    check_messages,
    check_prompt,
    check_sampling,
    check_stop,
)
from node.engine.model_thread import (
    ENDED,
    EngineJob,
    ModelThread,
    PrivateJob,
    PublicJob,
)
from node.engine.piece_stream import Deliver, Outcome, open_stream
from node.engine.warm_up import warm_up

_PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message.role + ': ' + message.content + '\n' }}"
    "{% endfor %}assistant:"
)
_JOIN_S = 60.0


@dataclass(frozen=True, slots=True)
class TransformersSettings:
    """What an operator decides about the engine.

    `context_tokens_max` lowers the model's own context, and with it the memory of the
    slots; `prefill_tokens_max` bounds a pass over prompts; `threads` is torch's.
    """

    source: ModelSource
    limits: EngineLimits
    context_tokens_max: int | None = None
    prefill_tokens_max: int = 1024
    threads: int | None = None


class TransformersEngine:
    """An `Engine`; make it, `start` it, `stop` it, all on one event loop."""

    def __init__(self, settings: TransformersSettings) -> None:
        self._settings = settings
        self._admission: Admission[EngineJob] = Admission(settings.limits)
        self._loaded: LoadedModel | None = None
        self._decoder: PreTrainedTokenizerBase | None = None
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

    def prompt_ids(self, messages: Sequence[ChatMessage]) -> list[int]:
        """Return the chat template's token ids, ready for an assistant's answer.

        Raises:
            FieldInvalid: a role is unknown or the template refuses the turns.
        """
        check_messages(messages)
        tokenizer = self.tokenizer
        try:
            rendered = tokenizer.apply_chat_template(
                [{"role": found.role, "content": found.content} for found in messages],
                chat_template=tokenizer.chat_template or _PLAIN_TEMPLATE,
                add_generation_prompt=True,
                return_dict=True,
                # A message that spells a control token must not end its own turn.
                sanitize_control_tokens=True,
            )
        except TemplateError as refused:
            raise FieldInvalid(
                f"The model's chat template refuses these turns: {refused}",
                field="messages",
            ) from refused
        if not isinstance(rendered, BatchEncoding):
            raise TypeError("the tokenizer returned text where ids were asked for")
        return list(rendered.input_ids)

    def generate(self, prompt_ids: Sequence[int], sampling: Sampling) -> Pieces:
        """Stream one answer of the batch; refusals come at the call."""
        check_sampling(sampling)
        check_prompt(
            prompt_ids,
            sampling,
            context_tokens_max=self.context_tokens_max,
            vocabulary_size=vocabulary_size_of(self.model),
        )
        answer = self._answer(sampling.stop)
        return self._join(partial(PublicJob, tuple(prompt_ids), sampling, answer))

    def run_stepper(
        self, make: Callable[[], Stepper], *, stop: tuple[str, ...] = ()
    ) -> Pieces:
        """Stream a private job's tokens; `make` runs in the model thread."""
        check_stop(stop)
        return self._join(partial(PrivateJob, make, self._answer(stop)))

    def _join(self, make_job: Callable[[Deliver], EngineJob]) -> Pieces:
        job, stream = open_stream(make_job, self._cancel)
        self._admission.join(job)
        return stream

    def _cancel(self, job: EngineJob) -> None:
        if not self._admission.withdraw(job):
            job.cancelled = True

    def _answer(self, stop: Sequence[str]) -> Answer:
        return Answer(self._decode, stop=stop, end_ids=self.end_ids)

    def _decode(self, token_ids: Sequence[int]) -> str:
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
        context_tokens = context_of(loaded.model, self._settings.context_tokens_max)
        batcher = Batcher(
            loaded.model,
            slots=self._settings.limits.slots,
            context_tokens=context_tokens,
            prefill_tokens_max=self._settings.prefill_tokens_max,
        )
        warm_up(loaded.model, batcher, context_tokens=context_tokens)
        self._loaded = loaded
        # A fast tokenizer must not be used by two threads at once: one copy each.
        self._decoder = copy.deepcopy(loaded.tokenizer)
        return batcher

    def _post(self, outbox: list[tuple[Deliver, Outcome]]) -> None:
        self._on_loop(partial(_deliver_all, outbox))

    def _on_loop(self, call: Callable[[], None]) -> None:
        # A loop that is closed has no readers left.
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call)


def context_of(model: PreTrainedModel, limit: int | None) -> int:
    """Return the context in tokens, the model's own or a lower limit.

    Raises:
        ValueError: neither says how long it is.
    """
    own = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    known = [found for found in (own, limit) if found is not None]
    if not known:
        raise ValueError("the model names no context; set context_tokens_max")
    return int(min(known))


def end_ids_of(loaded: LoadedModel) -> frozenset[int]:
    """Return every token that ends an answer, as the model's directory says."""
    found: set[int] = set()
    for source in (loaded.model.generation_config, loaded.model.config):
        value = getattr(source, "eos_token_id", None)
        if value is not None:
            found |= {value} if isinstance(value, int) else set(value)
    if loaded.tokenizer.eos_token_id is not None:
        found.add(loaded.tokenizer.eos_token_id)
    return frozenset(found)


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
