"""What routing can be told: the strategy at start, strategies of one's own, limits."""

from pydantic import Field

from federated_router.kit.config import Settings


class ScorerSettings(Settings):
    """A scorer of a composed strategy, and what it weighs beside the others."""

    name: str
    weight: float = Field(default=1.0, gt=0, le=1000)


class StrategySettings(Settings):
    """A strategy made of parts that there are.

    `filters` are those beside the ones that always apply. Names of parts are checked
    when the router starts.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str = Field(min_length=1, max_length=200)
    scorers: tuple[ScorerSettings, ...] = Field(min_length=1, max_length=16)
    picker: str = "best"
    filters: tuple[str, ...] = ("queue_below_limit",)


class PrefixSettings(Settings):
    """How much is remembered of what nodes hold, and how it is weighed.

    A site (a node's model) is taken to hold the `blocks_per_site_max` blocks of 2,048
    bytes that it saw last; all sites together never hold more than `blocks_max`. A
    running request weighs as much as the prefill of `request_tokens` tokens. A site
    that got more than its share of the latest requests has less credit for what it
    holds, and none at `imbalance_max` times its share.
    """

    blocks_per_site_max: int = Field(default=8192, ge=1)
    blocks_max: int = Field(default=131_072, ge=1)
    request_tokens: int = Field(default=128, ge=0)
    imbalance_max: float = Field(default=1.75, gt=1)
    latest_requests: int = Field(default=1024, ge=1)


class ObservationSettings(Settings):
    """How a router remembers what it saw of nodes itself.

    What was seen counts half after `half_life_s`; `samples` such requests are believed
    as much as nothing. `completion_tokens` are expected of a model before it was seen
    to answer.
    """

    half_life_s: float = Field(default=120.0, gt=0)
    samples: float = Field(default=4.0, gt=0)
    completion_tokens: float = Field(default=256.0, gt=0)


class AnnealingSettings(Settings):
    """How the strategy `annealing` places requests together.

    Requests that come within `window_s`, `batch_max` at most, are placed at once, by at
    most `steps_max` steps: 16 requests take about 4 ms of the event loop in all.
    """

    window_s: float = Field(default=0.005, gt=0, le=1.0)
    batch_max: int = Field(default=16, ge=1, le=256)
    steps_max: int = Field(default=300, ge=1, le=10_000)


class RoutingSettings(Settings):
    """The strategy at start, those composed here, and how things are remembered.

    `priors_kept_max` revisions are kept to go back to; what a round counted weighs half
    after `priors_half_life_s`. A node gets no further request while `queue_factor`
    times its slots run there. A prompt's tokens are estimated, and may be
    `context_slack` times fewer: up to there the largest context is tried. `seed` makes
    random picks repeatable; absent, they are not.
    """

    strategy: str = "federated_priors"
    strategies: tuple[StrategySettings, ...] = Field(default=(), max_length=32)
    priors_kept_max: int = Field(default=8, ge=1, le=64)
    priors_half_life_s: float = Field(default=7 * 86_400.0, gt=0)
    queue_factor: float = Field(default=64.0, ge=1)
    context_slack: float = Field(default=4.0, ge=1)
    seed: int | None = Field(default=None, ge=0)
    prefix: PrefixSettings = PrefixSettings()
    observation: ObservationSettings = ObservationSettings()
    annealing: AnnealingSettings = AnnealingSettings()
