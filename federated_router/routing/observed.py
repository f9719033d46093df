"""What this router saw of its nodes itself, forgotten with age.

Decides how long an answer is expected to take at a site and how far that is to be
believed. Every sum halves with each half-life, so that old load never steers and no
bad mark lasts. Refuses to know the federation's priors, and what is chosen.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import numpy as np

from federated_router.routing.candidate import Site
from federated_router.routing.columns import Floats, Numbering, grown
from federated_router.routing.served import Served
from federated_router.routing.settings import ObservationSettings

_SEEN_S, _REQUESTS, _SUCCESSES, _FIRST_MS, _REST_MS, _REST_TOKENS, _RUNNING = range(7)
_SUMS: Final = slice(_REQUESTS, _RUNNING + 1)
"""Rows of sums by site; each halves with a half-life since the site was seen."""


@dataclass(slots=True)
class Expected:
    """How long answers take at sites, in milliseconds, and the weight in [0, 1) of it.

    One entry for each site. `total_ms` counts what attempts that fail cost: it is
    divided by their success, without end where all failed, and NaN where a site was not
    seen; its weight is 0. It was seen while `running` other requests ran there, in the
    mean.
    """

    total_ms: Floats
    weight: Floats
    running: Floats

    def under(self, running: Floats) -> Floats:
        """Return the times while so many run: a node's requests share its speed.

        Without this a node that was busy would count as slow, and be idle, and be fast.
        """
        times: Floats = self.total_ms * (1.0 + running) / (1.0 + self.running)
        return times


class Observed:
    """What was seen of each site, and of each model's answers."""

    def __init__(self, settings: ObservationSettings) -> None:
        self._settings = settings
        self._sites: Numbering[Site] = Numbering()
        self._sums: Floats = np.zeros((_RUNNING + 1, 64))
        self._tokens: dict[str, tuple[float, float]] = {}

    def observe(
        self, site: Site, served: Served, *, now_s: float, running: int = 0
    ) -> None:
        """Count one attempt that ended, while `running` others ran at its node."""
        number = self._sites.enter(site)
        self._make_room()
        sums = self._sums[:, number]
        age_s = max(now_s - sums[_SEEN_S], 0.0)
        sums[_SUMS] *= math.exp2(-age_s / self._settings.half_life_s)
        sums[_SEEN_S] = now_s
        sums[_REQUESTS] += 1.0
        sums[_RUNNING] += running
        if not served.succeeded:
            return
        first_ms, tokens = served.first_token_ms, served.completion_tokens
        if first_ms is None:  # The whole time is its tokens'.
            first_ms, tokens = 0.0, tokens + 1
        sums[_SUCCESSES] += 1.0
        sums[_FIRST_MS] += first_ms
        sums[_REST_MS] += max(served.total_ms - first_ms, 0.0)
        sums[_REST_TOKENS] += max(tokens - 1, 0)
        self._count_tokens(site[1], served.completion_tokens)

    def expected(
        self, sites: tuple[Site, ...], tokens: Floats, *, now_s: float
    ) -> Expected:
        """Return what to expect of answers of so many tokens at each site."""
        rows = self._sites.rows(sites)
        self._make_room()
        sums = self._sums[:, rows]
        requests, successes = sums[_REQUESTS], sums[_SUCCESSES]
        age_s = np.maximum(now_s - sums[_SEEN_S], 0.0)
        counted = requests * np.exp2(-age_s / self._settings.half_life_s)
        with np.errstate(divide="ignore", invalid="ignore"):
            token_ms = sums[_REST_MS] / sums[_REST_TOKENS]
            token_ms[sums[_REST_TOKENS] == 0.0] = 0.0
            answer_ms = sums[_FIRST_MS] / successes + token_ms * tokens
            total_ms = answer_ms / (successes / requests)
            running = sums[_RUNNING] / requests
        total_ms[successes == 0.0] = np.inf
        total_ms[requests == 0.0] = np.nan
        return Expected(total_ms, counted / (counted + self._settings.samples), running)

    def completion_tokens(self, model: str, tokens_max: int) -> float:
        """Return how many tokens to expect of a model's answer; `tokens_max` 0 is open.

        The mean over its latest answers, and over a few as configured.
        """
        usual = self._settings.completion_tokens
        total, answers = self._tokens.get(model, (0.0, 0.0))
        samples = self._settings.samples
        mean = (total + usual * samples) / (answers + samples)
        return min(mean, tokens_max) if tokens_max else mean

    def keep_only(self, sites: Collection[Site]) -> None:
        """Forget the sites that are not among these, and models that nobody serves."""
        models = {model for _, model in sites}
        for site in [one for one in self._sites if one not in sites]:
            self._sums[:, self._sites.number(site)] = 0.0
            self._sites.leave(site)
        for model in [one for one in self._tokens if one not in models]:
            del self._tokens[model]

    def _make_room(self) -> None:
        if self._sites.highest >= self._sums.shape[1]:
            self._sums = grown(self._sums, self._sites.highest)

    def _count_tokens(self, model: str, tokens: int) -> None:
        """Count an answer's tokens; of a thousand answers the last weighs e times."""
        total, answers = self._tokens.get(model, (0.0, 0.0))
        self._tokens[model] = (total * 0.999 + tokens, answers * 0.999 + 1.0)
