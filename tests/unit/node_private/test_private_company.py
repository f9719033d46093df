"""Private rows are the same bit for bit whatever runs beside them in the engine."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from federated_router.privacy.policy import PrivatePolicy
from node.engine.device_map import ModelSource
from node.engine.limits import EngineLimits
from node.engine.ready_model import TransformersSettings
from node.engine.transformers_engine import TransformersEngine
from node.private_model import PrivateModel
from tests.support.private_company import is_same, traced
from tests.support.tiny_model import tiny_config, tiny_tokenizer

WIDE = {
    "hidden_size": 128,
    "intermediate_size": 344,
    "num_hidden_layers": 4,
    "num_key_value_heads": 4,
}
"""The shape of the large reference model, without its training."""
COMPANY = [(1, 3, *b"Which medicine?"), (1, 3, *b"Tell me."), (1, 3, *(b"long " * 6))]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a random model of the large reference model's shape."""
    made = tmp_path_factory.mktemp("wide") / "model"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        LlamaForCausalLM(tiny_config(**WIDE)).save_pretrained(made)
    tiny_tokenizer().save_pretrained(made)
    return made


@pytest.fixture
async def engine(directory: Path) -> AsyncIterator[TransformersEngine]:
    """Run the engine as a node runs it, on one thread."""
    made = TransformersEngine(
        TransformersSettings(
            source=ModelSource(directory),
            limits=EngineLimits(slots=4, private_slots=1, waiting_max=8),
            threads=1,
        )
    )
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize("slots", [4, 8, 16])
async def test_company_changes_no_bit_of_a_private_session(
    engine: TransformersEngine, policy: PrivatePolicy, slots: int
) -> None:
    """What others ask must not move the logits from which private tokens are drawn."""
    wanted = replace(policy, slots=slots, row_tokens_max=32)
    served = PrivateModel(
        "models/m", engine, "{record}{prompt}", [wanted], asyncio.Lock()
    )
    await served.prove()
    alone = await traced(engine, wanted)
    together = await traced(engine, wanted, COMPANY)

    assert served.proven_shapes == {(slots, 32)}
    assert set(alone.company) == {0}
    assert min(together.company) > 0
    assert is_same(alone, together)


async def test_engine_that_lets_company_in_would_be_seen(
    engine: TransformersEngine, policy: PrivatePolicy
) -> None:
    """A trace of other requests in one bit of the logits is a difference."""
    forward = engine.model.forward

    def coupled(*arguments: object, **options: object) -> object:
        output = forward(*arguments, **options)
        output.logits = output.logits + engine.load().running * 2.0**-16
        return output

    wanted = replace(policy, slots=4, row_tokens_max=32)
    engine.model.forward = coupled
    alone = await traced(engine, wanted)
    together = await traced(engine, wanted, COMPANY)

    assert not is_same(alone, together)
