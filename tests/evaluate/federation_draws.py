"""How well members choose alone and after a round, drawn several times.

Decides what one draw is: a division of the questions into trained and tested ones, one
among the members, and noise of its own. Refuses to know how rounds are played.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from federated_router.choice.chooser import LinearChooser
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.privacy.accountant import epsilon_of_rho
from federated_router.routing.priors_view import PriorsView
from tests.evaluate.choice import chooser_scores, gains, new_chooser, teach
from tests.evaluate.mmlu import Places, Questions, routed
from tests.evaluate.sharing import DELTA, divided

TRAINING = 7_000
TESTED = 3_000
JUDGED = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure as the mean of several draws, and that mean's standard error."""

    draws: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Return the mean."""
        return float(np.mean(self.draws))

    @property
    def standard_error(self) -> float:
        """Return the mean's standard error; NaN for a single draw."""
        if len(self.draws) < 2:
            return float("nan")
        return float(np.std(self.draws, ddof=1) / np.sqrt(len(self.draws)))

    @property
    def shown(self) -> str:
        """Return it for people: `.612 ± .004`."""
        shown = f"{self.mean:.3f} ± {self.standard_error:.3f}"
        return shown.replace("0.", ".")


@dataclass(frozen=True, slots=True)
class Division:
    """One draw's questions: whose outcomes are known to which member, and the tested.

    `judged` are members that know their own outcomes, from the one with least to the
    one with most.
    """

    found: Questions = field(repr=False)
    test: Places = field(repr=False)
    parts: Sequence[Places] = field(repr=False)
    judged: Sequence[LinearChooser] = field(repr=False)

    def apgr(self, view: PriorsView | None) -> float:
        """Return the mean APGR of the judged members who believe `view`."""
        figures = []
        for chooser in self.judged:
            if view is not None:
                chooser.believe(view.bandits, view.patterns)
                chooser.solve_changed()
            scores = gains(chooser, self.found, self.test)
            figures.append(_apgr(self.found, self.test, scores))
        return float(np.mean(figures))


def division(found: Questions, members: int, draw: int) -> Division:
    """Return a draw's division among so many members; they know nothing of others."""
    train, test = split(found, draw)
    parts = divided(found, train, members, draw)
    by_size = sorted(parts, key=len)
    chosen = np.linspace(0, members - 1, min(JUDGED, members)).round().astype(int)
    judged = []
    for place in chosen:
        chooser = new_chooser()
        teach(chooser, found, by_size[place])
        judged.append(chooser)
    return Division(found, test, parts, judged)


def split(found: Questions, draw: int) -> tuple[Places, Places]:
    """Return a draw's trained and tested questions."""
    train, test = found.split(draw, TRAINING)
    return train, test[:TESTED]


def pooled_apgr(found: Questions, draw: int) -> float:
    """Return the APGR of one router that was told every member's outcomes."""
    train, test = split(found, draw)
    return _apgr(found, test, chooser_scores(found, train, test))


def charged_epsilon(noise: NoiseTerms) -> float:
    """Return what one request in the round costs at DELTA, at the noise it has."""
    rho = noise.sensitivity_squared / (2 * noise.scale**2)
    return float(epsilon_of_rho(rho, delta=DELTA))


def _apgr(found: Questions, test: Places, scores: np.ndarray) -> float:
    return routed(scores, found.weak[test], found.strong[test]).apgr
