"""What a pass is reckoned to take is never less than what it takes."""

import weakref
from collections.abc import Mapping
from types import TracebackType

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import (
    AutoModelForCausalLM,
    DynamicCache,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    Qwen3Config,
)

from node.engine.memory import MemoryPlan, Sizes, planned_memory
from node.engine.pass_memory import PassShape, pass_bytes

SHAPE = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 256,
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "pad_token_id": 0,
}
CONFIGS = [
    LlamaConfig(**SHAPE),  # type: ignore[arg-type]
    Qwen3Config(**SHAPE),  # type: ignore[arg-type]
    MistralConfig(**SHAPE, sliding_window=8),  # type: ignore[arg-type]
    GPT2Config(vocab_size=300, n_embd=64, n_layer=3, n_head=4),
]
SHAPES = [PassShape(1, 200, 200), PassShape(9, 48, 60), PassShape(8, 1, 40)]


class LiveBytes(TorchDispatchMode):
    """Counts the memory of tensors that are made while it is on and not yet gone."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[object, int] = {}
        self.most = 0

    def __torch_dispatch__(
        self,
        func: object,
        types: object,
        args: tuple[object, ...] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> object:
        """Run the operation and count what it made."""
        del types
        made = func(*args, **(kwargs or {}))  # type: ignore[operator]
        for one in tree_leaves(made):
            if isinstance(one, torch.Tensor):
                self._count(one.untyped_storage())
        self.most = max(self.most, sum(self._live.values()))
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = weakref.ref(storage, lambda gone: self._live.pop(gone, None))
        self._live.setdefault(key, storage.nbytes())

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget everything."""
        super().__exit__(kind, failure, trace)
        self._live.clear()


def made(config: PretrainedConfig, data_type: torch.dtype) -> PreTrainedModel:
    """Return a random model of a configuration."""
    config._attn_implementation = "sdpa"
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=data_type)
    return model.requires_grad_(requires_grad=False).eval()


def taken(model: PreTrainedModel, shape: PassShape) -> int:
    """Return the most that a padded pass of this shape takes at once, its cache too."""
    attention = torch.ones(shape.rows, shape.tokens, dtype=torch.long)
    attention[0, 0] = 0
    ids = torch.full((shape.rows, shape.tokens), 5)
    with torch.inference_mode(), LiveBytes() as live:
        model(
            input_ids=ids,
            attention_mask=attention,
            past_key_values=DynamicCache(config=model.config),
            use_cache=True,
            logits_to_keep=1,
        )
    return live.most


@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: one.model_type)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("data_type", [torch.float32, torch.bfloat16], ids=str)
def test_reckoned_activations_cover_the_measured_ones(
    config: PretrainedConfig, shape: PassShape, data_type: torch.dtype
) -> None:
    """A bound that is passed kills the node in the night; one far off wastes memory."""
    model = made(config, data_type)
    measured = taken(model, shape)

    plan = planned_memory(
        model,
        Sizes(slots=1, context_tokens=shape.columns, private_rows=(shape,)),
    )

    assert measured <= plan.passes["cpu"] + plan.rows["cpu"]
    if shape.tokens > 1:
        assert plan.passes["cpu"] < 8 * measured


def test_rows_of_private_requests_are_those_of_all_that_may_run() -> None:
    """The largest policy counts, once for each that runs, one layer twice."""
    model = made(CONFIGS[0], torch.float32)
    small, large = PassShape(2, 8, 10), PassShape(5, 8, 12)
    sizes = Sizes(
        slots=2, context_tokens=20, private_rows=(large, small), private_slots=3
    )

    plan = planned_memory(model, sizes)

    position = 2 * 3 * 2 * 16 * 4  # Keys and values, layers, heads, width, float32.
    assert plan.rows["cpu"] == 3 * 5 * 12 * position * 4 / 3
    assert plan.passes["cpu"] >= pass_bytes(model.config, large, 4)


def test_plan_that_lacks_room_for_private_rows_says_so() -> None:
    """The operator must know which of the settings is too large."""
    mib = {"cpu": 2**20}
    plan = MemoryPlan(weights=mib, slots=mib, prefixes=mib, rows=mib, passes=mib)

    plan.require(limits={"cpu": "3MiB"}, free_bytes=lambda _: 4 * 2**20)
    with pytest.raises(ValueError, match=r"rows of 1\.0 MiB and passes .*policy"):
        plan.require(limits={}, free_bytes=lambda _: 4 * 2**20 - 1)
    with pytest.raises(ValueError, match=r"limit 2MiB"):
        plan.require(limits={"cpu": "2MiB"}, free_bytes=lambda _: 10**9)
