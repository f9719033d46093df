"""A member's certificate is renewed in time, and never for something else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from federated_router.federation.grpc_members import Asked
from federated_router.federation.renewal import (
    CertificateRenewal,
    Draft,
    refuse_unfit,
    renew_at_s,
)
from federated_router.kit.authority import Authority
from federated_router.kit.clock import ManualClock
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import SignatureInvalid, Unavailable
from federated_router.kit.identity import Identity, Role
from federated_router.kit.tls_files import read_tls

OWN = Identity(Role.NODE, "n1", "a.example")
OTHER = Identity(Role.NODE, "n2", "a.example")
LIFETIME = timedelta(days=30)


@dataclass
class Desk:
    """The coordinator and its operator: asked for certificates, slow to sign."""

    authority: Authority
    signs: bool = True
    absent: int = 0
    identity: Identity = OWN
    requests: list[bytes] = field(default_factory=list)

    async def request_renewal(self, signing_request_der: bytes) -> Asked:
        """Take a request."""
        if self.absent:
            self.absent -= 1
            raise Unavailable("The coordinator is away.")
        self.requests.append(signing_request_der)
        return Asked(f"renewals/{len(self.requests)}", b"", 30.0)

    async def renewed_certificate(self, _name: str) -> bytes:
        """Return the certificate, once the operator signs."""
        if not self.signs:
            return b""
        return self.authority.sign_request(
            self.identity, self.requests[-1], lifetime=timedelta(days=90)
        )


@dataclass
class World:
    """One member's files, its desk and a clock."""

    tls: TlsSettings
    desk: Desk
    clock: ManualClock

    def certificate(self) -> bytes:
        """Return what lies in the file."""
        return self.tls.certificate.read_bytes()

    async def pass_days(self, days: float, *, step_s: float = 3600.0) -> None:
        """Let time pass, an hour at a time."""
        for _ in range(round(days * 86_400 / step_s)):
            await self.clock.advance(step_s)


@pytest.fixture(autouse=True)
def no_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do at once what takes a thread, so that only the manual clock tells time."""

    async def replaced(
        work: Callable[..., object], *given: object, **named: object
    ) -> object:
        return work(*given, **named)

    monkeypatch.setattr(asyncio, "to_thread", replaced)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Return a member whose certificate has 30 days."""
    authority = Authority.open(tmp_path, trust_domain=OWN.trust_domain)
    files = authority.issue(OWN, tmp_path, lifetime=LIFETIME)
    tls = TlsSettings(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
    )
    return World(tls, Desk(authority), ManualClock(datetime.now(UTC).timestamp()))


@asynccontextmanager
async def renewing(world: World) -> AsyncIterator[None]:
    """Run the renewal beside the test; raise what ended it."""
    renewal = CertificateRenewal(
        world.tls,
        identity=OWN,
        client=world.desk,
        clock=world.clock,
        jitter=lambda: 0.5,
    )
    task = asyncio.create_task(renewal.run())
    await asyncio.sleep(0.05)
    try:
        yield
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_certificate_is_renewed_when_a_third_is_left(world: World) -> None:
    """Not before: operators sign seldom. Not after: they need the time."""
    before = world.certificate()

    async with renewing(world):
        await world.pass_days(19.5)
        early = (world.certificate(), len(world.desk.requests))
        await world.pass_days(1.5)
        late = world.certificate()

    assert early == (before, 0)
    assert late != before
    assert len(world.desk.requests) == 1
    assert read_tls(world.tls).expire_s > world.clock.now_s() + 60 * 86_400


async def test_absent_coordinator_and_slow_operator_are_waited_for(
    world: World,
) -> None:
    """Ten days are left for both of them."""
    before = world.certificate()
    world.desk.absent, world.desk.signs = 5, False

    async with renewing(world):
        await world.pass_days(22)
        unsigned = world.certificate()
        world.desk.signs = True
        await world.pass_days(2)

    assert unsigned == before
    assert world.certificate() != before
    assert len(world.desk.requests) == 1


async def test_certificate_for_another_name_changes_no_file(world: World) -> None:
    """A coordinator that hands out another's certificate is not believed."""
    before = world.certificate()
    world.desk.identity = OTHER

    async with renewing(world):
        await world.pass_days(22)

    assert world.certificate() == before
    assert world.desk.requests


@pytest.mark.parametrize("flaw", ["key", "name", "authority", "shorter"])
def test_unfit_successor_is_refused(world: World, tmp_path: Path, flaw: str) -> None:
    """Only what was asked for, signed by the authority, for longer."""
    draft = Draft.of(OWN)
    other = Authority.open(tmp_path / "other", trust_domain=OWN.trust_domain)
    signer = other if flaw == "authority" else world.desk.authority
    der = signer.sign_request(
        OTHER if flaw == "name" else OWN,
        Draft.of(OWN).signing_request_der
        if flaw == "key"
        else draft.signing_request_der,
        lifetime=timedelta(days=1 if flaw == "shorter" else 90),
    )

    with pytest.raises(SignatureInvalid):
        refuse_unfit(
            der,
            draft,
            identity=OWN,
            present=read_tls(world.tls),
            now_s=world.clock.now_s(),
        )


def test_fit_successor_is_taken(world: World) -> None:
    """The check that refuses four others lets the right one through."""
    draft = Draft.of(OWN)
    der = world.desk.authority.sign_request(OWN, draft.signing_request_der)

    refuse_unfit(
        der,
        draft,
        identity=OWN,
        present=read_tls(world.tls),
        now_s=world.clock.now_s(),
    )


def test_moment_of_renewal_follows_from_the_certificate(world: World) -> None:
    """A third of thirty days before the end."""
    present = read_tls(world.tls)

    left_s = present.expire_s - renew_at_s(present.certificate)

    assert left_s == pytest.approx(10 * 86_400, rel=0.01)


def test_new_key_shows_in_no_representation() -> None:
    """A draft that is logged tells nothing."""
    assert "0x" not in repr(Draft.of(OWN))
