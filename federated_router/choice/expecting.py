"""What is expected of each model, under the caller's wishes. Pure.

Decides how a model's reward, its record at a kind of request, latency, cost and carbon
become one utility, and which wish a model does not meet. Refuses to know how rewards
are learnt and who explores.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from federated_router.choice.choosing import Expectation, ModelOption, Wishes
from federated_router.choice.own_rewards import PatternSums
from federated_router.choice.settings import ChoiceSettings
from federated_router.priors.pattern_priors import PatternEvidence

_UNKNOWN_DEVIATION: Final = 0.5


@dataclass(frozen=True, slots=True)
class Quality:
    """An expected quality and its variance; `own` and `told` requests are behind it."""

    value: float
    variance: float
    own: float = 0.0
    told: float = 0.0


def pattern_quality(
    own: PatternSums, told: PatternEvidence | None, settings: ChoiceSettings
) -> Quality | None:
    """Return a model's Beta-shrunk record at a pattern; None without any request.

    Prompts of one pattern differ: how much, `pattern_spread` says, is uncertain however
    many requests there were.
    """
    successes = own.rewards + (told.successes if told else 0.0)
    requests = own.requests + (told.requests if told else 0.0)
    if not requests:
        return None
    prior = settings.quality_prior_requests
    value = (successes + prior * settings.quality_prior) / (requests + prior)
    noise = 0.0 if told is None else told.noise
    chance = value * (1 - value) / (requests + prior + 1)
    variance = chance + (noise / requests) ** 2 + settings.pattern_spread**2
    return Quality(value, variance, own.requests, requests - own.requests)


def combined(one: Quality | None, other: Quality | None) -> Quality | None:
    """Return two views of the same requests as one, each by its precision.

    They rest on the same requests, so the variance is the smaller of the two.
    """
    if one is None or other is None:
        return one or other
    mine = other.variance / (one.variance + other.variance)
    return Quality(
        value=mine * one.value + (1 - mine) * other.value,
        variance=min(one.variance, other.variance),
        own=max(one.own, other.own),
        told=max(one.told, other.told),
    )


def expectations_of(
    options: Sequence[ModelOption],
    qualities: Sequence[Quality | None],
    wishes: Wishes,
    settings: ChoiceSettings,
) -> list[Expectation]:
    """Return what is expected of each option, in their order.

    A latency, cost or carbon that is not known costs what the others' mean does, and
    meets no ceiling: what nobody knows, nobody can promise.
    """
    burdens = _burdens(options, settings)
    return [
        _expectation(option, quality, burden, wishes, settings)
        for option, quality, burden in zip(options, qualities, burdens, strict=True)
    ]


def _expectation(
    option: ModelOption,
    quality: Quality | None,
    burden: float,
    wishes: Wishes,
    settings: ChoiceSettings,
) -> Expectation:
    if quality is None:
        quality = Quality(settings.quality_prior, _UNKNOWN_DEVIATION**2)
    value = min(max(quality.value, 0.0), 1.0)
    requests = quality.own + quality.told
    return Expectation(
        option=option,
        quality=value,
        deviation=min(math.sqrt(quality.variance), _UNKNOWN_DEVIATION),
        utility=value - burden,
        rejected_by=_unmet(option, value, wishes),
        local_share=quality.own / requests if requests else 0.0,
    )


def _unmet(option: ModelOption, quality: float, wishes: Wishes) -> str:
    """Return the first wish that the option does not meet."""
    if wishes.quality_min is not None and quality < wishes.quality_min:
        return "quality_min"
    for name, ceiling, expected in (
        ("cost_max", wishes.cost_max, option.cost),
        ("co2e_mg_max", wishes.co2e_mg_max, option.co2e_mg),
        ("latency_ms_max", wishes.latency_ms_max, option.latency_ms),
    ):
        if ceiling is not None and (expected is None or expected > ceiling):
            return name
    return ""


def _burdens(
    options: Sequence[ModelOption], settings: ChoiceSettings
) -> tuple[float, ...]:
    latency = _weighed(
        [one.latency_ms for one in options],
        settings.latency_weight,
        settings.latency_scale_ms,
    )
    cost = _weighed(
        [one.cost for one in options], settings.cost_weight, settings.cost_scale
    )
    carbon = _weighed(
        [one.co2e_mg for one in options],
        settings.carbon_weight,
        settings.carbon_scale_mg,
    )
    return tuple(map(sum, zip(latency, cost, carbon, strict=True)))


def _weighed(
    figures: Sequence[float | None], weight: float, scale: float
) -> list[float]:
    known = [
        weight * min(figure / scale, 1.0) for figure in figures if figure is not None
    ]
    mean = sum(known) / len(known) if known else 0.0
    return [
        mean if figure is None else weight * min(figure / scale, 1.0)
        for figure in figures
    ]
