"""Private rows are independent bit for bit on the device, at their public shapes."""

from dataclasses import replace
from decimal import Decimal

import pytest
import torch
from transformers import LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from federated_router.privacy.policy import PrivatePolicy
from node.private.self_test import check_row_independence
from tests.gpu.conftest import Device, random_llama

SMALL = PrivatePolicy(
    name="small",
    slots=4,
    clip=Decimal(1),
    temperature=Decimal(1),
    top_k=10,
    tokens_max=8,
    row_tokens_max=24,
)
SHAPES = {
    "cpu": [(4, 24), (1, 24)],
    "cuda": [(4, 24), (8, 64), (15, 128), (32, 112), (63, 256)],
}
"""Slots and tokens of a row, of the policies that are tried."""

TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@pytest.mark.parametrize("data_type", list(TYPES))
def test_rows_are_independent_at_every_public_shape(
    device: Device, data_type: str
) -> None:
    """The bound of the token mechanism rests on it; a node that fails refuses."""
    model = random_llama(device.shape).to(device.name, TYPES[data_type])  # type: ignore[arg-type]
    for slots, row_tokens in SHAPES[device.name]:
        policy = replace(SMALL, slots=slots, row_tokens_max=row_tokens)

        report = check_row_independence(model, policy)

        assert report.independent, (slots, row_tokens, report.coupling)
        assert report.comparisons > 0


class MeanCoupled(LlamaForCausalLM):
    """Adds a trace of the batch's mean to every row."""

    def forward(self, **arguments: torch.Tensor) -> CausalLMOutputWithPast:
        """Couple all rows by their mean."""
        output = super().forward(**arguments)
        output.logits = output.logits + 0.01 * output.logits.mean(dim=0, keepdim=True)
        return output


@pytest.mark.parametrize("data_type", list(TYPES))
def test_coupled_rows_are_found_on_the_device(device: Device, data_type: str) -> None:
    """The comparison itself must work where the logits lie."""
    model = random_llama(device.shape).to(device.name, TYPES[data_type])  # type: ignore[arg-type]
    model.__class__ = MeanCoupled

    report = check_row_independence(model, SMALL)

    assert report.coupling is not None
    assert report.coupling.difference_max > 0
