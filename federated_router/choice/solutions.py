"""Every model's solved rewards, stacked, so that one prompt asks them all at once.

Decides nothing: a choice between ten models takes as many steps as one between two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federated_router.choice.expecting import Quality
from federated_router.choice.reward_model import RewardModel
from federated_router.choice.sight import Sight
from federated_router.priors.features import FEATURE_COUNT

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Solutions:
    """`RewardModel`s by name; arrays have one row for each, in the order of `names`."""

    names: Mapping[str, int]
    models: Sequence[RewardModel] = field(repr=False)
    means: Reals = field(repr=False)
    thetas: Reals = field(repr=False)
    covariances: Reals = field(repr=False)
    variances: Reals = field(repr=False)

    def qualities(self, seen: Sight) -> dict[str, Quality]:
        """Return what each model is expected to be worth at a prompt, unclipped."""
        if not self.models:
            return {}
        shape, words = seen.values[:FEATURE_COUNT], seen.values[FEATURE_COUNT:]
        places = seen.places[FEATURE_COUNT:] - FEATURE_COUNT
        values = self.means + self.thetas[:, seen.places] @ seen.values
        variances = (self.covariances @ shape) @ shape
        variances += self.variances[:, places] @ (words * words)
        rows = zip(values.tolist(), variances.tolist(), self.models, strict=True)
        return {
            name: Quality(value, variance, own=model.own, told=model.told)
            for name, (value, variance, model) in zip(self.names, rows, strict=True)
        }


def stacked(solved: Mapping[str, RewardModel]) -> Solutions:
    """Return the models side by side; there may be none."""
    models = tuple(solved.values())
    return Solutions(
        names={name: row for row, name in enumerate(solved)},
        models=models,
        means=np.array([one.mean for one in models], dtype=np.float64),
        thetas=np.array([one.theta for one in models], dtype=np.float64),
        covariances=np.array([one.covariance for one in models], dtype=np.float64),
        variances=np.array([one.variances for one in models], dtype=np.float64),
    )
