"""What an operator decides of the choice of a model."""

from enum import StrEnum

from pydantic import Field

from federated_router.kit.config import Settings


class Exploration(StrEnum):
    """How another model than the best is picked when one may be.

    THOMPSON prefers those that may well be better, EPSILON none, OFF picks none ever.
    """

    THOMPSON = "thompson"
    EPSILON = "epsilon"
    OFF = "off"


class ChoiceSettings(Settings):
    """How models are judged, what their answers may cost, and how much is tried out.

    A model's utility is its expected quality less, for latency, cost and CO2e, the
    weight times min(expected / scale, 1). At most `exploration_max` of requests
    explore, of which up to a window's worth may be saved up. Own outcomes count half
    after `half_life_s`; those of `models_max` models are kept, with `word_features`
    numbers for words beside the federation's features. `outcome_wait_s` is how long a
    report may take; `outcomes_max` requests wait for one.
    """

    latency_weight: float = Field(default=0.05, ge=0)
    latency_scale_ms: float = Field(default=10_000.0, gt=0)
    cost_weight: float = Field(default=0.1, ge=0)
    cost_scale: float = Field(default=0.01, gt=0)
    carbon_weight: float = Field(default=0.05, ge=0)
    carbon_scale_mg: float = Field(default=1_000.0, gt=0)
    exploration: Exploration = Exploration.THOMPSON
    exploration_max: float = Field(default=0.05, ge=0, le=0.5)
    exploration_window: int = Field(default=1_000, ge=1, le=1_000_000)
    half_life_s: float = Field(default=7 * 86_400.0, gt=0)
    models_max: int = Field(default=32, ge=1, le=256)
    word_features: int = Field(default=256, ge=0, le=1_024)
    feature_ridge: float = Field(default=100.0, gt=0)
    word_ridge: float = Field(default=24.0, gt=0)
    noise_caution: float = Field(default=2.0, ge=0)
    quality_prior: float = Field(default=0.5, ge=0, le=1)
    quality_prior_requests: float = Field(default=2.0, gt=0)
    pattern_spread: float = Field(default=0.25, gt=0, le=1)
    solve_interval_s: float = Field(default=1.0, gt=0)
    outcome_wait_s: float = Field(default=300.0, gt=0)
    outcomes_max: int = Field(default=10_000, ge=1, le=1_000_000)
    length_stop_reward: float = Field(default=0.5, ge=0, le=1)
