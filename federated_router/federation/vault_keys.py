"""The member's round keys in its vault: drawn, used while they last, deleted.

Decides which keys a new round gets and when old ones go: a renewed certificate needs a
new binding, and gets new keys with it. Refuses to know what is signed with them.
"""

from typing import Final

from sqlalchemy import Connection, delete, insert, or_, select

from federated_router.crypto.signing import MemberKeys
from federated_router.federation.credentials import Credentials
from federated_router.federation.vault_rows import KEYS, ROUNDS, HeldKeys, held_keys
from federated_router.kit.clock import Clock

_MARGIN_PART: Final = 4
"""Keys are replaced when less than one such part of their lifetime is left."""


class VaultKeys:
    """The rows of keys; every method runs inside a transaction of the vault.

    What was read is kept, as rows of keys never change and cost three curve points to
    read; it is as secret as the file.
    """

    def __init__(
        self, *, credentials: Credentials, lifetime_s: float, clock: Clock
    ) -> None:
        self._credentials = credentials
        self._lifetime_s = lifetime_s
        self._clock = clock
        self._last: HeldKeys | None = None

    def current(self, connection: Connection) -> HeldKeys:
        """Return keys that last long enough, drawing new ones when none do."""
        now_s = self._clock.now_s()
        number = connection.scalar(
            select(KEYS.c.number)
            .where(KEYS.c.not_after_s > now_s + self._lifetime_s / _MARGIN_PART)
            .where(KEYS.c.certificate_der == self._credentials.certificate_der)
            .order_by(KEYS.c.number.desc())
            .limit(1)
        )
        if number is not None:
            return self.held(connection, number)
        return self._drawn(connection, not_after_s=int(now_s + self._lifetime_s))

    def held(self, connection: Connection, number: int) -> HeldKeys:
        """Return the keys that a round refers to."""
        if self._last is None or self._last.number != number:
            row = connection.execute(select(KEYS).where(KEYS.c.number == number)).one()
            self._last = held_keys(row, member=self._credentials.member)
        return self._last

    def delete_stale(self, connection: Connection) -> None:
        """Delete keys that have expired, or lost their certificate, and no round names.

        Old sealed shares must not stay readable for ever.
        """
        used = select(ROUNDS.c.keys_number).where(ROUNDS.c.keys_number.is_not(None))
        stale = or_(
            KEYS.c.not_after_s <= self._clock.now_s(),
            KEYS.c.certificate_der != self._credentials.certificate_der,
        )
        gone = delete(KEYS).where(stale, KEYS.c.number.not_in(used))
        if connection.execute(gone).rowcount:
            self._last = None

    def _drawn(self, connection: Connection, *, not_after_s: int) -> HeldKeys:
        keys = MemberKeys.generate()
        announcement = self._credentials.announce(keys.public, not_after_s=not_after_s)
        number = connection.execute(
            insert(KEYS)
            .values(
                secret=keys.to_secret_bytes(),
                not_after_s=not_after_s,
                certificate_der=announcement.certificate_der,
                binding_signature=announcement.binding.signature,
            )
            .returning(KEYS.c.number)
        ).scalar_one()
        return HeldKeys(number, keys, announcement)
