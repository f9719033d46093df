"""A daemon's certificate and key on disk: read again when they change, replaced safely.

Decides when the files are usable (the key is the certificate's) and that a pair is
replaced without a moment at which a restart would find half of it. Refuses to know who
replaces them and what they are used for.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from federated_router.kit.config import TlsSettings
from federated_router.kit.errors import NotIdentified
from federated_router.kit.file_mark import FileMark, mark_of
from federated_router.kit.log import get_logger

LOOK_INTERVAL_S: Final = 1.0
"""How often, at most, the files are looked at."""

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsContent:
    """What the three files hold, PEM; `expire_s` is a Unix time."""

    certificate: bytes = field(repr=False)
    private_key: bytes = field(repr=False)
    authority: bytes = field(repr=False)
    expire_s: float


class TlsFiles:
    """The newest usable content of a daemon's files.

    A pair that does not belong together (somebody is just replacing it, or made a
    mistake) is not used: what was read before stays. Safe to use from any thread.
    """

    def __init__(
        self,
        tls: TlsSettings,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tls = tls
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._looked_s = monotonic_s()
        self._marks = self._look()
        self._content = read_tls(tls)
        self._generation = 0

    @property
    def content(self) -> TlsContent:
        """Return the newest usable content; look at the files once a second."""
        self._refresh()
        return self._content

    @property
    def generation(self) -> int:
        """Return a number that grows whenever the content changes."""
        self._refresh()
        return self._generation

    def _refresh(self) -> None:
        now_s = self._monotonic_s()
        if now_s - self._looked_s < LOOK_INTERVAL_S:
            return
        with self._lock:
            self._looked_s = now_s
            try:
                marks = self._look()
                if marks == self._marks:
                    return
                found = read_tls(self._tls)
            except (OSError, NotIdentified) as error:
                _log.warning("changed TLS files are not used", cause=str(error))
                return
            self._marks, self._content = marks, found
            self._generation += 1
        _log.info("TLS files read again", expire_s=round(found.expire_s))

    def _look(self) -> tuple[FileMark, ...]:
        return tuple(mark_of(one.stat()) for one in _paths(self._tls))


def read_tls(tls: TlsSettings) -> TlsContent:
    """Return the files' content.

    Raises OSError for a file that cannot be read, NotIdentified for a pair that does
    not belong together or cannot be parsed.
    """
    certificate, key, authority = (one.read_bytes() for one in _paths(tls))
    try:
        parsed = x509.load_pem_x509_certificate(certificate)
        matching = _is_pair(certificate, key)
    except (ValueError, TypeError) as error:
        raise NotIdentified("The TLS files cannot be read as PEM.") from error
    if not matching:
        raise NotIdentified("The private key is not the certificate's.")
    return TlsContent(
        certificate, key, authority, parsed.not_valid_after_utc.timestamp()
    )


def replace_pair(tls: TlsSettings, *, certificate_pem: bytes, key_pem: bytes) -> None:
    """Put a new certificate and its key in place of the old ones, durably, 0600.

    Both lie beside the old ones before either is moved, so that `finish_replacement`
    can complete what a crash interrupted. Raises NotIdentified for a pair that does not
    belong together.
    """
    if not _is_pair(certificate_pem, key_pem):
        raise NotIdentified("The private key is not the certificate's.")
    key, certificate = _beside(tls.private_key), _beside(tls.certificate)
    write_durably(key, key_pem, mode=0o600)
    write_durably(certificate, certificate_pem, mode=0o600)
    _move(key, tls.private_key)
    _move(certificate, tls.certificate)


def finish_replacement(tls: TlsSettings) -> None:
    """Complete or undo, at the start, a replacement that a crash interrupted."""
    key, certificate = _beside(tls.private_key), _beside(tls.certificate)
    if certificate.exists():
        waiting = certificate.read_bytes()
        if key.exists() and _is_pair(waiting, key.read_bytes()):
            _move(key, tls.private_key)
        if _is_pair(waiting, tls.private_key.read_bytes()):
            _move(certificate, tls.certificate)
    key.unlink(missing_ok=True)
    certificate.unlink(missing_ok=True)


def write_durably(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file so that its path holds the old or the new content, never less."""
    partial = path.with_name(f"{path.name}.partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    _move(partial, path)


def _paths(tls: TlsSettings) -> tuple[Path, Path, Path]:
    return tls.certificate, tls.private_key, tls.authority


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _move(source: Path, target: Path) -> None:
    source.replace(target)
    descriptor = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_pair(certificate_pem: bytes, key_pem: bytes) -> bool:
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    key = load_pem_private_key(key_pem, password=None)
    return _spki(certificate) == key.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    )
