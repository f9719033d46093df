"""What happens to valid bytes on their way: flips, cuts, additions, wrong lengths.

Every mutation differs from the original, so that acceptance is a finding and never an
accident of drawing the same bytes again.
"""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from cryptography import x509
from hypothesis import assume
from hypothesis import strategies as st

from federated_router.kit.errors import FederationError

Found = TypeVar("Found")
SECONDS_MAX = 2.0
"""What one message may cost; honest ones take milliseconds, and machines are shared."""

MEMORY_MAX_KIB = 128 * 1024
"""What one message may add to the process's peak; a contribution has 60 KB."""

LENGTHS = (
    b"\x00",
    b"\x7f",
    b"\xff\xff\xff\xff\x07",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\x82\x01\x00",
    b"\x84\xff\xff\xff\xff",
)
"""Lengths as protobuf (varint) and certificates (DER) write them: 0 to 2^63 - 1."""


class Original(bytes):
    """Valid bytes that do not fill a report when a test of theirs fails."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the length only."""
        return f"<{len(self)} valid bytes>"


def mutated(content: bytes) -> st.SearchStrategy[bytes]:
    """Give bytes that differ from `content` in one to three places."""
    return _mutated(Original(content))


@st.composite
def _mutated(draw: st.DrawFn, content: bytes) -> bytes:
    changed = content
    for _ in range(draw(st.integers(1, 3))):
        changed = draw(st.sampled_from(_KINDS))(draw, changed)
    assume(changed != content)
    return changed


def _flip(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, max(0, len(content) - 1)))
    bit = 1 << draw(st.integers(0, 7))
    return (
        content[:place]
        + bytes(b ^ bit for b in content[place : place + 1])
        + (content[place + 1 :])
    )


def _set(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, max(0, len(content) - 1)))
    return (
        content[:place]
        + draw(st.binary(min_size=1, max_size=4))
        + (content[place + 4 :])
    )


def _cut(draw: st.DrawFn, content: bytes) -> bytes:
    return content[: draw(st.integers(0, max(0, len(content) - 1)))]


def _extend(draw: st.DrawFn, content: bytes) -> bytes:
    return content + draw(st.binary(min_size=1, max_size=64))


def _insert(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    return content[:place] + draw(st.binary(min_size=1, max_size=16)) + content[place:]


def _drop(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    return content[:place] + content[place + draw(st.integers(1, 40)) :]


def _length(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    return content[:place] + draw(st.sampled_from(LENGTHS)) + content[place + 1 :]


def _repeat(draw: st.DrawFn, content: bytes) -> bytes:
    place = draw(st.integers(0, len(content)))
    part = content[place : place + draw(st.integers(1, 80))]
    return content[:place] + part * draw(st.integers(2, 4)) + content[place:]


_KINDS = (_flip, _set, _cut, _extend, _insert, _drop, _length, _repeat)


@contextmanager
def bounded() -> Iterator[None]:
    """Fail for what takes longer than SECONDS_MAX, or grows beyond MEMORY_MAX_KIB."""
    began, before = time.process_time(), _peak_kib()
    yield
    spent, grown = time.process_time() - began, _peak_kib() - before
    assert spent < SECONDS_MAX, f"{spent:.1f} s for one message"
    assert grown < MEMORY_MAX_KIB, f"{grown} KiB for one message"


def taken(
    read: Callable[[], Found], *, refusal: type[FederationError] = FederationError
) -> Found | None:
    """Return what `read` makes of a message, within bounds; None where it refuses.

    Any error but a `refusal` fails the test.
    """
    with bounded():
        try:
            return read()
        except refusal:
            return None


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def known_version(certificate_der: bytes) -> bool:
    """Return whether the library can name the version, or refuses for another cause."""
    try:
        x509.load_der_x509_certificate(certificate_der)
    except x509.InvalidVersion:
        return False
    except ValueError:
        return True
    return True
