"""A peer of the engine's benchmark: transformers' own continuous batching.

Left to itself it takes most of the machine's memory for its cache, so pages are given:
as many positions as the engine's slots have.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from transformers import (
    AutoModelForCausalLM,
    ContinuousBatchingConfig,
    GenerationConfig,
)
from transformers.generation.continuous_batching import ContinuousBatchingManager

from tests.bench.generate_peer import Answered, Ids

PAGE_TOKENS = 64
BATCH_TOKENS_MAX = 1024
ANSWER_S = 60.0


class PeerStalled(Exception):
    """The manager gave nothing for a minute: it has died, or dropped a request."""


@dataclass(slots=True)
class _Asked:
    """A request that runs: when it was asked, and when its first token came."""

    number: int
    asked_s: float
    first_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ContinuousPeer:
    """A started manager."""

    manager: ContinuousBatchingManager

    @classmethod
    @contextmanager
    def running(
        cls, directory: Path, *, slots: int, context_tokens: int
    ) -> Iterator["ContinuousPeer"]:
        """Load a model's directory and run the manager until left."""
        model = AutoModelForCausalLM.from_pretrained(
            directory, attn_implementation="sdpa"
        ).eval()
        manager = model.init_continuous_batching(
            generation_config=GenerationConfig(
                do_sample=False,
                eos_token_id=model.generation_config.eos_token_id,
                pad_token_id=0,
            ),
            continuous_batching_config=ContinuousBatchingConfig(
                page_size=PAGE_TOKENS,
                num_blocks=slots * context_tokens // PAGE_TOKENS,
                max_batch_tokens=BATCH_TOKENS_MAX,
                max_requests_per_batch=slots,
                allow_block_sharing=False,
            ),
        )
        manager.start()
        try:
            yield cls(manager)
        finally:
            manager.stop(block=True)

    def answer_all(
        self, prompts: Sequence[Ids], *, callers: int, tokens_max: int
    ) -> Answered:
        """Answer every prompt, `callers` at a time."""
        begin_s = time.perf_counter()
        running: dict[str, _Asked] = {}
        answers: dict[int, Ids] = {}
        first_ms: dict[int, float] = {}
        waiting = iter(enumerate(prompts))
        for _ in range(callers):
            self._ask(waiting, running, tokens_max)
        while running:
            result = self.manager.get_result(timeout=ANSWER_S)
            if result is None or result.error:
                raise PeerStalled(result.error if result else "no answer")
            one = running[result.request_id]
            if result.generated_tokens and not one.first_s:
                one.first_s = time.perf_counter()
            if result.is_finished():
                answers[one.number] = tuple(result.generated_tokens)
                first_ms[one.number] = (one.first_s - one.asked_s) * 1000
                del running[result.request_id]
                self._ask(waiting, running, tokens_max)
        seconds = time.perf_counter() - begin_s
        ordered = tuple(answers[number] for number in range(len(prompts)))
        return Answered(ordered, seconds, tuple(first_ms.values()))

    def _ask(
        self,
        waiting: Iterator[tuple[int, Ids]],
        running: dict[str, _Asked],
        tokens_max: int,
    ) -> None:
        for number, prompt in waiting:
            name = self.manager.add_request(
                list(prompt), max_new_tokens=tokens_max, streaming=True
            )
            if name is None:
                raise PeerStalled("a request was dropped")
            running[name] = _Asked(number, time.perf_counter())
            return
