"""Puts a member of rounds into a daemon: its background work and what it closes.

A router and a node take part alike, so this is written once; what a daemon does with
published priors is its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from federated_router.federation.credentials import Credentials
from federated_router.federation.membership import Membership, open_membership
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import Clock
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Identity, Role
from federated_router.priors.publication import Priors

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Limb:
    """What a daemon runs and closes for one of its parts."""

    background: dict[str, Work] = field(default_factory=dict)
    resources: list[AbstractAsyncContextManager[object]] = field(default_factory=list)


async def membership_limb(
    settings: MembershipSettings | None,
    *,
    identity: Identity,
    tls: TlsSettings,
    statistics: Statistics,
    clock: Clock,
    receive: Callable[[Priors], None] | None = None,
) -> Limb:
    """Return the limb of a member; an empty one for a daemon outside any federation.

    `receive` is handed each new revision of the priors; None follows none.
    """
    if settings is None:
        return Limb()
    channel = Channels(tls, trust_domain=identity.trust_domain).open(
        settings.coordinator, role=Role.COORDINATOR
    )
    membership = await open_membership(
        settings,
        credentials=Credentials.load(
            certificate=tls.certificate,
            private_key=tls.private_key,
            authority=tls.authority,
        ),
        channel=channel,
        statistics=statistics,
        clock=clock,
        receive=receive or (lambda _: None),
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[Membership]:
        try:
            yield membership
        finally:
            await channel.close(grace=None)
            await membership.close()

    background: dict[str, Work] = {"rounds": membership.participate}
    if receive is not None:
        background["priors"] = membership.follow
    return Limb(background, [opened()])
