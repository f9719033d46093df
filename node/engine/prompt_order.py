"""Whose prompt is read next, and how much of it at once.

Decides by length and arrival alone; refuses to know models. One pass reads at most
`tokens_max` positions, padding included. Passes take turns: one begins with the oldest
prompt, the next with the shortest. So a short prompt waits for at most two passes of a
long one before it, and the long one is read in every second pass at least.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar


class Prompt(Protocol):
    """What the order sees of a row."""

    @property
    def number(self) -> int:
        """Return its place in the order of arrival."""
        ...

    @property
    def missing(self) -> int:
        """Return how many tokens it needs read; with 1 it decodes instead."""
        ...


PromptT = TypeVar("PromptT", bound=Prompt)


class PromptOrder:
    """Chooses the prompts of each pass; `tokens_max` bounds its padded positions."""

    def __init__(self, *, tokens_max: int) -> None:
        self._tokens_max = tokens_max
        self._oldest_first = False

    def part(self, prompt: Prompt) -> int:
        """Return how many of the prompt's tokens one pass reads."""
        return min(prompt.missing, self._tokens_max)

    def next_group(self, prompts: Sequence[PromptT]) -> list[PromptT]:
        """Return those whose padded parts fit one pass; at least one that needs it."""
        self._oldest_first = not self._oldest_first
        waiting = [prompt for prompt in prompts if prompt.missing > 1]
        waiting.sort(key=self._by_age if self._oldest_first else self._by_length)
        group: list[PromptT] = []
        longest = 0
        for prompt in waiting:
            longest = max(longest, self.part(prompt))
            if group and (len(group) + 1) * longest > self._tokens_max:
                break
            group.append(prompt)
        return group

    @staticmethod
    def _by_age(prompt: Prompt) -> tuple[int, int]:
        return prompt.number, 0

    @staticmethod
    def _by_length(prompt: Prompt) -> tuple[int, int]:
        return prompt.missing, prompt.number
