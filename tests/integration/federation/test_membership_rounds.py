"""Four members and the real coordinator: gRPC over mTLS, stores on disk, one process.

Daemons here meet in the contract alone; only the members' noise is switched off where
a sum is compared with `==`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest

from coordinator.app import build
from coordinator.config import CoordinatorSettings
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import aggregation_pb2_grpc
from federated_router.federation.credentials import Credentials
from federated_router.federation.membership import Membership, open_membership
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import FailureCause, Statistics
from federated_router.kit.clock import SystemClock
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from federated_router.priors.contents import Cell
from federated_router.priors.publication import Priors
from federated_router.privacy.noise import NoiseSource, discrete_gaussian
from tests.support.round_member import (
    NAMES,
    TRUST_DOMAIN,
    Certificates,
    no_noise,
)

CELL = Cell("models/a", "eu")
NOISE_SCALE = 4.0
WAIT_S = 30.0
ROUNDS = {
    "noise_scale": NOISE_SCALE,
    "joining_s": 20.0,
    "revealing_s": 20.0,
    "collecting_s": 20.0,
    "checking_s": 20.0,
    "opening_s": 20.0,
    "participation_min": 0.75,
}


@dataclass
class Federation:
    """A coordinator that can be restarted, and its certificates."""

    certificates: Certificates
    directory: Path
    rounds: dict[str, object] = field(default_factory=lambda: dict(ROUNDS))
    address: str = "127.0.0.1:0"

    def tls(self, name: str) -> TlsSettings:
        """Issue a certificate and return where it lies."""
        files = self.certificates.issue(name)
        return TlsSettings(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        )

    @asynccontextmanager
    async def coordinator(self) -> AsyncIterator[str]:
        """Run the coordinator on the same port and the same store as before."""
        daemon = await build(
            CoordinatorSettings.model_validate(
                {
                    "tls": self.tls("coordinator/main").model_dump(),
                    "server": {"address": self.address, "stop_grace_s": 0.2},
                    "store": {"url": f"sqlite+aiosqlite:///{self.directory}/c.sqlite"},
                    "catalogue": {
                        "models": ["a"],
                        "regions": ["eu"],
                        "samples_min": 0,
                    },
                    "rounds": {**self.rounds, "budget": {"epsilon": "2000"}},
                    "budget": {
                        "url": f"sqlite+aiosqlite:///{self.directory}/ledger.sqlite",
                        "audit_key": f"{self.directory}/audit-key.pem",
                    },
                }
            )
        )
        self.address = daemon.address
        running = asyncio.create_task(daemon.run())
        try:
            yield daemon.address
        finally:
            daemon.stop()
            await running

    @asynccontextmanager
    async def channel(
        self, name: str, tls: TlsSettings | None = None
    ) -> AsyncIterator[grpc.aio.Channel]:
        """Dial the coordinator as `name`."""
        channels = Channels(tls or self.tls(name), trust_domain=TRUST_DOMAIN)
        async with channels.open(self.address, role=Role.COORDINATOR) as channel:
            yield channel

    @asynccontextmanager
    async def member(
        self,
        name: str,
        statistics: Statistics,
        *,
        noise: NoiseSource = no_noise,
        receive: Callable[[Priors], object] = lambda _: None,
    ) -> AsyncIterator[Membership]:
        """Run a member in the background."""
        settings = MembershipSettings(
            coordinator=self.address,
            vault=self.directory / f"{name.replace('/', '-')}.sqlite",
            noise_scale_min=NOISE_SCALE,
            participation_min=0.75,
            backoff_s_min=0.05,
            backoff_s_max=0.2,
        )
        tls = self.tls(name)

        async def told(priors: Priors) -> None:
            receive(priors)

        async with self.channel(name, tls) as channel:
            membership = await open_membership(
                settings,
                credentials=Credentials.load(
                    certificate=tls.certificate,
                    private_key=tls.private_key,
                    authority=tls.authority,
                ),
                channel=channel,
                statistics=statistics,
                clock=SystemClock(),
                receive=told,
                noise=noise,
            )
            tasks = [
                asyncio.create_task(membership.participate()),
                asyncio.create_task(membership.follow()),
            ]
            try:
                yield membership
            finally:
                assert not any(task.done() for task in tasks)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await membership.close()

    async def open_round(
        self, *, members_expected: int = 4, request: str = "q1"
    ) -> str:
        """Open a round as an operator."""
        async with self.channel("operator/op-1") as channel:
            stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
            response = await stub.CreateRound(
                pb2.CreateRoundRequest(
                    request_id=request, members_expected=members_expected
                ),
                timeout=30,
                wait_for_ready=True,
            )
        return str(response.round.name)

    async def wait_for(self, name: str, *states: str) -> pb2.Round:
        """Return the round once it stands in one of `states`."""
        wanted = {pb2.Round.State.Value(f"STATE_{state}") for state in states}
        async with asyncio.timeout(WAIT_S), self.channel("operator/op-1") as channel:
            stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
            call = stub.WatchRound(
                pb2.WatchRoundRequest(name=name), wait_for_ready=True
            )
            async for response in call:
                if response.round.state in wanted:
                    call.cancel()
                    return response.round
        raise AssertionError("The watch ended before the round did.")


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    """Return a federation that nobody runs in yet."""
    return Federation(Certificates(tmp_path / "pki"), tmp_path)


def counted(requests: int) -> Statistics:
    """Return statistics of so many successes and one failure."""
    statistics = Statistics()
    for _ in range(requests):
        statistics.succeed(CELL, latency_ms_per_token=10.0)
    statistics.fail(CELL, FailureCause.ENGINE)
    return statistics


async def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; the members act on their own."""
    async with asyncio.timeout(WAIT_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_round_publishes_the_exact_sum_to_every_follower(
    federation: Federation,
) -> None:
    """The whole way: join, reveal, encrypt, sum, open, publish, follow, settle."""
    statistics = [counted(requests) for requests in (100, 200, 300, 400)]
    received: list[Priors] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(federation.coordinator())
        for name, own in zip(NAMES, statistics, strict=True):
            await stack.enter_async_context(
                federation.member(name, own, receive=received.append)
            )

        name = await federation.open_round()
        ended = await federation.wait_for(name, "PUBLISHED", "REJECTED", "ABORTED")
        await until(lambda: len(received) == 4)
        await until(lambda: all(own.balance().published for own in statistics))

    assert ended.state == pb2.Round.STATE_PUBLISHED, ended.end_cause
    counts = received[0].performance[CELL]
    assert counts.successes == 1000
    assert counts.failures == 4
    assert [own.balance().published for own in statistics] == [101, 201, 301, 401]
    assert list(ended.liars) == []


async def test_published_counts_carry_the_promised_noise(
    federation: Federation,
) -> None:
    """Noise stays within 8 standard deviations and is not absent.

    Of 27 slots all within 8 sigma fail by chance below 1e-13; all exact below 1e-20.
    """
    statistics = [counted(100) for _ in NAMES]
    received: list[Priors] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(federation.coordinator())
        for name, own in zip(NAMES, statistics, strict=True):
            await stack.enter_async_context(
                federation.member(
                    name, own, noise=discrete_gaussian, receive=received.append
                )
            )

        await federation.open_round()
        await until(lambda: len(received) == 4)

    exact = statistics[0].latency_bounds_ms
    priors = received[0]
    noised = priors.performance[CELL].latency_counts
    errors = [count - (400 if count > 200 else 0) for count in noised]
    assert len(noised) == len(exact) + 1
    assert priors.noise_standard_deviation >= NOISE_SCALE
    assert max(map(abs, errors)) < 8 * priors.noise_standard_deviation
    assert any(errors)


async def test_twelve_members_in_cohorts_publish_their_sum(
    federation: Federation,
) -> None:
    """Three cohorts open by themselves, from the same answers, over the network."""
    federation.rounds |= {
        "members_min": 12,
        "members_max": 12,
        "cohorts": {"byzantine_fraction": 0.05, "cohort_participation_min": 0.75},
    }
    names = tuple(f"node/node-{number}" for number in range(1, 13))
    statistics = [counted(10) for _ in names]
    received: list[Priors] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(federation.coordinator())
        for name, own in zip(names, statistics, strict=True):
            await stack.enter_async_context(
                federation.member(name, own, receive=received.append)
            )
        name = await federation.open_round(members_expected=12)
        ended = await federation.wait_for(name, "PUBLISHED", "REJECTED", "ABORTED")
        await until(lambda: len(received) == 12)
        shown = await _shown(federation, name)

    assert ended.state == pb2.Round.STATE_PUBLISHED, ended.end_cause
    assert received[0].performance[CELL].successes == 120
    assert [cohort.survivors for cohort in shown.report.cohorts] == [4, 4, 4]
    assert [cohort.outlier for cohort in shown.report.cohorts] == [False] * 3
    assert (shown.checked_count, shown.answered_count) == (12, 12)
    assert shown.noise.cohort_colluders_max == 2


async def test_coordinator_restarted_in_the_round_is_rejoined(
    federation: Federation,
) -> None:
    """Members reconnect, repeat what they had said, and the round ends well."""
    statistics = [counted(10) for _ in NAMES]
    async with AsyncExitStack() as stack:
        async with federation.coordinator():
            for name, own in zip(NAMES[:2], statistics[:2], strict=True):
                await stack.enter_async_context(federation.member(name, own))
            name = await federation.open_round()
            await _joined(federation, name, 2)

        await stack.enter_async_context(federation.coordinator())
        for member, own in zip(NAMES[2:], statistics[2:], strict=True):
            await stack.enter_async_context(federation.member(member, own))
        ended = await federation.wait_for(name, "PUBLISHED", "REJECTED", "ABORTED")

    assert ended.state == pb2.Round.STATE_PUBLISHED, ended.end_cause
    assert len(ended.survivors) == 4


async def test_member_that_joins_and_disappears_is_carried_through(
    federation: Federation,
) -> None:
    """Three of four is the participation that was promised; the fourth is gone."""
    federation.rounds["revealing_s"] = 2.0
    federation.rounds["collecting_s"] = 2.0
    statistics = [counted(10) for _ in NAMES]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(federation.coordinator())
        async with federation.member(NAMES[0], statistics[0]):
            name = await federation.open_round()
            await _joined(federation, name, 1)
        for member, own in zip(NAMES[1:], statistics[1:], strict=True):
            await stack.enter_async_context(federation.member(member, own))
        ended = await federation.wait_for(name, "PUBLISHED", "REJECTED", "ABORTED")

    assert ended.state == pb2.Round.STATE_PUBLISHED, ended.end_cause
    assert sorted(ended.survivors) == sorted(NAMES[1:])


async def test_round_with_less_noise_than_the_floor_is_not_joined(
    federation: Federation,
) -> None:
    """A coordinator's configuration cannot weaken what members promised."""
    federation.rounds |= {"noise_scale": NOISE_SCALE / 2, "joining_s": 1.0}
    statistics = [counted(10) for _ in NAMES]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(federation.coordinator())
        for name, own in zip(NAMES, statistics, strict=True):
            await stack.enter_async_context(federation.member(name, own))
        name = await federation.open_round()
        ended = await federation.wait_for(name, "PUBLISHED", "REJECTED", "ABORTED")

    assert ended.state == pb2.Round.STATE_ABORTED
    assert ended.joined_count == 0
    assert all(own.balance().pending == 11 for own in statistics)


async def test_aborted_round_leaves_the_requests_for_the_next(
    federation: Federation,
) -> None:
    """What nobody opened is counted in the round after, exactly once."""
    statistics = [counted(10) for _ in NAMES]
    received: list[Priors] = []
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(federation.coordinator())
        for name, own in zip(NAMES, statistics, strict=True):
            await stack.enter_async_context(
                federation.member(name, own, receive=received.append)
            )
        first = await federation.open_round(members_expected=0)
        await _abort(federation, first)

        second = await federation.open_round(request="q2")
        ended = await federation.wait_for(second, "PUBLISHED", "REJECTED", "ABORTED")
        await until(lambda: len(received) == 4)

    assert ended.state == pb2.Round.STATE_PUBLISHED, ended.end_cause
    assert received[0].performance[CELL].successes == 40


async def _joined(federation: Federation, name: str, count: int) -> None:
    async with asyncio.timeout(WAIT_S), federation.channel("operator/op-1") as channel:
        stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
        while True:
            response = await stub.GetRound(
                pb2.GetRoundRequest(name=name), timeout=30, wait_for_ready=True
            )
            if response.round.joined_count >= count:
                return
            await asyncio.sleep(0.02)


async def _shown(federation: Federation, name: str) -> pb2.Round:
    async with federation.channel("operator/op-1") as channel:
        stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
        request = pb2.GetRoundRequest(name=name, view=pb2.ROUND_VIEW_FULL)
        response = await stub.GetRound(request, timeout=30)
    return response.round


async def _abort(federation: Federation, name: str) -> None:
    async with federation.channel("operator/op-1") as channel:
        stub = aggregation_pb2_grpc.AggregationServiceStub(channel)
        await stub.AbortRound(
            pb2.AbortRoundRequest(name=name, cause="a test"), timeout=30
        )
