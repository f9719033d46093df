"""What this router saw of its nodes itself, forgotten with age.

Decides how long an answer is expected to take at a site and how far that is to be
believed. Every sum halves with each half-life, so that old load never steers and no
bad mark lasts. Refuses to know the federation's priors, and what is chosen.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

from federated_router.routing.candidate import Site
from federated_router.routing.served import Served
from federated_router.routing.settings import ObservationSettings


@dataclass(slots=True)
class Tally:
    """Sums over the answers of one site; each halves with a half-life of age."""

    seen_s: float
    requests: float = 0.0
    successes: float = 0.0
    first_token_ms: float = 0.0
    rest_ms: float = 0.0
    rest_tokens: float = 0.0
    running: float = 0.0

    def aged(self, kept: float, now_s: float) -> None:
        """Multiply every sum by `kept`; it is now `now_s`."""
        self.seen_s = now_s
        self.requests *= kept
        self.successes *= kept
        self.first_token_ms *= kept
        self.rest_ms *= kept
        self.rest_tokens *= kept
        self.running *= kept


@dataclass(slots=True)
class Expected:
    """How long an answer takes, in milliseconds, and the weight in [0, 1) to give it.

    `total_ms` counts what attempts that fail cost: it is divided by their success. It
    was seen while `running` other requests ran there, in the mean.
    """

    total_ms: float
    weight: float
    running: float = 0.0

    def under(self, running: int) -> float:
        """Return the time while so many run: a node's requests share its speed.

        Without this a node that was busy would count as slow, and be idle, and be fast.
        """
        return self.total_ms * (1 + running) / (1 + self.running)


class Observed:
    """Answers by site and tokens by model, as they were seen lately."""

    def __init__(self, settings: ObservationSettings) -> None:
        self._settings = settings
        self._tallies: dict[Site, Tally] = {}
        self._tokens: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        """Return how many sites were seen."""
        return len(self._tallies)

    def __contains__(self, site: Site) -> bool:
        """Return whether a site was seen."""
        return site in self._tallies

    def observe(
        self, site: Site, served: Served, *, now_s: float, running: int = 0
    ) -> None:
        """Count one attempt that ended, while `running` others ran at its node."""
        tally = self._tallies.setdefault(site, Tally(now_s))
        tally.aged(self._kept(tally, now_s), now_s)
        tally.requests += 1.0
        tally.running += running
        if not served.succeeded:
            return
        tally.successes += 1.0
        first_ms, tokens = served.first_token_ms, served.completion_tokens
        if first_ms is None:  # The whole time is its tokens'.
            first_ms, tokens = 0.0, tokens + 1
        tally.first_token_ms += first_ms
        tally.rest_ms += max(served.total_ms - first_ms, 0.0)
        tally.rest_tokens += max(tokens - 1, 0)
        self._count_tokens(site[1], served.completion_tokens)

    def expected(self, site: Site, tokens: float, *, now_s: float) -> Expected | None:
        """Return what to expect of an answer of so many tokens; None if unseen.

        A site that only failed is expected to take for ever.
        """
        tally = self._tallies.get(site)
        if tally is None or not tally.requests:
            return None
        requests = tally.requests * self._kept(tally, now_s)
        weight = requests / (requests + self._settings.samples)
        if not tally.successes:
            return Expected(float("inf"), weight)
        running = tally.running / tally.requests
        first_ms = tally.first_token_ms / tally.successes
        token_ms = tally.rest_ms / tally.rest_tokens if tally.rest_tokens else 0.0
        success = tally.successes / tally.requests
        total_ms = (first_ms + token_ms * tokens) / success
        return Expected(total_ms, weight, running)

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
        for site in [one for one in self._tallies if one not in sites]:
            del self._tallies[site]
        for model in [one for one in self._tokens if one not in models]:
            del self._tokens[model]

    def _count_tokens(self, model: str, tokens: int) -> None:
        """Count an answer's tokens; of a thousand answers the last weighs e times."""
        total, answers = self._tokens.get(model, (0.0, 0.0))
        self._tokens[model] = (total * 0.999 + tokens, answers * 0.999 + 1.0)

    def _kept(self, tally: Tally, now_s: float) -> float:
        age_s = max(now_s - tally.seen_s, 0.0)
        return math.exp2(-age_s / self._settings.half_life_s)
