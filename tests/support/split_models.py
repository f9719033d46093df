"""Tiny random models of several architectures, with more layers than the usual one."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tests.support.tiny_model import SPECIAL_TOKENS, tiny_tokenizer

LAYERS = 6
ARCHITECTURES = ("llama", "qwen2", "qwen3", "mistral")
_SHAPE: dict[str, object] = {
    "vocab_size": len(SPECIAL_TOKENS) + 256,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "initializer_range": 0.2,
}
_OWN: dict[str, dict[str, object]] = {
    # Each has something that a wrong cut would lose.
    "qwen3": {"tie_word_embeddings": True},
    "mistral": {"sliding_window": 7},
}


def build_split_model(
    directory: Path, model_type: str, *, seed: int = 0, shard_size: str = "40KB"
) -> Path:
    """Write a model in several files, and its tokenizer; the same for the same seed."""
    config = AutoConfig.for_model(model_type, **_SHAPE | _OWN.get(model_type, {}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(directory, max_shard_size=shard_size)
    tiny_tokenizer().save_pretrained(directory)
    return directory


def generated(
    directory: Path, prompts: Sequence[Sequence[int]], *, tokens_max: int
) -> list[list[int]]:
    """Return what transformers answers to each prompt, greedily, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = AutoModelForCausalLM.from_pretrained(directory).eval()
        answers = [
            model.generate(
                torch.tensor([prompt]), max_new_tokens=tokens_max, do_sample=False
            )
            for prompt in prompts
        ]
    finally:
        torch.set_num_threads(threads)
    return [
        answer[0, len(prompt) :].tolist()
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
