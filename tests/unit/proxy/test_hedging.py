"""When a second node is asked, and for how many requests at most."""

import pytest

from federated_router.proxy.hedging import Hedging, HedgingSettings

MODEL = "models/a"


def settings(**fields: float) -> HedgingSettings:
    """Return settings that hedge one request in ten after twenty samples."""
    return HedgingSettings.model_validate({"share": 0.1, "samples_min": 20} | fields)


def learned(hedging: Hedging, times_s: list[float], model: str = MODEL) -> None:
    """Let so many first tokens come."""
    for one in times_s:
        hedging.came(model, one)


def test_nothing_is_hedged_unless_configured() -> None:
    """It costs other nodes' time, so whoever runs the router decides."""
    hedging = Hedging(HedgingSettings())
    learned(hedging, [0.1] * 100)

    assert hedging.after_s(MODEL) is None


def test_it_waits_for_longer_than_most_first_tokens_take() -> None:
    """95 of 100 came within 0.95 s, so one that takes longer is slow."""
    hedging = Hedging(settings())
    times_s = [at / 100 for at in range(1, 101)]
    learned(hedging, times_s[::3] + times_s[1::3] + times_s[2::3])

    assert hedging.after_s(MODEL) == pytest.approx(0.96, abs=0.011)


def test_nothing_is_hedged_before_enough_is_known_of_the_model() -> None:
    """Times of another model say nothing of this one."""
    hedging = Hedging(settings())
    learned(hedging, [0.1] * 19)
    learned(hedging, [0.1] * 50, "models/b")

    assert hedging.after_s(MODEL) is None
    assert hedging.after_s("models/b") is not None


def test_quantile_follows_the_latest_times() -> None:
    """A model that became slow is not asked for twice at every request."""
    hedging = Hedging(settings(samples_max=64))
    learned(hedging, [0.1] * 64)
    before_s = hedging.after_s(MODEL)

    learned(hedging, [1.0] * 64)

    assert before_s == pytest.approx(0.1)
    assert hedging.after_s(MODEL) == pytest.approx(1.0)


def test_share_of_requests_is_the_most_that_is_asked_twice() -> None:
    """A cluster that is slow as a whole gets a tenth more work, not twice as much."""
    hedging, hedged = Hedging(settings()), 0
    for _ in range(1000):
        hedging.came(MODEL, 0.1)
        hedged += hedging.take()

    assert hedged <= 0.1 * 1000 + 10


def test_fewest_seconds_are_kept_to() -> None:
    """Where all is fast, a second request would cost more than it saves."""
    hedging = Hedging(settings(after_s_min=0.5))
    learned(hedging, [0.001] * 50)

    assert hedging.after_s(MODEL) == 0.5


def test_as_many_models_are_remembered_as_configured() -> None:
    """The oldest is forgotten."""
    hedging = Hedging(settings(models_max=2))
    for model in ("models/a", "models/b", "models/c"):
        learned(hedging, [0.1] * 20, model)

    assert hedging.after_s("models/a") is None
    assert hedging.after_s("models/c") is not None
