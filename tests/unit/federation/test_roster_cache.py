"""Keys travel and are verified once, and are believed no longer than they hold."""

from dataclasses import replace

import pytest

from federated_router.crypto.binding import verify_binding
from federated_router.crypto.signing import MemberKeys
from federated_router.crypto.transcript import MemberName
from federated_router.federation import roster_cache
from federated_router.federation.roster_cache import RosterCache
from federated_router.federation.round_view import Announcement
from federated_router.federation.survivor_signature import Trust
from federated_router.kit.errors import SignatureInvalid
from tests.support.round_member import Certificates
from tests.support.verification_world import NOT_AFTER_S, NOW_S


@pytest.fixture
def announced(certificates: Certificates) -> tuple[Announcement, Trust]:
    """Return a member's keys, and whom its federation believes."""
    credentials = certificates.credentials("node/cached-1")
    keys = MemberKeys.generate().public
    return credentials.announce(keys, not_after_s=NOT_AFTER_S), credentials.trust


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each binding that is verified in truth."""
    calls: list[str] = []
    honest = verify_binding

    def noted(binding: object, **rest: object) -> None:
        calls.append(binding.member)  # type: ignore[attr-defined]
        honest(binding, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr(roster_cache, "verify_binding", noted)
    return calls


def test_verified_binding_is_not_verified_again(
    announced: tuple[Announcement, Trust], verified: list[str]
) -> None:
    """A hundred certificates in every round would be most of a member's work."""
    announcement, trust = announced
    cache = RosterCache()
    cache.keep([announcement])

    for _ in range(3):
        cache.verify(announcement, trust=trust, now_s=NOW_S)

    assert verified == ["node/cached-1"]


def test_what_differs_in_anything_is_verified_anew(
    announced: tuple[Announcement, Trust], verified: list[str]
) -> None:
    """Name, keys, lifetime, certificate and signature are all in the digest."""
    announcement, trust = announced
    cache = RosterCache()
    cache.keep([announcement])
    cache.verify(announcement, trust=trust, now_s=NOW_S)
    binding = announcement.binding
    other = MemberKeys.generate().public

    for changed in (
        replace(binding, member=MemberName("node/cached-2")),
        replace(binding, keys=other),
        replace(binding, not_after_s=NOT_AFTER_S + 1),
        replace(binding, signature=binding.signature[:-1]),
    ):
        with pytest.raises(SignatureInvalid):
            cache.verify(
                replace(announcement, binding=changed), trust=trust, now_s=NOW_S
            )
    with pytest.raises(SignatureInvalid):
        cache.verify(
            announcement,
            trust=replace(trust, trust_domain="other.federation"),
            now_s=NOW_S,
        )

    assert len(verified) == 6


def test_expired_binding_is_refused_although_it_was_verified(
    announced: tuple[Announcement, Trust],
) -> None:
    """Rotated keys must not come back."""
    announcement, trust = announced
    cache = RosterCache()
    cache.keep([announcement])
    cache.verify(announcement, trust=trust, now_s=NOW_S)

    with pytest.raises(SignatureInvalid):
        cache.verify(announcement, trust=trust, now_s=NOT_AFTER_S + 1)


def test_clock_that_went_back_verifies_anew(
    announced: tuple[Announcement, Trust], verified: list[str]
) -> None:
    """A certificate may not have been issued yet at that time."""
    announcement, trust = announced
    cache = RosterCache()
    cache.keep([announcement])
    cache.verify(announcement, trust=trust, now_s=NOW_S)

    cache.verify(announcement, trust=trust, now_s=NOW_S - 60)

    assert len(verified) == 2


def test_cache_keeps_the_members_that_were_met_last(
    announced: tuple[Announcement, Trust], certificates: Certificates
) -> None:
    """A coordinator that shows ever new keys does not fill the memory."""
    announcement, trust = announced
    cache = RosterCache(entries_max=3)
    credentials = certificates.credentials("node/cached-1")
    cache.keep([announcement])
    cache.verify(announcement, trust=trust, now_s=NOW_S)

    others = [
        credentials.announce(MemberKeys.generate().public, not_after_s=NOT_AFTER_S)
        for _ in range(3)
    ]
    cache.keep(others)

    assert set(cache.known) == {other.sha256 for other in others}
    assert announcement.sha256 not in cache._verified
