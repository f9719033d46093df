"""Answers are those of `transformers.generate`, for several architectures.

Ragged prompts, late arrivals, prompts read in parts and kept prefixes all at once: each
is an optimisation, so none may change a token.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    MistralConfig,
    PretrainedConfig,
    Qwen2Config,
    Qwen3Config,
)

from node.engine.device_map import ModelSource
from node.engine.engine import Sampling, Terms
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from tests.support.engine_conformance import all_of, idle, ids_of
from tests.support.tiny_model import tiny_config, tiny_tokenizer

SHAPE = {
    "vocab_size": 261,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.25,
}
CONFIGS: dict[str, Callable[[], PretrainedConfig]] = {
    "llama": tiny_config,
    "qwen2": lambda: Qwen2Config(**SHAPE),  # type: ignore[arg-type]
    "qwen3": lambda: Qwen3Config(**SHAPE, tie_word_embeddings=True),  # type: ignore[arg-type]
    "mistral": lambda: MistralConfig(**SHAPE, sliding_window=9),  # type: ignore[arg-type]
    "gpt2": lambda: GPT2Config(
        vocab_size=261,
        n_embd=16,
        n_layer=2,
        n_head=4,
        n_positions=128,
        initializer_range=0.25,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    ),
}
LIMITS = EngineLimits(slots=3, private_slots=1, waiting_max=64)
TENANT = Terms(tenant="ann")


@pytest.fixture(params=list(CONFIGS))
async def engine(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[TransformersEngine]:
    """Return a started engine with a random model of an architecture."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_config(CONFIGS[request.param]())
    model.save_pretrained(tmp_path)
    tiny_tokenizer().save_pretrained(tmp_path)
    made = TransformersEngine(
        TransformersSettings(
            ModelSource(tmp_path),
            LIMITS,
            prefill_tokens_max=16,
            threads=1,
            prefix_cache_bytes=2**20,
        )
    )
    await made.start()
    yield made
    await made.stop()


def prompts() -> list[list[int]]:
    """Return prompts of unlike lengths; every third shares its beginning."""
    shared = [30 + at % 40 for at in range(45)]
    return [
        [
            *(shared if at % 3 == 0 else []),
            *(20 + (at * 13 + i) % 80 for i in range(at)),
        ]
        for at in range(1, 13)
    ]


def expected(
    engine: TransformersEngine, prompt: list[int], sampling: Sampling
) -> list[int]:
    """Return what transformers itself generates greedily."""
    ids = torch.tensor([prompt])
    generated = engine.model.generate(  # type: ignore[operator]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=sampling.tokens_max,
        do_sample=False,
        repetition_penalty=sampling.repetition_penalty,
    )
    return [int(token_id) for token_id in generated[0, len(prompt) :]]


async def test_every_answer_is_that_of_generate(engine: TransformersEngine) -> None:
    """Twice over, so that the second time most prompts are found kept."""
    asked = [
        (prompt, Sampling(4 + at, repetition_penalty=(1.0, 1.3)[at % 2]))
        for at, prompt in enumerate(prompts())
    ]
    wanted = [expected(engine, *one) for one in asked]

    async def answer(at: int) -> tuple[list[int], int]:
        await asyncio.sleep(0.002 * (at % 5))
        pieces = await all_of(engine.generate(*asked[at], TENANT))
        return ids_of(pieces), sum(piece.prompt_tokens_cached for piece in pieces)

    first = await asyncio.gather(*map(answer, range(len(asked))))
    await idle(engine)
    second = await asyncio.gather(*map(answer, range(len(asked))))

    assert [ids for ids, _ in first] == wanted
    assert [ids for ids, _ in second] == wanted
    assert sum(cached for _, cached in second) > sum(cached for _, cached in first)


async def test_log_probabilities_are_those_of_a_whole_pass(
    engine: TransformersEngine,
) -> None:
    """What is told step by step is what the model says of the whole text at once."""
    prompt = prompts()[-1]
    sampling = Sampling(8, temperature=0.9, seed=4, logprobs=2)

    pieces = await all_of(engine.generate(prompt, sampling))

    answer = ids_of(pieces)
    whole = torch.tensor([[*prompt, *answer]])
    rows = engine.model(whole).logits[0].double().log_softmax(dim=-1)
    told = [entry for piece in pieces for entry in piece.logprobs]
    for at, entry in enumerate(told):
        row = rows[len(prompt) - 1 + at]
        assert entry.token_id == answer[at]
        assert entry.logprob == pytest.approx(float(row[entry.token_id]), abs=1e-4)
        likeliest = row.topk(2).values.tolist()
        assert [value for _, value in entry.alternatives] == pytest.approx(
            likeliest, abs=1e-4
        )
