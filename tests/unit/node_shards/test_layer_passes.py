"""One sequence's trouble in a pass stays that sequence's."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from federated_router.kit.errors import FieldInvalid, Internal
from node.shards.layers import LayerRange
from node.shards.parts import Layers, load_layers
from node.shards.passes import LayerPasses, SlotFrame

SLOTS, CONTEXT = 3, 32


@pytest.fixture
def part(split_model: Callable[[str], Path]) -> Layers:
    """Return two layers of a model."""
    return load_layers(split_model("llama"), LayerRange(1, 3), data_type="auto")


@pytest.fixture
def passes(part: Layers) -> LayerPasses:
    """Return passes over them."""
    return LayerPasses(part.model, slots=SLOTS, context_tokens=CONTEXT)


def states(part: Layers, positions: int = 1, seed: int = 0) -> torch.Tensor:
    """Return hidden states as a leader sends them."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn((positions, part.width), generator=generator)


def result(passes: LayerPasses, frame: SlotFrame) -> torch.Tensor:
    """Return what a frame alone gives."""
    (found,) = passes.run([frame])
    assert isinstance(found, torch.Tensor)
    return found


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_states_that_are_no_numbers_fail_alone(
    part: Layers, passes: LayerPasses, bad: float
) -> None:
    """Others in the pass get what they would have got alone."""
    good, broken = states(part), states(part, seed=1)
    expected = result(passes, SlotFrame(0, 0, good))
    broken[0, 3] = bad

    first, second, third = passes.run(
        [SlotFrame(0, 0, good), SlotFrame(1, 0, broken), SlotFrame(2, 0, good)]
    )

    assert isinstance(second, FieldInvalid)
    for found in (first, third):
        assert isinstance(found, torch.Tensor)
        torch.testing.assert_close(found, expected)


def test_slot_in_which_layers_overflowed_serves_the_next_sequence(
    part: Layers, passes: LayerPasses
) -> None:
    """A masked value that is not a number still gives nothing but such values.

    The next sequence shares its pass with a longer one, so that the pass reads the
    column in which the last one overflowed.
    """
    expected = result(passes, SlotFrame(0, 0, states(part)))
    result(passes, SlotFrame(1, 0, states(part, 6, seed=3)))
    result(passes, SlotFrame(0, 0, states(part, 4, seed=9)))
    weight = part.model.get_parameter("layers.0.self_attn.v_proj.weight")
    whole = weight.clone()
    weight.fill_(torch.inf)

    (overflowed,) = passes.run([SlotFrame(0, 4, states(part))])

    weight.copy_(whole)
    assert isinstance(overflowed, Internal)
    found, neighbour = passes.run(
        [SlotFrame(0, 0, states(part)), SlotFrame(1, 6, states(part, seed=4))]
    )
    assert isinstance(found, torch.Tensor)
    torch.testing.assert_close(found, expected)
    assert isinstance(neighbour, torch.Tensor)


def test_next_sequence_of_a_slot_sees_nothing_of_the_last(
    part: Layers, passes: LayerPasses
) -> None:
    """Slots change hands between leaders."""
    fresh = result(passes, SlotFrame(1, 0, states(part, 4)))
    result(passes, SlotFrame(0, 0, states(part, 12, seed=7)))

    used = result(passes, SlotFrame(0, 0, states(part, 4)))

    torch.testing.assert_close(used, fresh)


def test_failing_pass_is_looked_into_and_only_the_guilty_one_fails(
    part: Layers, passes: LayerPasses, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever went wrong: memory, a kernel, a defect."""
    expected = result(passes, SlotFrame(0, 0, states(part)))
    real = passes._pass

    def failing(frames: list[SlotFrame]) -> torch.Tensor:
        if any(frame.slot == 1 for frame in frames):
            raise ArithmeticError("this slot fails")
        return real(frames)

    monkeypatch.setattr(passes, "_pass", failing)

    first, second = passes.run(
        [SlotFrame(0, 0, states(part)), SlotFrame(1, 0, states(part))]
    )

    assert isinstance(second, ArithmeticError)
    assert isinstance(first, torch.Tensor)
    torch.testing.assert_close(first, expected)


def test_memory_of_keys_and_values_is_told(part: Layers, passes: LayerPasses) -> None:
    """Layers x slots x (context + 1) x 2 x key heads x head width x 4 bytes."""
    assert passes.cache_bytes == 0
    result(passes, SlotFrame(0, 0, states(part)))

    assert passes.cache_bytes == 2 * SLOTS * (CONTEXT + 1) * 2 * 2 * 8 * 4
