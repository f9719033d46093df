"""Whoever is revoked is sent away, also in the middle of a call."""

import asyncio
from datetime import UTC, datetime

import pytest

from federated_router.kit.authority import Authority
from federated_router.kit.errors import MemberRevoked, NotIdentified
from federated_router.kit.peers import PeerCertificate, Peers
from federated_router.kit.revocation import RevocationList, Revocations

GONE, KEPT = PeerCertificate(1, 100.0), PeerCertificate(2, 100.0)


def listed(*serials: int, number: int = 1) -> RevocationList:
    """Return a list that was verified elsewhere."""
    return RevocationList(number, frozenset(serials), der=bytes([number]))


@pytest.fixture
async def revocations() -> Revocations:
    """Return an empty holder."""
    return Revocations(authorities_pem=b"")


async def test_expired_certificate_is_refused_on_a_connection_that_stands(
    revocations: Revocations,
) -> None:
    """TLS looks at the dates once; every call is looked at here."""
    time_s = 99.0
    peers = Peers(revocations, now_s=lambda: time_s)

    peers.admit(KEPT)
    time_s = 101.0
    with pytest.raises(NotIdentified):
        peers.admit(KEPT)


async def test_running_call_of_the_revoked_ends_and_others_go_on(
    revocations: Revocations,
) -> None:
    """With the reason and not with a mere cancellation, within the same moment."""
    peers = Peers(revocations, now_s=lambda: 0.0)
    release = asyncio.Event()

    async def call(certificate: PeerCertificate) -> str:
        with peers.running(certificate):
            await release.wait()
        return "answered"

    running = [asyncio.create_task(call(one)) for one in (GONE, GONE, KEPT)]
    await asyncio.sleep(0)
    revocations.take(listed(GONE.serial))
    release.set()
    ended = await asyncio.gather(*running, return_exceptions=True)

    assert [type(one) for one in ended[:2]] == [MemberRevoked, MemberRevoked]
    assert ended[2] == "answered"
    with pytest.raises(MemberRevoked):
        peers.admit(GONE)
    peers.admit(KEPT)


async def test_cancelled_call_stays_cancelled(revocations: Revocations) -> None:
    """A caller that goes away is not told of a revocation that never was."""
    peers = Peers(revocations, now_s=lambda: 0.0)

    async def call() -> None:
        with peers.running(KEPT):
            await asyncio.sleep(60)

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task


async def test_calls_that_ended_are_forgotten(revocations: Revocations) -> None:
    """A million calls later nothing of them is held, and none is cancelled late."""
    peers = Peers(revocations, now_s=lambda: 0.0)
    for _ in range(3):
        with peers.running(GONE):
            await asyncio.sleep(0)

    revocations.take(listed(GONE.serial))
    await asyncio.sleep(0)

    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_real_list_sends_away_as_a_made_one_does(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """From the authority's signature to the end of the call."""
    authority = Authority.open(tmp_path_factory.mktemp("ca"), trust_domain="a.example")
    held = Revocations(authorities_pem=authority.certificate_pem)
    peers = Peers(held, now_s=lambda: 0.0)

    held.offer(authority.revocation_list([1], number=1, now=datetime.now(UTC)))

    with pytest.raises(MemberRevoked):
        peers.admit(GONE)
