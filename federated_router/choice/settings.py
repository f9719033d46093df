"""What an operator decides of the choice of a model."""

from enum import StrEnum
from pathlib import Path

from pydantic import Field, field_validator

from federated_router.kit.config import Settings
from federated_router.priors.features import FEATURE_COUNT


class Exploration(StrEnum):
    """How another model than the best is picked when one may be.

    THOMPSON prefers those that may well be better, EPSILON none, OFF picks none ever.
    """

    THOMPSON = "thompson"
    EPSILON = "epsilon"
    OFF = "off"


class EmbeddingSettings(Settings):
    """A model of sentences, and how much a decision waits for it.

    `model` is a directory with an encoder and its tokenizer, as transformers saves
    them; of a prompt `tokens_max` tokens are read, and `features` numbers taken. A
    decision waits `deadline_s` at most. `waiting_max` prompts wait, half as many for
    their outcomes alone; `batch_max` are embedded at a time, by `threads` threads.
    Embeddings are remembered in `cache_bytes_max`.
    """

    model: Path
    features: int = Field(default=64, ge=8, le=512)
    tokens_max: int = Field(default=128, ge=8, le=8_192)
    deadline_s: float = Field(default=0.02, gt=0, le=10)
    waiting_max: int = Field(default=64, ge=2, le=10_000)
    batch_max: int = Field(default=8, ge=1, le=256)
    threads: int = Field(default=1, ge=1, le=256)
    cache_bytes_max: int = Field(default=8 << 20, ge=1 << 16, le=1 << 30)
    ridge: float = Field(default=8.0, gt=0)

    @field_validator("model")
    @classmethod
    def _holds_a_model(cls, directory: Path) -> Path:
        if not (directory / "config.json").is_file():
            raise ValueError(f"{directory} holds no model: there is no config.json")
        return directory


class ChoiceSettings(Settings):
    """How models are judged, what their answers may cost, and how much is tried out.

    A model's utility is its expected quality less, for latency, cost and CO2e, the
    weight times min(expected / scale, 1). At most `exploration_max` of requests
    explore, of which up to a window's worth may be saved up. Own outcomes count half
    after `half_life_s`; those of `models_max` models are kept, with `word_features`
    numbers for words beside the federation's features. `outcome_wait_s` is how long a
    report may take; `outcomes_max` requests wait for one. Without `embedding` nothing
    is asked what a prompt means.
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
    feature_ridge: float = Field(default=1600.0, gt=0)
    word_ridge: float = Field(default=96.0, gt=0)
    noise_caution: float = Field(default=2.0, ge=0)
    quality_prior: float = Field(default=0.5, ge=0, le=1)
    quality_prior_requests: float = Field(default=2.0, gt=0)
    pattern_spread: float = Field(default=0.125, gt=0, le=1)
    solve_interval_s: float = Field(default=5.0, gt=0)
    outcome_wait_s: float = Field(default=300.0, gt=0)
    outcomes_max: int = Field(default=10_000, ge=1, le=1_000_000)
    length_stop_reward: float = Field(default=0.5, ge=0, le=1)
    embedding: EmbeddingSettings | None = None

    @property
    def embedding_place(self) -> int:
        """Where embeddings stand among a prompt's numbers."""
        return FEATURE_COUNT + self.word_features

    @property
    def width(self) -> int:
        """How many numbers a prompt has.

        Beside those of its embedding is one that says whether there is any: vectors of
        one model have a mean of their own, which is not the mean of none.
        """
        if self.embedding is None:
            return self.embedding_place
        return self.embedding_place + self.embedding.features + 1
