"""Peers of the engine's benchmark: a loop over `transformers.generate`, or batches.

Greedy, on one thread, as the engine runs; padding that a static batch computes past
the end of an answer is not counted as tokens. A caller's time to its first token runs
from when it asks: behind others in a loop, and with its whole batch in a static one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    StoppingCriteria,
    StoppingCriteriaList,
)

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a run gave: every answer's tokens, in the order of the prompts."""

    answers: tuple[Ids, ...]
    seconds: float
    first_token_ms: tuple[float, ...]

    @property
    def tokens_per_s(self) -> float:
        """Return generated tokens per second over the whole run."""
        return sum(map(len, self.answers)) / self.seconds


class FirstToken(StoppingCriteria):
    """Notes when the first token of a call is there, and never stops it."""

    def __init__(self) -> None:
        self.came_s: float | None = None

    def __call__(
        self, input_ids: torch.Tensor, scores: torch.Tensor, **_: object
    ) -> torch.Tensor:
        """Return False for every row."""
        del scores
        if self.came_s is None:
            self.came_s = time.perf_counter()
        return torch.zeros(len(input_ids), dtype=torch.bool)


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

    def answer_all(
        self, prompts: Sequence[Ids], *, callers: int, batch: int, tokens_max: int
    ) -> Answered:
        """Answer every prompt, `batch` in a call; `callers` ask one after another."""
        answers: list[Ids] = []
        first_ms: list[float] = []
        begin_s = time.perf_counter()
        ended_s: list[float] = []
        for start in range(0, len(prompts), batch):
            numbers = range(start, min(start + batch, len(prompts)))
            found, first_s = self._generate([prompts[at] for at in numbers], tokens_max)
            answers += found
            # A caller asks again when its last answer is there.
            asked = [
                begin_s if at < callers else ended_s[at - callers] for at in numbers
            ]
            first_ms += [(first_s - asked_s) * 1000 for asked_s in asked]
            ended_s += [time.perf_counter()] * len(numbers)
        return Answered(tuple(answers), time.perf_counter() - begin_s, tuple(first_ms))

    @torch.inference_mode()
    def _generate(
        self, prompts: Sequence[Ids], tokens_max: int
    ) -> tuple[list[Ids], float]:
        inputs = self.tokenizer.pad(
            {"input_ids": [list(prompt) for prompt in prompts]}, return_tensors="pt"
        )
        first = FirstToken()
        output = self.model.generate(  # type: ignore[operator]
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            max_new_tokens=tokens_max,
            do_sample=False,
            pad_token_id=self.tokenizer.pad_token_id,
            stopping_criteria=StoppingCriteriaList([first]),
        )
        width = inputs["input_ids"].shape[1]
        answers = [self._until_end(row) for row in output[:, width:].tolist()]
        return answers, first.came_s or time.perf_counter()

    def _until_end(self, tokens: list[int]) -> Ids:
        end = self.tokenizer.eos_token_id
        length = tokens.index(end) + 1 if end in tokens else len(tokens)
        return tuple(tokens[:length])
