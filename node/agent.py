"""Keeps the node's lease at its router: register, renew, register again, leave."""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc
from google.protobuf.duration_pb2 import Duration

from federated_router.api.v1 import registry_pb2 as pb
from federated_router.api.v1 import registry_pb2_grpc as pb_grpc
from federated_router.kit.errors import FederationError, LeaseLost
from federated_router.kit.grpc_client import translated_errors
from federated_router.kit.log import get_logger
from node.config import RegistrationSettings

log = get_logger("agent")
RENEWALS_PER_LEASE = 3


class Agent:
    """Owns one lease. Runs until cancelled; a router that is away is waited for.

    There is a lease while the node is not drained and `node` offers something.
    `on_registered` is handed the name of the key under which the router names users.
    """

    def __init__(
        self,
        *,
        channel: grpc.aio.Channel,
        settings: RegistrationSettings,
        node: pb.Node,
        load: Callable[[], pb.NodeLoad],
        on_registered: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._channel = channel
        self._stub = pb_grpc.NodeRegistryServiceStub(channel)
        self._settings = settings
        self._node = node
        self._load = load
        self._on_registered = on_registered
        self._lease_id = ""
        self._wanted = True
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Hold a lease for ever, with bounded, jittered backoff while there is none."""
        failures = 0
        while True:
            try:
                await self._hold_lease()
            except FederationError as error:
                failures += 1
                wait_s = self._backoff_s(failures)
                log.warning(
                    "no lease", reason=error.reason, retry_in_ms=round(wait_s * 1000)
                )
                await asyncio.sleep(wait_s)
            else:
                failures = 0

    async def _hold_lease(self) -> None:
        """Register, then renew until the lease is lost or the offers change."""
        while not (self._wanted and self._offers_something):
            self._changed.clear()
            await self._changed.wait()
        self._changed.clear()
        lease_s = await self._register()
        log.info("lease granted", lease_ms=round(lease_s * 1000))
        if not self._wanted:
            # The node left while its registration was on the way.
            await self.leave()
        try:
            while self._lease_id and not self._changed.is_set():
                await self._wait_for_change(lease_s / RENEWALS_PER_LEASE)
                if self._lease_id and not self._changed.is_set():
                    lease_s = await self._renew_within(lease_s)
        except LeaseLost:
            log.warning("lease lost")
        if not self._offers_something:
            await self._deregister()

    @property
    def _offers_something(self) -> bool:
        return bool(self._node.models or self._node.shards)

    async def _wait_for_change(self, within_s: float) -> None:
        # Not `wait_for`: before Python 3.12 it loses a cancellation that comes together
        # with what it waits for.
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._changed.wait()

    async def _renew_within(self, lease_s: float) -> float:
        """Renew, trying again while the lease may still stand."""
        for _ in range(RENEWALS_PER_LEASE - 1):
            try:
                return await self._renew()
            except LeaseLost:
                raise
            except FederationError:
                await asyncio.sleep(lease_s / RENEWALS_PER_LEASE / 2)
        return await self._renew()

    def announce(self, models: Sequence[pb.ModelOffer]) -> None:
        """Offer these models from now on: register them, or leave where nothing is."""
        del self._node.models[:]
        self._node.models.extend(models)
        self._changed.set()

    async def leave(self) -> None:
        """End the lease at once, for an orderly stop or a drain."""
        self._wanted = False
        self._changed.set()
        await self._deregister()

    async def _deregister(self) -> None:
        if not self._lease_id:
            return
        try:
            async with translated_errors():
                await self._stub.DeregisterNode(
                    pb.DeregisterNodeRequest(
                        name=self._node.name, lease_id=self._lease_id
                    ),
                    timeout=self._settings.call_timeout_s,
                )
        except FederationError as error:
            log.info("left without the router's word", reason=error.reason)
        self._lease_id = ""

    async def rejoin(self) -> None:
        """Register again after a drain."""
        if not self._wanted:
            self._wanted = True
            self._changed.set()

    async def close(self) -> None:
        """Close the channel to the router."""
        await self._channel.close(grace=None)

    async def _register(self) -> float:
        async with translated_errors():
            response = await self._stub.RegisterNode(
                pb.RegisterNodeRequest(node=self._node, lease_id=self._lease_id),
                timeout=self._settings.call_timeout_s,
            )
        self._lease_id = response.lease_id
        self._on_registered(response.user_epoch)
        return seconds_of(response.lease_duration)

    async def _renew(self) -> float:
        async with translated_errors():
            response = await self._stub.RenewLease(
                pb.RenewLeaseRequest(
                    name=self._node.name, lease_id=self._lease_id, load=self._load()
                ),
                timeout=self._settings.call_timeout_s,
            )
        return seconds_of(response.lease_duration)

    def _backoff_s(self, failures: int) -> float:
        ceiling_s = self._settings.retry_s * 2.0 ** min(failures, 10)
        return random.uniform(0.5, 1.0) * min(ceiling_s, self._settings.retry_max_s)  # noqa: S311 - jitter.


def seconds_of(duration: Duration) -> float:
    """Return a protobuf duration in seconds."""
    whole_s, rest_ns = int(duration.seconds), int(duration.nanos)
    return whole_s + rest_ns / 1e9
