"""Minutes of overload under a virtual clock; a failure prints its seed."""

import pytest

from federated_router.admission.ask import Priority
from federated_router.admission.line import LineLimits
from federated_router.admission.settings import ShedSettings
from tests.support.admission_simulation import SEEDS, Tenant, jain, simulate

LIMITS = LineLimits(waiting_max=400, tenant_waiting_max=40, promote_after_s=5.0)
NO_SHEDDING = ShedSettings(enabled=False)


@pytest.mark.parametrize("seed", SEEDS)
def test_equal_tenants_get_equal_parts_beside_a_flood(seed: int) -> None:
    """Jain's index of let-in tokens is above 0.95 while one sends 50 times as much.

    Eight tenants of the same priority want twice what eight places give each.
    """
    calm = [Tenant(f"calm-{n}", per_s=1.0, tokens=100.0) for n in range(7)]
    flood = Tenant("flood", per_s=50.0, tokens=100.0)

    outcome = simulate(
        [*calm, flood],
        places=8,
        duration_s=300.0,
        seed=seed,
        limits=LIMITS,
        shed=NO_SHEDDING,
    )

    assert jain(outcome.tokens) > 0.95, f"seed {seed}: {outcome.tokens}"
    assert outcome.running_most == 8


@pytest.mark.parametrize("seed", SEEDS)
def test_tenants_of_large_requests_get_no_more_tokens(seed: int) -> None:
    """Fair is by tokens: ten times larger requests have a tenth of the turns."""
    tenants = [Tenant("large", 2.0, 1000.0), Tenant("small", 20.0, 100.0)]

    outcome = simulate(
        tenants, places=4, duration_s=600.0, seed=seed, limits=LIMITS, shed=NO_SHEDDING
    )

    assert jain(outcome.tokens) > 0.95, f"seed {seed}: {outcome.tokens}"


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_starves_under_a_flood_of_urgent_requests(seed: int) -> None:
    """A waiting low priority has its turns: never 30 s without one."""
    urgent = Tenant("urgent", per_s=40.0, tokens=100.0, priority=Priority.HIGH)
    patient = Tenant("patient", per_s=1.0, tokens=100.0, priority=Priority.LOW)

    outcome = simulate(
        [urgent, patient],
        places=8,
        duration_s=300.0,
        seed=seed,
        limits=LineLimits(400, 40, promote_after_s=5.0),
        shed=NO_SHEDDING,
    )

    turns = len(outcome.waits_s["patient"])
    assert turns >= 300 / 10, f"seed {seed}: {turns} turns"
    assert outcome.tokens["urgent"] > 5 * outcome.tokens["patient"], f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_shedding_keeps_the_waits_of_normal_requests_short(seed: int) -> None:
    """With shedding the low are refused, not the normal, and nobody finds it full."""
    tenants = [
        Tenant("person", per_s=2.0, tokens=100.0),
        Tenant("batch", per_s=10.0, tokens=100.0, priority=Priority.LOW),
    ]

    outcome = simulate(
        tenants,
        places=8,
        duration_s=300.0,
        seed=seed,
        limits=LIMITS,
        shed=ShedSettings(),
    )

    waits_s = sorted(outcome.waits_s["person"])
    assert outcome.shed[Priority.NORMAL] == 0
    assert outcome.shed[Priority.LOW] > 0.3 * outcome.sent[Priority.LOW]
    assert outcome.full == 0, f"seed {seed}"
    assert waits_s[len(waits_s) * 99 // 100] < 4.0, f"seed {seed}"
