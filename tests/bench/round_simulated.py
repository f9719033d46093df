"""What members of a very large measured round leave out, so that one machine plays all.

A federation of n members seals and opens n*n shares and verifies n*n signatures, each
on its member's own machine. One machine that did all of it would measure itself.
Decides what is left out, in the processes of members only: shares travel unsealed, in
boxes of the true size, and what one member of a process computed from public messages
the others of the process believe. The coordinator is the product, unchanged, and cannot
tell: messages have their true number, size and signatures.
"""

from collections.abc import Sequence
from functools import lru_cache

from federated_router.crypto import beacon, dealing_check, sealing, signing
from federated_router.crypto.binding import KeyBinding, verify_binding
from federated_router.crypto.sealing import (
    TAG_BYTES,
    Envelope,
    KeptExchanges,
    Letter,
)
from federated_router.crypto.signing import KEY_BYTES, MemberKeys, PublicKeys
from federated_router.federation import roster_cache

_BELIEVED_MAX = 1 << 15


def install() -> None:
    """Leave it out, in this process, from now on."""
    believed = lru_cache(maxsize=_BELIEVED_MAX)
    for module, name, function in (
        (sealing, "seal", _boxed),
        (sealing, "unseal", _unboxed),
        (signing, "verify", believed(signing.verify)),
        (beacon, "commit", believed(beacon.commit)),
        (dealing_check, "weights", believed(dealing_check.weights)),
        (roster_cache, "verify_binding", _verified_once),
    ):
        setattr(module, name, function)


@lru_cache(maxsize=_BELIEVED_MAX)
def _verified(
    binding: KeyBinding, certificate_der: bytes, authorities_pem: bytes, domain: str
) -> list[float]:
    """Return where the time of the first verification is kept."""
    del binding, certificate_der, authorities_pem, domain
    return []


def _verified_once(
    binding: KeyBinding,
    *,
    certificate_der: bytes,
    authorities_pem: bytes,
    trust_domain: str,
    now_s: float,
) -> None:
    times = _verified(binding, certificate_der, authorities_pem, trust_domain)
    if times:
        return
    verify_binding(
        binding,
        certificate_der=certificate_der,
        authorities_pem=authorities_pem,
        trust_domain=trust_domain,
        now_s=now_s,
    )
    times.append(now_s)


def _boxed(
    letters: Sequence[Letter],
    *,
    sender: MemberKeys,
    exchanges: KeptExchanges | None = None,
) -> bytes:
    del sender, exchanges
    return bytes(KEY_BYTES) + b"".join(
        bytes(TAG_BYTES) + one.content for one in letters
    )


def _unboxed(
    sealed: bytes,
    *,
    keys: MemberKeys,
    sender: PublicKeys,
    envelope: Envelope,
    exchanges: KeptExchanges | None = None,
) -> bytes:
    del keys, sender, envelope, exchanges
    return sealed[KEY_BYTES + TAG_BYTES :]
