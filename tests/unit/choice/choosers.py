"""Choosers to test, and prompts whose best model is known."""

from collections.abc import Callable, Sequence

import numpy as np

from federated_router.choice.chooser import LinearChooser
from federated_router.choice.choosing import ModelOption
from federated_router.choice.settings import ChoiceSettings
from federated_router.kit.clock import ManualClock
from federated_router.priors.bandit import BanditEvidence, bandit_evidence
from federated_router.priors.contents import BanditSums
from federated_router.priors.features import FEATURE_COUNT, REWARD_MAX, features_of
from federated_router.priors.prompt import Prompt, prompt_of

SMALL, LARGE = "models/small", "models/large"
OPTIONS = (ModelOption(SMALL), ModelOption(LARGE))
EASY = prompt_of(["where is the station and when does it open"])
HARD = prompt_of(["Solve x = 3 + 4 and prove that 12 / 4 = 3, 9 = 9. Why not 7?"])


def chooser_of(
    *,
    clock: ManualClock | None = None,
    uniform: Callable[[], float] = lambda: 0.0,
    **settings: object,
) -> LinearChooser:
    """Return a chooser of small sums, with settings by name."""
    chosen = ChoiceSettings.model_validate({"word_features": 16, **settings})
    return LinearChooser(chosen, clock or ManualClock(), uniform=uniform)


def teach(
    chooser: LinearChooser, model: str, prompt: Prompt, rewards: Sequence[float]
) -> None:
    """Tell a chooser outcomes of one model at one prompt."""
    for reward in rewards:
        chooser.learn(model, chooser.see(prompt), reward)


def planted(chooser: LinearChooser, *, seed: int, requests: int) -> None:
    """Teach that large is right 90 % everywhere, small 90 % where it is easy only."""
    source = np.random.default_rng(seed)
    for model, prompt, right in (
        (SMALL, EASY, 0.9),
        (SMALL, HARD, 0.2),
        (LARGE, EASY, 0.9),
        (LARGE, HARD, 0.9),
    ):
        drawn = source.binomial(1, right, size=requests)
        teach(chooser, model, prompt, drawn.astype(float).tolist())
    chooser.solve_changed()


def told(
    prompts: Sequence[tuple[Prompt, float]], *, noise: float = 0.0, seed: int = 1
) -> BanditEvidence | None:
    """Return what a federation says that counted these prompts and their rewards."""
    features = np.array([features_of(prompt) for prompt, _ in prompts])
    rewards = np.array([reward * REWARD_MAX for _, reward in prompts])
    source = np.random.default_rng(seed)
    upper = np.triu_indices(FEATURE_COUNT)
    gram = (features.T @ features)[upper]
    moment = features.T @ rewards
    return bandit_evidence(
        BanditSums(
            tuple(round(one) for one in gram + source.normal(0, noise, len(gram))),
            tuple(round(one) for one in moment + source.normal(0, noise, len(moment))),
        ),
        gram_noise=noise,
        moment_noise=noise,
        reward_max=REWARD_MAX,
    )
