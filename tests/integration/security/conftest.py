"""One router and one coordinator for a whole file of attempts to get in."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from coordinator.app import build as build_coordinator
from coordinator.config import CoordinatorSettings
from federated_router.kit.identity import Role
from tests.support.fix_pki import Pki
from tests.support.fix_router import RouterSetting, router_in
from tests.support.running import running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(
    pki: Pki, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[RouterSetting]:
    """Run a router without nodes for all tests of a file."""
    async with router_in(pki, tmp_path_factory.mktemp("guarded")) as setting:
        yield setting


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def coordinator_address(
    pki: Pki, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[str]:
    """Run a coordinator for all tests of a file."""
    directory = tmp_path_factory.mktemp("coordinator")
    settings = CoordinatorSettings.model_validate(
        {
            "tls": pki.tls(Role.COORDINATOR, "c1").model_dump(),
            "server": {"stop_grace_s": 0.2},
            "store": {"url": f"sqlite+aiosqlite:///{directory}/rounds.sqlite"},
            "catalogue": {"models": ["m"], "regions": ["north"]},
            "rounds": {"noise_scale": 4.0, "budget": {"epsilon": "100"}},
            "budget": {
                "url": f"sqlite+aiosqlite:///{directory}/ledger.sqlite",
                "audit_key": f"{directory}/audit-key.pem",
            },
        }
    )
    async with running(await build_coordinator(settings)) as daemon:
        yield daemon.address
