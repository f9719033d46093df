"""The peer of the node benchmark: plain `transformers.generate`, one by one or batched.

Greedy, on one thread, as the engine runs; padding that a static batch computes past
the end of an answer is not counted as tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GeneratePeer:
    """A model and its tokenizer, as a script would use them."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @classmethod
    def load(cls, directory: Path) -> "GeneratePeer":
        """Load a model's directory."""
        tokenizer = AutoTokenizer.from_pretrained(directory, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(directory)
        return cls(model.eval(), tokenizer)

    def answers(
        self, prompts: Sequence[Ids], *, batch: int, tokens_max: int
    ) -> list[Ids]:
        """Return the tokens of every answer, `batch` prompts in a call."""
        found: list[Ids] = []
        for start in range(0, len(prompts), batch):
            found += self._generate(prompts[start : start + batch], tokens_max)
        return found

    @torch.inference_mode()
    def _generate(self, prompts: Sequence[Ids], tokens_max: int) -> list[Ids]:
        inputs = self.tokenizer.pad(
            {"input_ids": [list(prompt) for prompt in prompts]}, return_tensors="pt"
        )
        output = self.model.generate(  # type: ignore[operator]
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=tokens_max,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
        )
        width = inputs["input_ids"].shape[1]
        return [self._until_end(row) for row in output[:, width:].tolist()]

    def _until_end(self, tokens: list[int]) -> Ids:
        end = self.tokenizer.eos_token_id
        length = tokens.index(end) + 1 if end in tokens else len(tokens)
        return tuple(tokens[:length])
