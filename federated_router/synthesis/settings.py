"""Limits of synthesis jobs; every one has a test that reaches it."""

from typing import Self

from pydantic import Field, model_validator

from federated_router.budget.ledger import LEASE_S_MAX
from federated_router.kit.config import Settings


class SynthesisSettings(Settings):
    """How large jobs are, how many there are, and how long they are kept.

    A job's hold lasts `hold_s` from its last batch; a job that nobody goes on with is
    charged then for what can have been sampled. A closed job's texts are deleted
    `lifetime_s` after it was closed.
    """

    records_max: int = Field(default=1_000_000, ge=1)
    open_jobs_max: int = Field(default=8, ge=1)
    batches_live_max: int = Field(default=4, ge=1)
    hold_s: float = Field(default=LEASE_S_MAX, gt=0, le=LEASE_S_MAX)
    lifetime_s: float = Field(default=30 * 86_400.0, gt=0)
    delete_interval_s: float = Field(default=600.0, gt=0)
    timeout_s: float = Field(default=5.0, gt=0)

    @model_validator(mode="after")
    def _kept_after_the_hold(self) -> Self:
        if self.lifetime_s < self.hold_s:
            raise ValueError("lifetime_s must be at least hold_s")
        return self
