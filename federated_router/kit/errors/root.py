"""The root of every error that may leave a daemon: a reason, facts, and a message."""

from collections.abc import Mapping
from typing import ClassVar


class FederationError(Exception):
    """Base of every error that may leave a daemon.

    `metadata` holds machine-readable facts (never prompts, records or secrets);
    `retry_after_s` is set where waiting that long can help.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = dict(metadata or {})
        self.retry_after_s = retry_after_s


def all_error_classes() -> list[type[FederationError]]:
    """Return every class of the tree, for catalogues and their tests."""
    found: list[type[FederationError]] = []
    pending: list[type[FederationError]] = [FederationError]
    while pending:
        current = pending.pop()
        found.append(current)
        pending.extend(current.__subclasses__())
    return found
