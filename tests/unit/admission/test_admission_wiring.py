"""Admission as a router gets it: opened, shown, closed."""

from collections.abc import Awaitable
from pathlib import Path

from prometheus_client import REGISTRY

from federated_router.admission.ask import AdmissionAsk
from federated_router.admission.settings import (
    AdmissionSettings,
    RateSettings,
    TenantSettings,
)
from federated_router.admission.wiring import admission_limb
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import RateLimited
from federated_router.registry.membership import Member, Membership, Offer

OFFER = Offer("models/a", 1024, private=False, slots=4)
NODE = Member("nodes/1", "host:1", "eu", (OFFER,), "lease", 1e12)


def present() -> Membership:
    """Return one node with four slots."""
    return Membership({"nodes/1": NODE})


def running() -> float | None:
    """Return how many run, as Prometheus sees it."""
    return REGISTRY.get_sample_value("router_requests_running", {"priority": "normal"})


async def test_a_router_without_rates_opens_no_table(tmp_path: Path) -> None:
    """Who limits nobody's rate needs no database for it."""
    file = tmp_path / "rates.sqlite"
    settings = AdmissionSettings(rates=RateSettings(url=f"sqlite+aiosqlite:///{file}"))

    limb = await admission_limb(settings, present=present, clock=ManualClock())
    async with limb.opened():
        async with limb.admission.admitted(AdmissionAsk("alice"), deadline_s=5.0):
            assert limb.admission.activity().saturation == 1 / 5
            assert running() == 1

        assert running() == 0
    assert not file.exists()


async def test_routers_that_stop_and_start_keep_the_rates(tmp_path: Path) -> None:
    """The table outlives them: a restart is no new minute."""
    settings = AdmissionSettings(
        tenants=(TenantSettings(requests_per_minute=60),),
        rates=RateSettings(url=f"sqlite+aiosqlite:///{tmp_path}/r", timeout_s=10.0),
    )
    clock, let_in = ManualClock(), 0
    for _ in range(2):
        limb = await admission_limb(settings, present=present, clock=clock)
        async with limb.opened():
            for _ in range(40):
                let_in += await _is_let_in(limb.rates.charge("alice", 1))

    assert let_in == 60
    assert sorted(limb.background) == ["admission", "rates", "rates' table"]


async def _is_let_in(charging: Awaitable[object]) -> bool:
    try:
        await charging
    except RateLimited:
        return False
    return True
