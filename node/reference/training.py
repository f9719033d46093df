"""Trains one reference model on the CPU, the same way each time.

Decides the batches and which tokens are learnt (the assistant's only); refuses to know
which models exist (`models`), what the chats say (`corpus`) and how weights are moved
(`optimisers`). Two runs on one machine give equal weights; another processor may round
differently.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from node.reference.corpus import Turn, conversation
from node.reference.optimisers import Optimisers
from node.reference.plans import ModelShape, TrainingPlan
from node.reference.tokenizer import BEGIN, END, PAD

_IGNORED = -100
_POOL_BATCHES = 16
# Notes are short: turning fast tells neighbouring tokens apart, which copying needs.
_ROPE_THETA = 100.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """One chat as token ids; `learnt` marks the tokens the model must predict."""

    token_ids: tuple[int, ...]
    learnt: tuple[bool, ...]


Report = Callable[[int, float], None]


def lesson_from(
    tokenizer: PreTrainedTokenizerFast, chat: Sequence[Turn], *, context_tokens: int
) -> Lesson:
    """Return the chat in the form of the chat template, at most the context long."""
    begin, end = _id_of(tokenizer, BEGIN), _id_of(tokenizer, END)
    ids = [begin]
    learnt = [False]
    for turn in chat:
        content = tokenizer.encode(turn.content, add_special_tokens=False)
        body = [*content, end]
        ids += [_id_of(tokenizer, f"<|{turn.role}|>"), *body]
        learnt += [False, *([turn.role == "assistant"] * len(body))]
    return Lesson(tuple(ids[:context_tokens]), tuple(learnt[:context_tokens]))


def _id_of(tokenizer: PreTrainedTokenizerFast, token: str) -> int:
    found = tokenizer.convert_tokens_to_ids(token)
    if not isinstance(found, int):
        raise TypeError(f"{token} is not one token")
    return found


def build_model(
    shape: ModelShape, tokenizer: PreTrainedTokenizerFast
) -> LlamaForCausalLM:
    """Return a freshly initialised model; seed torch before for equal weights."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=shape.width,
        intermediate_size=shape.feed_forward_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context_tokens,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        rope_parameters={"rope_type": "default", "rope_theta": _ROPE_THETA},
        initializer_range=1.0 / math.sqrt(shape.width),
    )
    return LlamaForCausalLM(config)


def train(
    shape: ModelShape,
    plan: TrainingPlan,
    tokenizer: PreTrainedTokenizerFast,
    report: Report,
) -> LlamaForCausalLM:
    """Train a model from nothing; `report(step, loss)` hears of every step."""
    threads_before = torch.get_num_threads()
    deterministic_before = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(plan.threads)
    torch.use_deterministic_algorithms(mode=True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(plan.seed)
            return _train(shape, plan, tokenizer, report)
    finally:
        torch.use_deterministic_algorithms(mode=deterministic_before)
        torch.set_num_threads(threads_before)


def _train(
    shape: ModelShape,
    plan: TrainingPlan,
    tokenizer: PreTrainedTokenizerFast,
    report: Report,
) -> LlamaForCausalLM:
    model = build_model(shape, tokenizer)
    model.train()
    optimisers = Optimisers(model, plan.rates, steps=plan.steps)
    batches = _batches(plan, tokenizer, shape.context_tokens)
    for step in range(1, plan.steps + 1):
        loss = _loss(model, next(batches), _id_of(tokenizer, PAD))
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimisers.step()
        report(step, float(loss.detach()))
    model.train(mode=False)
    return model


def _loss(
    model: LlamaForCausalLM, batch: Sequence[Lesson], pad_id: int
) -> torch.Tensor:
    ids, mask, targets = padded(batch, pad_id)
    hidden = model.model(input_ids=ids, attention_mask=mask).last_hidden_state
    # Only the learnt positions go through the vocabulary, the widest layer of all.
    chosen = targets != _IGNORED
    logits = model.lm_head(hidden[chosen])
    return torch.nn.functional.cross_entropy(logits, targets[chosen])


def padded(
    batch: Sequence[Lesson], pad_id: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ids, attention mask and next-token targets, each (lessons, longest)."""
    longest = max(len(lesson.token_ids) for lesson in batch)
    ids = torch.full((len(batch), longest), pad_id)
    mask = torch.zeros((len(batch), longest), dtype=torch.long)
    targets = torch.full((len(batch), longest), _IGNORED)
    for row, lesson in enumerate(batch):
        length = len(lesson.token_ids)
        ids[row, :length] = torch.tensor(lesson.token_ids)
        mask[row, :length] = 1
        for position in range(1, length):
            if lesson.learnt[position]:
                targets[row, position - 1] = lesson.token_ids[position]
    return ids, mask, targets


def _batches(
    plan: TrainingPlan, tokenizer: PreTrainedTokenizerFast, context_tokens: int
) -> Iterator[list[Lesson]]:
    """Yield batches of lessons of like length, each about `batch_tokens` long.

    A pool of several batches is sorted by length and its batches shuffled, so that
    little is padded and the order still mixes short and long.
    """
    rng = Random(plan.seed)  # noqa: S311 - training must be reproducible.
    while True:
        pool: list[Lesson] = []
        tokens = 0
        while tokens < plan.batch_tokens * _POOL_BATCHES:
            lesson = lesson_from(
                tokenizer, conversation(rng), context_tokens=context_tokens
            )
            pool.append(lesson)
            tokens += len(lesson.token_ids)
        ready = split_by_tokens(pool, plan.batch_tokens)
        rng.shuffle(ready)
        yield from ready


def split_by_tokens(pool: list[Lesson], batch_tokens: int) -> list[list[Lesson]]:
    """Return the pool, shortest first, cut so that no padded batch is much larger."""
    batches: list[list[Lesson]] = [[]]
    for lesson in sorted(pool, key=lambda found: len(found.token_ids)):
        padded_tokens = (len(batches[-1]) + 1) * len(lesson.token_ids)
        if batches[-1] and padded_tokens > batch_tokens:
            batches.append([])
        batches[-1].append(lesson)
    return batches
