"""Every test of this folder runs twice: small on the processor, larger on a GPU.

The processor's run belongs to the default tests and keeps these files honest; the GPU's
is marked `gpu` and is what `make test-gpu` is for.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from node.engine.device_map import ModelSource
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from tests.support.tiny_model import tiny_config, tiny_tokenizer

CONTEXT_TOKENS = 512
PREFILL_TOKENS = 64


@dataclass(frozen=True, slots=True)
class Device:
    """Where a test runs, and the shape of a random model that suits it.

    `slots` requests run at once; `tokens` is how long an answer is.
    """

    name: str
    shape: Mapping[str, int]
    slots: int
    tokens: int

    @property
    def memory_max(self) -> Mapping[str, str]:
        """Return limits that put a whole model here, whatever else there is."""
        if self.name == "cuda":
            return {}
        return {str(index): "0GiB" for index in range(torch.cuda.device_count())}


CPU = Device(
    name="cpu",
    shape={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3},
    slots=4,
    tokens=12,
)
CUDA = Device(
    name="cuda",
    shape={
        "hidden_size": 1024,
        "intermediate_size": 2816,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "num_key_value_heads": 8,
    },
    slots=32,
    tokens=128,
)
Running = Callable[..., AbstractAsyncContextManager[TransformersEngine]]


@pytest.fixture(
    params=[
        pytest.param(CPU, id="cpu"),
        pytest.param(CUDA, id="cuda", marks=pytest.mark.gpu),
    ]
)
def device(request: pytest.FixtureRequest) -> Device:
    """Return the processor, then a GPU; the latter's tests are skipped without one."""
    found: Device = request.param
    if found.name == "cuda" and not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    return found


def random_llama(shape: Mapping[str, int]) -> LlamaForCausalLM:
    """Return a random model, the same for the same shape."""
    # Wide logits: the likeliest token is seldom nearly as likely as the next.
    config = tiny_config(**shape, max_position_embeddings=CONTEXT_TOKENS)
    config.initializer_range = config.hidden_size**-0.5
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        model = LlamaForCausalLM(config)
    model.requires_grad_(requires_grad=False)
    return model.eval()


@pytest.fixture
def directory(device: Device, tmp_path: Path) -> Path:
    """Return a directory with the device's model."""
    random_llama(device.shape).save_pretrained(tmp_path / "model")
    tiny_tokenizer().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def running(device: Device, directory: Path) -> Running:
    """Return what runs the engine on the device, with a type of weights."""

    @asynccontextmanager
    async def run(data_type: str = "float32") -> AsyncIterator[TransformersEngine]:
        source = ModelSource(
            directory, memory_max=device.memory_max, data_type=data_type
        )
        limits = EngineLimits(slots=device.slots, private_slots=1, waiting_max=256)
        engine = TransformersEngine(
            TransformersSettings(source, limits, prefill_tokens_max=PREFILL_TOKENS)
        )
        await engine.start()
        try:
            yield engine
        finally:
            await engine.stop()

    return run
