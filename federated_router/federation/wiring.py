"""Puts a member of rounds into a daemon: its background work and what it closes.

A router and a node take part alike, so this is written once; what a daemon does with
published priors is its own.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from federated_router.federation.credentials import Credentials
from federated_router.federation.grpc_members import GrpcMembers
from federated_router.federation.membership import Membership, open_membership
from federated_router.federation.priors_follower import Receive, ignore
from federated_router.federation.renewal import CertificateRenewal
from federated_router.federation.revocation_follower import RevocationFollower
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import Clock
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import Revocations

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
    receive: Receive | None = None,
    earlier_priors: int = 0,
    revocations: Revocations | None = None,
) -> Limb:
    """Return the limb of a member; an empty one for a daemon outside any federation.

    `receive` is handed each new revision of the priors, after up to `earlier_priors`
    that came before the first; None follows none.
    `revocations` is the list that the daemon's server checks its callers against; the
    coordinator's newer ones are offered to it.
    """
    if settings is None:
        return Limb()
    channel = Channels(tls, trust_domain=identity.trust_domain).renewing(
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
        receive=receive or ignore,
        earlier_priors=earlier_priors,
        revocations=revocations,
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
    members = GrpcMembers(
        channel,
        call_timeout_s=settings.call_timeout_s,
        silence_s_max=settings.silence_s_max,
    )
    if revocations is not None:
        background["revocations"] = RevocationFollower(
            source=members,
            revocations=revocations,
            backoff=settings.backoff,
            clock=clock,
        ).run
    background["certificate renewal"] = CertificateRenewal(
        tls, identity=identity, client=members, clock=clock
    ).run
    return Limb(background, [opened()])
