"""How far back figures look, and when nodes are too few or too many."""

from typing import Self

from pydantic import Field, model_validator

from federated_router.kit.config import Settings


class ScalingSettings(Settings):
    """What advice on nodes aims at.

    Nodes are added where a request would wait longer than `wait_s_max` or more than
    `utilisation_max` of the slots are busy. They are taken away only where those that
    stay would be enough for `utilisation_max / utilisation_min` times the load, and
    only where that held for all of the last `settle_s`. The load is looked at every
    `interval_s`; a model is given at least `nodes_min` and at most `nodes_max` nodes.
    """

    wait_s_max: float = Field(default=0.5, gt=0)
    utilisation_max: float = Field(default=0.8, gt=0, lt=1)
    utilisation_min: float = Field(default=0.6, gt=0, lt=1)
    nodes_min: int = Field(default=1, ge=0)
    nodes_max: int = Field(default=1000, ge=1, le=10_000)
    settle_s: float = Field(default=300.0, ge=0, le=86_400)
    interval_s: float = Field(default=10.0, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.utilisation_min >= self.utilisation_max:
            raise ValueError("utilisation_min: use less than utilisation_max")
        if self.nodes_min > self.nodes_max:
            raise ValueError("nodes_min: use at most nodes_max")
        return self


class LoadSettings(Settings):
    """The sliding window: `slices` slices that together last `window_s`.

    At most `pairs_max` pairs of node and model are remembered; the one that was idle
    longest goes first.
    """

    window_s: float = Field(default=60.0, ge=1, le=3600)
    slices: int = Field(default=12, ge=2, le=120)
    pairs_max: int = Field(default=4096, ge=1, le=100_000)
    scaling: ScalingSettings = ScalingSettings()
