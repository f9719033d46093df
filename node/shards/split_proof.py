"""Proves at start-up that an architecture may be cut where it is to be cut.

Decides by running: a small random model of the same configuration, with as many layers
of the same kinds, is run whole and in parts, and both must give the same logits. So an
architecture that scales its embeddings inside, mixes layers or counts them from
elsewhere is refused, whichever it is. Refuses to know the weights of the real model:
that they fit is what the digest and the check of names are for.
"""

import copy
from collections.abc import Sequence

import torch
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from node.engine.kv_slots import PositionMask
from node.shards.layers import LayerRange
from node.shards.passes import (
    LayerPasses,
    SlotFrame,
    embedded,
    logits_without_layers,
)
from node.shards.split import (
    ENDS,
    as_shard,
    empty_part,
    fill,
    layers_of,
    name_in_part,
)

_TOKENS = 11
_CHUNK = 6
_WINDOW = 4
_HEADS = 2
_SMALL = {
    "intermediate_size": 32,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
    "vocab_size": 32,
    "pad_token_id": None,
    "bos_token_id": None,
    "eos_token_id": None,
}
_TOLERANCE = 1e-4
"""Of the logits' standard deviation; a wrong cut is off by whole ones."""


def prove_split(config: PretrainedConfig, layers: LayerRange) -> None:
    """Run a small model of this configuration whole, and cut around `layers`.

    Raises:
        ValueError: the architecture cannot be run in these parts.
    """
    end = layers_of(config)
    if layers.end > end or not layers.count:
        raise ValueError(f"the model has layers 0-{end - 1}, not {layers}")
    # Refuses layers that are not attention, before a model of them is made.
    PositionMask(config)
    cuts = (LayerRange(0, layers.first), layers, LayerRange(layers.end, end))
    try:
        far = _distance(_small(config), [cut for cut in cuts if cut.count])
    except ValueError:
        raise
    except Exception as error:
        raise ValueError(_refusal(config, "in parts")) from error
    if not far <= _TOLERANCE:
        raise ValueError(_refusal(config, "alike in parts and whole"))


def _refusal(config: PretrainedConfig, how: str) -> str:
    return (
        f"models of type {config.model_type!r} do not run {how}; serve the model on "
        "one node"
    )


def _small(config: PretrainedConfig) -> PretrainedConfig:
    """Return the configuration with narrow layers, as many and of the same kinds."""
    text = config.get_text_config()
    heads = int(text.num_attention_heads)
    width = getattr(text, "head_dim", None) or text.hidden_size // heads
    shares = getattr(text, "num_key_value_heads", heads) not in (None, heads)
    changes = _SMALL | {
        "head_dim": width,
        "hidden_size": _HEADS * width,
        "num_attention_heads": _HEADS,
        "num_key_value_heads": 1 if shares else _HEADS,
        "dtype": torch.float32,
    }
    if getattr(text, "sliding_window", None) is not None:
        changes["sliding_window"] = _WINDOW
    small = copy.deepcopy(config)
    for name, value in changes.items():
        if hasattr(small, name):
            setattr(small, name, value)
    return small


@torch.inference_mode()
def _distance(config: PretrainedConfig, cuts: Sequence[LayerRange]) -> float:
    """Return how far the parts' logits are from the whole's, in their deviations."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        whole: PreTrainedModel = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, attn_implementation="sdpa"
        ).eval()
    ids = torch.arange(_TOKENS) * 7 % config.vocab_size
    expected = whole(input_ids=ids[None], use_cache=False).logits[0]
    ends = _cut(whole, config, ENDS)
    hidden = embedded(ends, ids)
    for cut in cuts:
        hidden = _through(as_shard(_cut(whole, config, cut)), hidden)
    found = logits_without_layers(ends, hidden)
    return float((found - expected).abs().max() / expected.std())


def _cut(
    whole: PreTrainedModel, config: PretrainedConfig, layers: LayerRange
) -> PreTrainedModel:
    part = empty_part(config, layers)
    prefix = part.base_model_prefix
    tensors = {
        renamed: tensor
        for name, tensor in whole.state_dict().items()
        if (renamed := name_in_part(name, layers, prefix=prefix)) is not None
    }
    fill(part, tensors, layers)
    return part


def _through(shard: PreTrainedModel, hidden: torch.Tensor) -> torch.Tensor:
    """Return the hidden states after the layers: a chunk, then position by position."""
    passes = LayerPasses(shard, slots=1, context_tokens=_TOKENS)
    starts = [0, *range(_CHUNK, _TOKENS)]
    found = []
    for first, end in zip(starts, [*starts[1:], _TOKENS], strict=True):
        (result,) = passes.run([SlotFrame(0, first, hidden[first:end])])
        if isinstance(result, Exception):
            raise result
        found.append(result)
    return torch.cat(found)
