"""Members follow lists of revocations, and hold rosters to them."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation.backoff import Backoff
from federated_router.federation.revocation_follower import RevocationFollower
from federated_router.federation.revoked_members import RevokedMembers
from federated_router.federation.round_view import Announcement
from federated_router.kit.authority import Authority
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import MemberRevoked, Unavailable
from federated_router.kit.identity import Identity, Role
from federated_router.kit.revocation import Revocations
from tests.support.refusals import refusal_of

DOMAIN = "a.example"
KEYS = PublicKeys(signing=bytes(32), sealing=bytes(32))


class World:
    """An authority, the list that this process holds, and a member on a roster."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority.open(directory, trust_domain=DOMAIN)
        self.held = Revocations(authorities_pem=self.authority.certificate_pem)
        files = self.authority.issue(Identity(Role.NODE, "n1", DOMAIN), directory)
        self.certificate = x509.load_pem_x509_certificate(
            files.certificate.read_bytes()
        )
        binding = KeyBinding(MemberName("node/n1"), KEYS, 0, b"")
        der = self.certificate.public_bytes(Encoding.DER)
        self.announcement = Announcement(binding, der)

    def signed(self, *serials: int, number: int) -> bytes:
        """Return a list."""
        return self.authority.revocation_list(
            serials, number=number, now=datetime.now(UTC)
        )

    def revoke(self) -> None:
        """Bring a list that names the member's certificate."""
        self.held.offer(
            self.signed(
                self.certificate.serial_number, number=self.held.current.number + 1
            )
        )


def refuses(revoked: RevokedMembers, round_name: str, world: World) -> bool:
    """Return whether a round's roster with the member on it is refused."""
    refusal = refusal_of(lambda: revoked.refuse(round_name, [world.announcement]))
    assert refusal in {None, MemberRevoked}
    return refusal is not None


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a world for one test."""
    return World(tmp_path)


def test_member_takes_part_with_nobody_who_was_revoked_before_it_joined(
    world: World,
) -> None:
    """Whatever roster the coordinator shows."""
    revoked = RevokedMembers(world.held)
    revoked.join("rounds/a")
    before = refuses(revoked, "rounds/a", world)

    world.revoke()
    revoked.join("rounds/b")

    assert not before
    assert refuses(revoked, "rounds/b", world)


def test_revocation_while_the_round_runs_does_not_end_it(world: World) -> None:
    """Else one revocation would make everybody leave, and nothing be published."""
    revoked = RevokedMembers(world.held)
    revoked.join("rounds/a")
    world.revoke()
    revoked.join("rounds/a")

    assert not refuses(revoked, "rounds/a", world)
    assert refuses(revoked, "rounds/b", world)


def test_newest_list_decides_after_a_restart(world: World) -> None:
    """What was held when it joined is not known any more: refuse, to be safe."""
    world.revoke()

    assert refuses(RevokedMembers(world.held), "rounds/a", world)


class Source:
    """A coordinator whose streams are scripts: bytes to send, or an error."""

    def __init__(self, *scripts: list[bytes | Unavailable]) -> None:
        self.scripts = list(scripts)
        self.asked: list[int] = []

    async def watch_revocations(self, after_number: int) -> AsyncGenerator[bytes, None]:
        """Play the next script; then stay silent."""
        self.asked.append(after_number)
        for one in self.scripts.pop(0) if self.scripts else []:
            if isinstance(one, Unavailable):
                raise one
            yield one
        await asyncio.Event().wait()


async def follow(world: World, source: Source) -> None:
    """Follow until everything was played."""
    clock = ManualClock()
    follower = RevocationFollower(
        source=source,
        revocations=world.held,
        backoff=Backoff(least_s=1.0, most_s=1.0),
        clock=clock,
        jitter=lambda: 0.0,
    )
    task = asyncio.create_task(follower.run())
    for _ in range(5):
        await asyncio.sleep(0.01)
        await clock.advance(1.0)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_broken_stream_resumes_after_the_newest_list(world: World) -> None:
    """An absent coordinator costs time and no list."""
    first, second = world.signed(5, number=1), world.signed(5, 6, number=2)
    source = Source(
        [b"", first, Unavailable("gone")], [Unavailable("still gone")], [second]
    )

    await follow(world, source)

    assert source.asked == [0, 1, 1]
    assert world.held.current.serials == frozenset({5, 6})


async def test_forged_and_old_lists_change_nothing(
    world: World, tmp_path: Path
) -> None:
    """The coordinator hands lists on, and can neither make one nor bring one back."""
    other = Authority.open(tmp_path / "other", trust_domain=DOMAIN)
    forged = other.revocation_list([9], number=9, now=datetime.now(UTC))
    new, old = world.signed(5, number=2), world.signed(number=1)

    await follow(world, Source([new, forged, old, b"rubbish"]))

    assert world.held.current.serials == frozenset({5})
