"""A tiny random model and policies small enough to read."""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from federated_router.privacy.policy import PrivatePolicy

VOCABULARY = 61

TinyLlama = Callable[[type[LlamaForCausalLM]], LlamaForCausalLM]


@pytest.fixture(name="policy")
def _policy() -> PrivatePolicy:
    """Return a policy of 4 slots, 16 tokens a row and 6 tokens an answer."""
    return PrivatePolicy(
        name="tiny",
        slots=4,
        clip=Decimal("2.5"),
        temperature=Decimal("0.8"),
        top_k=12,
        tokens_max=6,
        row_tokens_max=16,
    )


@pytest.fixture(name="paper")
def _paper() -> PrivatePolicy:
    """Return the policy of the published example, B=7 and C=0.66, range 0.1886."""
    return PrivatePolicy(
        name="paper",
        slots=7,
        clip=Decimal("0.66"),
        temperature=Decimal(1),
        top_k=8,
        tokens_max=500,
        row_tokens_max=640,
    )


@pytest.fixture(name="model", scope="session")
def _model() -> LlamaForCausalLM:
    """Return a two-layer random Llama whose logits spread over several nats."""
    return _build(LlamaForCausalLM)


@pytest.fixture(name="tiny_llama")
def _tiny_llama() -> TinyLlama:
    """Return the builder of the same model as a subclass, for coupled toys."""
    return _build


@pytest.fixture(name="scripted")
def _scripted() -> Callable[[float], "Scripted"]:
    """Return the maker of randomness that answers a fixed fraction of any range."""
    return Scripted


def _build(kind: type[LlamaForCausalLM]) -> LlamaForCausalLM:
    """Build `kind` with seeded weights; its vocabulary has `VOCABULARY` tokens."""
    torch.manual_seed(11)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        initializer_range=0.4,
    )
    model = kind(config)
    model.requires_grad_(requires_grad=False)
    return model.eval()


@dataclass
class Scripted:
    """A source of randomness that answers a fixed fraction of every range."""

    fraction: float = 0.5
    calls: list[int] = field(default_factory=list)

    def __call__(self, below: int) -> int:
        """Return `fraction` of `below`, and remember it."""
        self.calls.append(below)
        return min(below - 1, int(self.fraction * (1 << 53)) * below >> 53)
