"""Which models could answer now, and what their answers would take. Pure.

A model's figures are those of the best of its nodes that are open now.
"""

from collections.abc import Sequence

import numpy as np

from federated_router.choice.choosing import ModelOption
from federated_router.routing.columns import Floats, Rows
from federated_router.routing.expectations import takings_of
from federated_router.routing.moment import Moment
from federated_router.routing.priors_view import PriorsView
from federated_router.routing.slate import Slate


def options_of(
    slate: Slate,
    places: Sequence[int],
    moment: Moment,
    priors: PriorsView,
    *,
    private: bool,
) -> list[ModelOption]:
    """Return each model with an open place, by name."""
    roster = slate.candidates
    takings = takings_of(roster, moment, priors, private=private)
    open_ = slate.rows(places)
    numbers = roster.model_numbers[open_]
    found: list[ModelOption] = []
    for number, model in enumerate(roster.models):
        mine = open_[numbers == number]
        if len(mine):
            figures = (takings.latency_ms, takings.cost, takings.co2e_mg)
            latency_ms, cost, co2e_mg = (_least(one, mine) for one in figures)
            found.append(ModelOption(model, latency_ms, cost, co2e_mg))
    return found


def _least(values: Floats, places: Rows) -> float | None:
    """Return the least of some places' values; None where none is known."""
    least = float(np.fmin.reduce(values[places]))
    return None if np.isnan(least) else least
