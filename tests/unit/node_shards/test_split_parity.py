"""A model in parts gives the whole model's logits, bit for bit on one thread."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from node.shards import weights
from node.shards.layers import LayerRange
from node.shards.parts import Ends, load_ends, load_layers
from node.shards.passes import LayerPasses, SlotFrame
from tests.support.split_models import ARCHITECTURES, LAYERS

CUTS = {1: (0, LAYERS), 2: (0, 2, LAYERS), 3: (0, 1, 4, LAYERS)}
PROMPT = tuple(range(5, 29))
STEPS = 12
LOGITS_APART = 5e-5
"""Found: 6e-6, where logits have a standard deviation of about 1."""


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Run on one thread: sums of several may differ in their order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def parts_of(directory: Path, cuts: Sequence[int]) -> tuple[Ends, list[LayerPasses]]:
    """Return the ends of a model and its layers between each two cuts."""
    passes = []
    for first, end in pairwise(cuts):
        part = load_layers(directory, LayerRange(first, end), data_type="auto")
        passes.append(LayerPasses(part.model, slots=3, context_tokens=64))
    return load_ends(directory, data_type="auto"), passes


def through(passes: Sequence[LayerPasses], frame: SlotFrame) -> torch.Tensor:
    """Return hidden states after all layers."""
    hidden = frame.hidden
    for part in passes:
        (result,) = part.run([SlotFrame(frame.slot, frame.first, hidden)])
        assert isinstance(result, torch.Tensor)
        hidden = result
    return hidden


def decoded(directory: Path, cuts: Sequence[int]) -> tuple[list[int], torch.Tensor]:
    """Return greedy tokens and their logits: the prompt in one frame, then one by one.

    The end token is forbidden, so that every run has as many steps.
    """
    ends, passes = parts_of(directory, cuts)
    ids, first, drawn, seen = torch.tensor(PROMPT), 0, [], []
    for _ in range(STEPS):
        hidden = through(passes, SlotFrame(1, first, ends.embed(ids)))
        logits = ends.logits(hidden[-1:])
        first += len(ids)
        ids = logits.index_fill(1, torch.tensor([2]), -torch.inf).argmax(dim=-1)
        drawn.append(int(ids))
        seen.append(logits)
    return drawn, torch.cat(seen)


@pytest.mark.parametrize("shards", [1, 2, 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_tokens_and_logits_are_those_of_the_whole_model(
    split_model: Callable[[str], Path], architecture: str, shards: int
) -> None:
    """`generate` takes another attention kernel, so that last bits may differ."""
    directory = split_model(architecture)
    whole = AutoModelForCausalLM.from_pretrained(directory).eval()
    expected = whole.generate(
        torch.tensor([PROMPT]),
        max_new_tokens=STEPS,
        min_new_tokens=STEPS,
        do_sample=False,
        output_logits=True,
        return_dict_in_generate=True,
    )

    drawn, logits = decoded(directory, CUTS[shards])

    assert drawn == expected.sequences[0, len(PROMPT) :].tolist()
    apart = (logits - torch.cat(expected.logits)).abs().max()
    assert float(apart) <= LOGITS_APART


@pytest.mark.parametrize("shards", [2, 3])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cutting_changes_not_one_bit(
    split_model: Callable[[str], Path], architecture: str, shards: int
) -> None:
    """More parts run the same kernels on the same numbers."""
    directory = split_model(architecture)

    _, in_one = decoded(directory, CUTS[1])
    _, in_parts = decoded(directory, CUTS[shards])

    assert torch.equal(in_parts, in_one)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_prompt_in_chunks_gives_the_same_up_to_rounding(
    split_model: Callable[[str], Path], architecture: str
) -> None:
    """Frames are bounded; a chunk sees the chunks before it and nothing behind it."""
    directory = split_model(architecture)
    whole = AutoModelForCausalLM.from_pretrained(directory).eval()
    expected = whole(torch.tensor([PROMPT])).logits[0].detach()
    ends, passes = parts_of(directory, CUTS[2])

    hidden = ends.embed(torch.tensor(PROMPT))
    found = torch.cat(
        [
            through(passes, SlotFrame(0, first, hidden[first : first + 7]))
            for first in range(0, len(PROMPT), 7)
        ]
    )

    torch.testing.assert_close(ends.logits(found), expected, rtol=1e-4, atol=1e-4)


def test_neighbours_in_a_pass_change_nothing_but_rounding(
    split_model: Callable[[str], Path],
) -> None:
    """Sequences of several leaders share passes; slots keep them apart."""
    directory = split_model("mistral")
    ends, passes = parts_of(directory, (0, LAYERS))
    prompts = [torch.arange(start, start + 9) for start in (5, 50, 130)]
    alone = [through(passes, SlotFrame(0, 0, ends.embed(ids))) for ids in prompts]

    frames = [SlotFrame(2 - at, 0, ends.embed(ids)) for at, ids in enumerate(prompts)]
    together = passes[0].run(frames)

    for one, other in zip(alone, together, strict=True):
        assert isinstance(other, torch.Tensor)
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_shard_opens_only_the_files_of_its_layers(
    split_model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node that runs two layers of a hundred must not read the other ones."""
    opened: list[str] = []
    real = weights.safe_open  # type: ignore[attr-defined]

    def watched(file: Path, **named: str) -> object:
        opened.append(file.name)
        return real(file, **named)

    monkeypatch.setattr(weights, "safe_open", watched)
    directory = split_model("llama")
    files = weights.tensor_files(directory).files

    load_layers(directory, LayerRange(2, 3), data_type="auto")

    needed = {file.name for name, file in files.items() if ".layers.2." in name}
    assert set(opened) == needed
    assert needed < {file.name for file in files.values()}
