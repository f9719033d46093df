"""The self-test passes a healthy model and catches every way of coupling rows."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from transformers import LlamaForCausalLM
from transformers.modeling_outputs import CausalLMOutputWithPast

from federated_router.kit.errors import PrivateNotOffered
from federated_router.privacy.policy import PrivatePolicy
from node.private.self_test import (
    Disturbance,
    check_row_independence,
    require_row_independence,
)

TinyLlama = Callable[[type[LlamaForCausalLM]], LlamaForCausalLM]


class MeanCoupled(LlamaForCausalLM):
    """Adds a trace of the batch's mean, as a batch-normalising layer would."""

    def forward(self, **arguments: torch.Tensor) -> CausalLMOutputWithPast:
        """Couple all rows by their mean."""
        output = super().forward(**arguments)
        output.logits = output.logits + 1e-6 * output.logits.mean(dim=0, keepdim=True)
        return output


class ScaleCoupled(LlamaForCausalLM):
    """Quantises with one scale for the whole batch, found from its extremes."""

    def forward(self, **arguments: torch.Tensor) -> CausalLMOutputWithPast:
        """Couple all rows by the largest value of any."""
        output = super().forward(**arguments)
        scale = output.logits.abs().max() / 32767
        output.logits = torch.round(output.logits / scale) * scale
        return output


class LengthCoupled(LlamaForCausalLM):
    """Pads to the longest row of the batch instead of the public length.

    The rows' values differ in the last bits between lengths; the toy makes the
    difference certain instead of leaving it to the kernels of this machine.
    """

    def forward(self, **arguments: torch.Tensor) -> CausalLMOutputWithPast:
        """Couple all rows by the length of the longest."""
        output = super().forward(**arguments)
        longest = int(arguments["attention_mask"].sum(dim=1).max())
        output.logits = output.logits * (1 + longest * 2.0**-20)
        return output


class LateCoupled(LlamaForCausalLM):
    """Couples neighbouring rows after prefill only, as a bad cache would."""

    def forward(self, **arguments: torch.Tensor) -> CausalLMOutputWithPast:
        """Couple each row to the one before it, in decode steps."""
        output = super().forward(**arguments)
        if arguments["input_ids"].shape[1] == 1:
            output.logits = output.logits + 1e-6 * output.logits.roll(1, dims=0)
        return output


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_a_healthy_model_passes(
    tiny_llama: TinyLlama, policy: PrivatePolicy, precision: torch.dtype
) -> None:
    """Fixed shapes keep rows independent bit for bit, in both precisions."""
    model = tiny_llama(LlamaForCausalLM).to(precision)  # type: ignore[arg-type]

    report = check_row_independence(model, policy, decode_steps=3)

    assert report.independent
    assert report.comparisons == 4 * (4 * 4 + 3)
    require_row_independence(report)


@pytest.mark.parametrize(
    "kind", [MeanCoupled, ScaleCoupled, LengthCoupled, LateCoupled]
)
def test_a_coupled_model_is_caught_and_not_offered(
    tiny_llama: TinyLlama, policy: PrivatePolicy, kind: type[LlamaForCausalLM]
) -> None:
    """Each coupling would void the charge; the node must refuse private mode."""
    report = check_row_independence(tiny_llama(kind), policy)

    assert not report.independent
    assert report.coupling is not None
    assert report.coupling.difference_max > 0
    with pytest.raises(PrivateNotOffered):
        require_row_independence(report)


def test_coupling_by_length_needs_the_longer_record(
    tiny_llama: TinyLlama, policy: PrivatePolicy
) -> None:
    """Equal lengths hide it, which is why the test also lengthens a row."""
    report = check_row_independence(tiny_llama(LengthCoupled), policy)

    assert report.coupling is not None
    assert report.coupling.disturbance is Disturbance.LENGTHENED


def test_coupling_after_prefill_is_found_in_a_later_step(
    tiny_llama: TinyLlama, policy: PrivatePolicy
) -> None:
    """A prefill alone would pass this model."""
    report = check_row_independence(tiny_llama(LateCoupled), policy)

    assert report.coupling is not None
    assert report.coupling.step == 1


def test_a_policy_of_one_slot_is_tested_against_the_public_row(
    tiny_llama: TinyLlama, policy: PrivatePolicy
) -> None:
    """With a single slot the public row is the only other one."""
    single = replace(policy, slots=1)

    assert check_row_independence(tiny_llama(LlamaForCausalLM), single).independent
    assert not check_row_independence(tiny_llama(MeanCoupled), single).independent
