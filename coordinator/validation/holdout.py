"""What members' own requests said of the priors before.

Decides the mean advantage of the federated over the local-only prediction, its noise,
and whether there were enough requests for it to say anything. Refuses to reject the
round by it: the requests judge the priors before, and rejecting their successor would
keep exactly those. They are withdrawn instead (`Judgement.earlier_harmful`).
"""

import math
from typing import Final

from coordinator.validation.figure import Figure
from coordinator.validation.report import HoldoutReport
from federated_router.federation.holdout import ADVANTAGE_NATS_MAX, STEPS_PER_NAT
from federated_router.priors.contents import HoldoutSums

CONCLUSIVE_DEVIATION_NATS: Final = 0.1
"""Noise beyond which the advantage says nothing."""

_SIGMAS_SEEN: Final = 5.0


def holdout(
    sums: HoldoutSums,
    *,
    requests_noise: float,
    advantage_noise: float,
    samples_min: int,
) -> HoldoutReport:
    """Return the report; the noises are deviations on the two sums, in their units."""
    requests = sums.requests
    if requests < max(samples_min, _SIGMAS_SEEN * requests_noise, 1.0):
        return HoldoutReport(max(0, requests), 0.0, 0.0, conclusive=False)
    steps = sums.advantage / requests
    bound = ADVANTAGE_NATS_MAX * STEPS_PER_NAT
    mean = min(max(steps, -bound), bound)
    noise = math.hypot(advantage_noise, mean * requests_noise) / requests
    deviation = noise / STEPS_PER_NAT
    return HoldoutReport(
        requests=requests,
        advantage=mean / STEPS_PER_NAT,
        advantage_standard_deviation=deviation,
        conclusive=deviation <= CONCLUSIVE_DEVIATION_NATS,
    )


def harmful(report: HoldoutReport, *, advantage_min: float) -> bool:
    """Whether the priors before predict worse than allowed, beyond noise and chance.

    Chance: the advantages of single requests lie within ADVANTAGE_NATS_MAX.
    """
    if not report.conclusive:
        return False
    chance = ADVANTAGE_NATS_MAX / math.sqrt(report.requests)
    deviation = math.hypot(report.advantage_standard_deviation, chance)
    return Figure(report.advantage, deviation).below(advantage_min)
