"""A random model and full slots, for tests of recorded passes."""

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from node.engine.kv_slots import Placement, SlotCache
from node.engine.slot_pass import ModelPass

SLOTS, CONTEXT_TOKENS = 4, 48


def random_model(config: PretrainedConfig) -> PreTrainedModel:
    """Return a model of random weights that runs as an engine's does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model: PreTrainedModel = AutoModelForCausalLM.from_config(
            config, attn_implementation="sdpa"
        )
    return model.eval().requires_grad_(requires_grad=False)


def first_pass(model: PreTrainedModel) -> SlotCache:
    """Return slots that have their memory, full of other requests' numbers."""
    cache = SlotCache(model.config, slots=SLOTS, columns=CONTEXT_TOKENS)
    at = torch.arange(SLOTS * CONTEXT_TOKENS).reshape(SLOTS, CONTEXT_TOKENS)
    columns = at % CONTEXT_TOKENS
    placement = Placement(torch.arange(SLOTS), columns, CONTEXT_TOKENS, 0)
    ModelPass(model, cache).logits(at % 60 + 1, columns, placement)
    return cache
