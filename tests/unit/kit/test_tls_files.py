"""A daemon's certificate and key are replaced together, whatever happens between."""

from collections.abc import Callable
from pathlib import Path

import pytest

from federated_router.kit import tls_files
from federated_router.kit.authority import Authority
from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import NotIdentified
from federated_router.kit.identity import Identity, Role
from federated_router.kit.tls_files import (
    LOOK_INTERVAL_S,
    TlsFiles,
    finish_replacement,
    read_tls,
    replace_pair,
)


class Stopped(Exception):
    """The machine lost its power."""


class Hand:
    """Issues certificates of one identity."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority.open(directory / "ca", trust_domain="a.example")
        self.directory = directory

    def issue(self, folder: str) -> TlsSettings:
        """Return a fresh pair in a folder of its own."""
        files = self.authority.issue(
            Identity(Role.NODE, "n1", "a.example"), self.directory / folder
        )
        return TlsSettings(
            certificate=files.certificate,
            private_key=files.private_key,
            authority=files.authority,
        )


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    """Return an authority for one test."""
    return Hand(tmp_path)


def pair(tls: TlsSettings) -> tuple[bytes, bytes]:
    """Return what lies in the two files."""
    return tls.certificate.read_bytes(), tls.private_key.read_bytes()


def test_replaced_pair_is_used_after_the_interval(hand: Hand) -> None:
    """Whoever asks gets the new pair; the number tells that it changed."""
    time_s = 0.0
    tls, new = hand.issue("own"), hand.issue("new")
    files = TlsFiles(tls, monotonic_s=lambda: time_s)
    before = files.content.certificate

    certificate, key = pair(new)
    replace_pair(tls, certificate_pem=certificate, key_pem=key)
    unseen = (files.content.certificate, files.generation)
    time_s += LOOK_INTERVAL_S
    seen = (files.content.certificate, files.generation)

    assert unseen == (before, 0)
    assert seen == (certificate, 1)
    assert tls.private_key.stat().st_mode & 0o777 == 0o600


def test_half_a_pair_is_not_used(hand: Hand) -> None:
    """Somebody who copies two files by hand is between them for a moment."""
    time_s = 0.0
    tls, new = hand.issue("own"), hand.issue("new")
    files = TlsFiles(tls, monotonic_s=lambda: time_s)
    before = files.content

    tls.private_key.write_bytes(new.private_key.read_bytes())
    time_s += LOOK_INTERVAL_S
    between = files.content
    tls.certificate.write_bytes(new.certificate.read_bytes())
    time_s += LOOK_INTERVAL_S

    assert between == before
    assert files.content.certificate == new.certificate.read_bytes()


def test_pair_that_does_not_belong_together_is_never_written(hand: Hand) -> None:
    """A daemon that could not start again would be worse than an old certificate."""
    tls, one, two = hand.issue("own"), hand.issue("one"), hand.issue("two")
    before = pair(tls)

    with pytest.raises(NotIdentified):
        replace_pair(tls, certificate_pem=pair(one)[0], key_pem=pair(two)[1])

    assert pair(tls) == before


def stop_after(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lose power before the step after so many renames."""
    real: Callable[[Path, Path], None] = tls_files._move
    left = steps

    def move(source: Path, target: Path) -> None:
        nonlocal left
        if left == 0:
            raise Stopped
        left -= 1
        real(source, target)

    monkeypatch.setattr(tls_files, "_move", move)


@pytest.mark.parametrize("steps", range(5))
def test_crash_at_any_step_leaves_one_whole_pair_after_the_start(
    hand: Hand, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start finds the old pair or the new one, and nothing lies about."""
    tls, new = hand.issue("own"), hand.issue("new")
    old_pair, new_pair = pair(tls), pair(new)
    with monkeypatch.context() as patched:
        stop_after(steps, patched)
        try:
            replace_pair(tls, certificate_pem=new_pair[0], key_pem=new_pair[1])
        except Stopped:
            crashed = True
        else:
            crashed = False

    finish_replacement(tls)

    read_tls(tls)
    assert pair(tls) in (old_pair, new_pair)
    assert crashed is (steps < 4)
    assert not list(tls.certificate.parent.glob("*.new"))
    assert pair(tls) == (old_pair if steps < 2 else new_pair)


def test_start_without_an_interrupted_replacement_changes_nothing(hand: Hand) -> None:
    """Most starts."""
    tls = hand.issue("own")
    before = pair(tls)

    finish_replacement(tls)

    assert pair(tls) == before


def test_private_key_shows_in_no_representation(hand: Hand) -> None:
    """Logs print what they are given."""
    content = read_tls(hand.issue("own"))

    assert "PRIVATE" not in repr(content)
    assert "CERTIFICATE" not in repr(content)
