"""How many requests of a user a member may count before a round takes them.

Decides which request of a user is still counted, so that one user moves a member's
part of a sum by at most `requests_per_user_max` requests. Refuses to know names: a user
is a pseudonym that a router made with a key of its own, which an `epoch` names.

The limit holds for everything that has not been settled, pending and frozen together:
a batch that comes back from an aborted round joins what was counted meanwhile without
exceeding it. Where the limit cannot be vouched for, nothing is told (fail closed): no
user is known, the vault's batches are not back yet, the map is full, or pseudonyms are
under another key than those that are held.

What decides about other users' requests are public events alone: a restart, a router
that announces another key, a round that takes. Were it the requests held, one user's
request could decide whether everybody else's are counted, which no noise would hide.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

METADATA_KEY: Final = "federation-user"
"""Metadata of a request from a router to a node: the user's pseudonym there."""

USERS_MAX: Final = 16_384
"""Users that one member tells apart at a time; requests of further ones are clipped."""

_METADATA: Final = re.compile(r"(?P<epoch>[0-9a-f]{16})\.(?P<pseudonym>[0-9a-f]{32})")


class UserKey(NamedTuple):
    """A user as its router calls it; `epoch` names the router's key."""

    epoch: str
    pseudonym: str

    @property
    def metadata(self) -> str:
        """The user as a router sends it."""
        return f"{self.epoch}.{self.pseudonym}"

    @classmethod
    def from_metadata(cls, value: str | None) -> Self | None:
        """Return the user that a router named; None where it named none."""
        match = _METADATA.fullmatch(value or "")
        return None if match is None else cls(match["epoch"], match["pseudonym"])


class UserLedger:
    """Requests held per user; a limit of 0 counts everything and keeps nothing.

    While `recovering`, earlier batches may still come back and nothing is counted.
    """

    def __init__(
        self,
        requests_per_user_max: int,
        *,
        users_max: int = USERS_MAX,
        recovering: bool = False,
    ) -> None:
        self._limit = requests_per_user_max
        self._users_max = users_max
        self._recovering = recovering
        self._held: dict[UserKey, int] = {}
        self._announced: str | None = None
        self._epoch: str | None = None

    @property
    def limit(self) -> int:
        """The most requests of one user; 0 is no limit."""
        return self._limit

    @property
    def epoch(self) -> str:
        """The key under which users are counted now; empty before the first."""
        return self._epoch or ""

    @property
    def users(self) -> int:
        """How many users have requests here."""
        return len(self._held)

    def announce(self, epoch: str) -> None:
        """Note the key that the router uses from now on.

        Users under another one than before are counted from the next `turn` on.
        """
        self._announced = epoch
        if self._epoch is None:
            self._epoch = epoch

    def recovered(self) -> None:
        """Begin to count: no earlier batch comes back any more."""
        self._recovering = False

    def turn(self) -> bool:
        """Count under the newest key, now that a round has taken.

        Return whether that is another one than before: what is left then is under
        pseudonyms that nobody can compare any more.
        """
        changed = self._epoch != self._announced
        self._epoch = self._announced
        return changed and self._limit > 0

    def admit(self, user: UserKey | None) -> bool:
        """Return whether one more request of `user` may count, and note it if so."""
        if not self._limit:
            return True
        if self._recovering or user is None or user.epoch != self._epoch:
            return False
        held = self._held.get(user, 0)
        if held >= self._limit or (not held and len(self._held) >= self._users_max):
            return False
        self._held[user] = held + 1
        return True

    def hold(self, users: Mapping[UserKey, int]) -> None:
        """Note requests that an earlier process's batch holds."""
        for user, requests in users.items() if self._limit else ():
            self._held[user] = self._held.get(user, 0) + requests

    def release(self, users: Mapping[UserKey, int]) -> None:
        """Forget requests that were told, or never will be."""
        for user, requests in users.items() if self._limit else ():
            self._held[user] -= requests
            if not self._held[user]:
                del self._held[user]

    def comparable(self, epoch: str) -> bool:
        """Return whether users under that key can be told from those counted now."""
        return not self._limit or epoch == self._epoch
