"""A model that is loaded, proved and given its slots.

Decides in which order that is done, and that nothing is taken before it is known to
fit. Refuses to know requests. It runs in the thread that will step the model.
"""

import copy
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from node.engine.batcher import Batcher
from node.engine.begun import Reading
from node.engine.device_map import LoadedModel, ModelSource, load, vocabulary_size_of
from node.engine.generation_limits import context_of, end_ids_of
from node.engine.limits import EngineLimits
from node.engine.memory import Sizes, free_bytes, planned_memory
from node.engine.pass_memory import PassShape
from node.engine.token_text import TokenText
from node.engine.warm_up import warm_up


@dataclass(frozen=True, slots=True)
class TransformersSettings:
    """What an operator decides about the engine.

    `context_tokens_max` lowers the model's own context, and with it the memory of the
    slots; `prefill_tokens_max` bounds a pass over prompts; `threads` is torch's;
    `prefix_cache_bytes` bounds what is kept of public prompts, 0 keeps nothing;
    `private_rows` are the shapes of private requests that there must be room for;
    `records_passes` runs the batch by a recording of the model where that can be done.
    """

    source: ModelSource
    limits: EngineLimits
    context_tokens_max: int | None = None
    prefill_tokens_max: int = 1024
    threads: int | None = None
    prefix_cache_bytes: int = 0
    private_rows: tuple[PassShape, ...] = ()
    records_passes: bool = True


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """What an engine steps. `cache_bytes` is the memory of the slots.

    `reading` decodes what goes on in this thread, and what was begun elsewhere by the
    tokenizer of the event loop.
    """

    loaded: LoadedModel
    batcher: Batcher
    cache_bytes: int
    context_tokens_max: int
    reading: Reading


def ready_model(settings: TransformersSettings) -> ReadyModel:
    """Load the model, prove that it runs in slots, and take their memory.

    Raises:
        ValueError: the directory holds no model that runs here, or no room for it.
    """
    if settings.threads is not None:
        # Only the thread that calls this is set: OpenMP counts per thread.
        torch.set_num_threads(settings.threads)
    loaded = load(settings.source)
    context_tokens = context_of(loaded.model, settings.context_tokens_max)
    cache_bytes = _fitting_bytes(loaded.model, settings, context_tokens)
    batcher = Batcher(
        loaded.model,
        slots=settings.limits.slots,
        context_tokens=context_tokens,
        prefill_tokens_max=settings.prefill_tokens_max,
        prefix_cache_bytes=settings.prefix_cache_bytes,
    )
    warm_up(loaded.model, batcher, context_tokens=context_tokens)
    if settings.records_passes:
        batcher.record()
    return ReadyModel(loaded, batcher, cache_bytes, context_tokens, _reading(loaded))


def _fitting_bytes(
    model: PreTrainedModel, settings: TransformersSettings, context_tokens: int
) -> int:
    """Return what the slots take, once it is known to be there.

    Raises:
        ValueError: it is not, or the model cannot run in slots.
    """
    sizes = Sizes(
        slots=settings.limits.slots,
        context_tokens=context_tokens,
        prefix_cache_bytes=settings.prefix_cache_bytes,
        prefill_tokens_max=settings.prefill_tokens_max,
        private_rows=tuple(
            shape for shape in settings.private_rows if shape.columns <= context_tokens
        ),
        private_slots=settings.limits.private_slots,
    )
    plan = planned_memory(model, sizes)
    plan.require(limits=settings.source.memory_max, free_bytes=free_bytes)
    return plan.cache_bytes


def _reading(loaded: LoadedModel) -> Reading:
    return Reading(
        decode=TokenText(loaded.tokenizer),
        # A fast tokenizer must not be used by two threads at once: one copy each.
        decode_on=TokenText(copy.deepcopy(loaded.tokenizer)),
        end_ids=end_ids_of(loaded),
        vocabulary_size=vocabulary_size_of(loaded.model),
    )
