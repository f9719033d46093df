"""Whether an answer is the model's own greedy one, up to rounding.

A batch and a single request run other kernels on a GPU, which add in another order.
Where the two likeliest tokens lie closer than that rounding, either is right; anywhere
else a difference is a defect. What counts as close is stated in standard deviations of
the row of logits, because rounding grows with them.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from node.engine.device_map import input_device

TIE = {torch.float32: 1e-3, torch.bfloat16: 0.25}
"""How far below the best a token may lie; a wrong mask is off by whole deviations."""


@torch.inference_mode()
def require_greedy(
    model: PreTrainedModel, prompt: Sequence[int], answer: Sequence[int]
) -> None:
    """Raise AssertionError for a token that the model alone would not have drawn.

    One pass over the whole text gives every row at once.
    """
    ids = torch.tensor([[*prompt, *answer]], device=input_device(model))
    rows = model(input_ids=ids, use_cache=False).logits[0].float()
    for at, token_id in enumerate(answer):
        row = rows[len(prompt) - 1 + at]
        behind = float((row.max() - row[token_id]) / row.std())
        assert behind <= TIE[model.dtype], (
            f"token {at} of the answer lies {behind:.3f} deviations below the best"
        )


def generated(
    model: PreTrainedModel, prompt: Sequence[int], *, tokens_max: int
) -> list[int]:
    """Return what `transformers.generate` answers greedily, alone."""
    ids = torch.tensor([list(prompt)], device=input_device(model))
    output = model.generate(  # type: ignore[operator]
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=tokens_max,
        do_sample=False,
    )
    return [int(token_id) for token_id in output[0, len(prompt) :]]


def require_same_or_tied(
    model: PreTrainedModel,
    prompt: Sequence[int],
    *,
    answer: Sequence[int],
    wanted: Sequence[int],
) -> None:
    """Raise AssertionError unless both texts are the same up to a tie.

    After a tie the texts have parted, and each must be greedy for itself.
    """
    if list(answer) != list(wanted):
        require_greedy(model, prompt, answer)
        require_greedy(model, prompt, wanted)
