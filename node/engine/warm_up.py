"""Proves at start-up that the slots give what the model alone would give.

Decides whether an architecture may be served; refuses to know which one it is. A model
that ignores the positions or the mask it is given would answer wrongly and without any
error, so it is refused before the first request.
"""

from collections.abc import Sequence

import torch
from transformers import PreTrainedModel

from node.engine.batcher import Batcher
from node.engine.device_map import input_device, vocabulary_size_of
from node.engine.engine import Sampling

_PROMPT_LENGTHS = (3, 11, 6)
_STEPS = 4
# A logit may lie this far below the best, in standard deviations of its row, where
# another order of summation rounds differently; a wrong mask is off by whole ones.
_TOLERANCE = {torch.float32: 0.01, torch.float16: 0.1, torch.bfloat16: 0.5}
_TOLERANCE_DEFAULT = 0.5


def warm_up(model: PreTrainedModel, batcher: Batcher, *, context_tokens: int) -> None:
    """Run ragged prompts through the batcher and check every token it draws.

    Raises:
        ValueError: the model alone would have drawn other tokens.
    """
    lengths = [length for length in _PROMPT_LENGTHS if length + 1 < context_tokens]
    greedy = Sampling(tokens_max=_STEPS)
    prompts = [_prompt(model, length) for length in (lengths or [1])[: batcher.slots]]
    rows = [batcher.join(prompt, greedy) for prompt in prompts]
    for _ in range(min(_STEPS, context_tokens - max(map(len, prompts)))):
        for drawn in batcher.step():
            if drawn.failure is not None:
                raise ValueError(
                    "the model cannot run in slots; serve another architecture"
                ) from drawn.failure
    for row, prompt in zip(rows, prompts, strict=True):
        _check(model, row.token_ids, prompt_tokens=len(prompt))
        batcher.leave(row)


def _prompt(model: PreTrainedModel, length: int) -> list[int]:
    vocabulary_size = vocabulary_size_of(model)
    return [(7 + 31 * at) % vocabulary_size for at in range(length)]


@torch.inference_mode()
def _check(
    model: PreTrainedModel, token_ids: Sequence[int], *, prompt_tokens: int
) -> None:
    ids = torch.tensor([token_ids], device=input_device(model))
    logits = model(input_ids=ids, use_cache=False).logits[0].float()
    tolerance = _TOLERANCE.get(model.dtype, _TOLERANCE_DEFAULT)
    for position in range(prompt_tokens, len(token_ids)):
        row = logits[position - 1]
        behind = row.max() - row[token_ids[position]]
        if not behind <= tolerance * row.std():
            raise ValueError(
                f"models of type {model.config.model_type!r} do not follow the "
                "positions they are given; serve another architecture"
            )
