"""Chooses among models: a linear model of reward for each, by own and federated sums.

Decides which sums are kept, when they are solved again, and that a choice is explained
by what it rested on. Refuses to know nodes, priors' revisions and who reports outcomes.

Choosing reads what was solved last; `run` solves in a thread what has changed since.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from secrets import SystemRandom
from types import MappingProxyType
from typing import Final

from federated_router.choice import metrics
from federated_router.choice.choosing import (
    Expectation,
    ModelChoice,
    ModelOption,
    Wishes,
)
from federated_router.choice.embedding import Embeddings
from federated_router.choice.expecting import (
    Quality,
    combined,
    expectations_of,
    pattern_quality,
)
from federated_router.choice.exploring import Allowance, chances, drawn
from federated_router.choice.own_rewards import NO_PATTERN, OwnRewards
from federated_router.choice.reward_model import RewardModel, solve
from federated_router.choice.settings import ChoiceSettings
from federated_router.choice.sight import Sight, last_seen
from federated_router.choice.solutions import Solutions, stacked
from federated_router.kit.clock import Clock
from federated_router.priors.bandit import BanditEvidence
from federated_router.priors.contents import PatternCell
from federated_router.priors.pattern_priors import PatternEvidence
from federated_router.priors.prompt import Prompt

Bandits = Mapping[str, BanditEvidence]
Patterns = Mapping[PatternCell, PatternEvidence]

_AGES: Final = 64.0
"""How often in a half-life everything is solved again."""


class LinearChooser:
    """A `ModelChooser` for the event loop's thread; `uniform` draws from [0, 1).

    `see` stands for `sight_of` where the same prompts come again and again. With
    `embeddings` a prompt is seen with its embedding as soon as that is there.

    Own outcomes are kept of `models_max` models: a further one takes the place of the
    one that was longest without an outcome.
    """

    def __init__(
        self,
        settings: ChoiceSettings,
        clock: Clock,
        *,
        uniform: Callable[[], float] | None = None,
        see: Callable[[Prompt], Sight] | None = None,
        embeddings: Embeddings | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._uniform = uniform or SystemRandom().random
        self._allowance = Allowance(settings)
        self._see = see or last_seen(settings.word_features)
        self._embeddings = embeddings
        self._own: dict[str, OwnRewards] = {}
        self._solved: dict[str, RewardModel] = {}
        self._stacked: Solutions | None = None
        self._changed: set[str] = set()
        self._bandits: Bandits = MappingProxyType({})
        self._patterns: Patterns = MappingProxyType({})

    def see(self, prompt: Prompt, tenant: str = "") -> Sight:
        """Return what is seen of a prompt; the last one's is remembered.

        What is missing is looked for, so that it is there when the outcome is.
        """
        if self._embeddings is not None:
            self._embeddings.want(prompt, tenant)
        return self._seen(prompt, tenant)

    def believe(self, bandits: Bandits, patterns: Patterns) -> None:
        """Add these of the federation to own outcomes from now on, instead of others.

        Rewards of models follow once they are solved.
        """
        self._changed |= self._bandits.keys() | bandits.keys()
        self._bandits, self._patterns = bandits, patterns

    def learn(self, model: str, seen: Sight, reward: float) -> None:
        """Count one outcome, a reward in [0, 1]."""
        seen, now_s = self._completed(seen), self._clock.monotonic_s()
        own = self._own.pop(model, None)
        if own is None:
            if len(self._own) >= self._settings.models_max:
                longest_without = next(iter(self._own))
                del self._own[longest_without]
                self._changed.add(longest_without)
            own = self._new(now_s)
        self._own[model] = own
        own.add(seen, reward, now_s=now_s)
        self._changed.add(model)

    def choose(
        self,
        prompt: Prompt,
        options: Sequence[ModelOption],
        wishes: Wishes,
        *,
        explore: bool,
        tenant: str = "",
    ) -> ModelChoice:
        """Return the choice; with `explore` False the same choice every time."""
        seen, now_s = self._seen(prompt, tenant), self._clock.monotonic_s()
        if self._stacked is None:
            self._stacked = stacked(self._solved)
        linear = self._stacked.qualities(seen)
        qualities = [
            combined(self._at_pattern(one.model, seen, now_s), linear.get(one.model))
            for one in options
        ]
        expected = expectations_of(options, qualities, wishes, self._settings)
        expected.sort(key=lambda one: (-one.utility, one.option.model))
        ranked = [one for one in expected if not one.rejected_by]
        refused = [one for one in expected if one.rejected_by]
        if explore and not wishes.steady:
            ranked, taken = self._tried(ranked)
        else:
            taken = 0
        chosen = ranked[taken].option.model if ranked else None
        if explore and chosen is not None:
            metrics.CHOICES.labels(chosen, str(taken > 0).lower()).inc()
        return ModelChoice(
            expectations=(*ranked, *refused),
            chosen=chosen,
            explored=taken > 0,
            features=seen.named,
            pattern=seen.pattern,
        )

    def solve_changed(self) -> None:
        """Solve everything that has changed, here and now: for some ms a model."""
        while self._changed:
            model = self._changed.pop()
            self._solved_as(model, self._solution(model))

    async def run(self) -> None:
        """Solve what has changed, in a thread, until cancelled.

        All is solved again now and then: own outcomes age, the federation's do not.
        """
        aged_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(self._settings.solve_interval_s)
            if self._clock.monotonic_s() - aged_s > self._settings.half_life_s / _AGES:
                aged_s = self._clock.monotonic_s()
                self._changed |= self._own.keys()
            for model in tuple(self._changed):
                self._changed.discard(model)
                solved = await asyncio.to_thread(self._solution, model)
                self._solved_as(model, solved)

    def _seen(self, prompt: Prompt, tenant: str) -> Sight:
        seen = self._see(prompt)
        if self._embeddings is None:
            return seen
        key = self._embeddings.key(prompt, tenant)
        return self._completed(replace(seen, unembedded=key))

    def _completed(self, seen: Sight) -> Sight:
        """Return a sight with its embedding, if that has come."""
        if self._embeddings is None or not seen.unembedded:
            return seen
        found = self._embeddings.known(seen.unembedded)
        if found is None:
            return seen
        return seen.with_embedding(found, place=self._settings.embedding_place)

    def _tried(self, ranked: list[Expectation]) -> tuple[list[Expectation], int]:
        """Return the options with their chances of being tried, and the one taken."""
        chance = self._allowance.chance
        tried = chances(ranked, self._settings.exploration, chance)
        self._allowance.earn()
        taken = drawn(tried, self._uniform()) if any(tried) else 0
        if taken:
            self._allowance.use()
        if not any(tried):
            return ranked, taken
        pairs = zip(ranked, tried, strict=True)
        return [replace(one, exploration=odds) for one, odds in pairs], taken

    def _at_pattern(self, model: str, seen: Sight, now_s: float) -> Quality | None:
        own = self._own.get(model)
        told = self._patterns.get(PatternCell(seen.pattern, model))
        counted = NO_PATTERN if own is None else own.pattern(seen.pattern, now_s)
        return pattern_quality(counted, told, self._settings)

    def _solution(self, model: str) -> RewardModel:
        """Return what a model's rewards are now; takes milliseconds."""
        now_s = self._clock.monotonic_s()
        own = self._own.get(model) or self._new(now_s)
        return solve(own.sums(now_s), self._bandits.get(model), self._settings)

    def _solved_as(self, model: str, solved: RewardModel) -> None:
        """Use what was solved, unless nothing is known of the model any more."""
        self._stacked = None
        if model in self._own or model in self._bandits:
            self._solved[model] = solved
        else:
            self._solved.pop(model, None)

    def _new(self, now_s: float) -> OwnRewards:
        return OwnRewards(
            width=self._settings.width,
            half_life_s=self._settings.half_life_s,
            now_s=now_s,
        )
