"""One verification of a roster for all members of a process, where a plan allows it.

In a federation each member verifies every certificate of a roster on a machine of its
own. In one process that is the square of the members in work, most of what a large run
costs. Decides that a roster which one member verified is believed by the next one only
if that was shown the same layout, roster, hash and beacon to the byte, and stands on it
itself as it joined; that is the plan's choice. Equal rosters are one in memory in any
case, which changes nothing but the size of the process.
"""

import asyncio
from collections import deque
from dataclasses import replace
from typing import Final

from federated_router.federation.member import Member
from federated_router.federation.round_view import RosterMember, Round
from federated_router.federation.vault_rows import RoundRecord
from federated_router.federation.verification import Roster

RECENT_MAX: Final = 4
"""Rosters that members may be looking at: the newest, and those a little behind."""


class SharedRosters:
    """The roster that was verified last, whose turn it is, and what members look at."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self._verified: tuple[Round, Roster] | None = None
        self._recent: deque[tuple[RosterMember, ...]] = deque(maxlen=RECENT_MAX)

    def of(self, round_: Round) -> Roster | None:
        """Return what was verified, if `round_` shows exactly that."""
        if self._verified is None:
            return None
        shown, roster = self._verified
        return roster if _what_is_verified(round_) == _what_is_verified(shown) else None

    def keep(self, round_: Round, roster: Roster) -> None:
        """Keep what a member has just verified in a round as it was shown."""
        self._verified = (round_, roster)

    def interned(self, roster: tuple[RosterMember, ...]) -> tuple[RosterMember, ...]:
        """Return an equal roster that is in memory already, or this one.

        Members on machines of their own hold a copy each; here equal ones are one.
        """
        for known in self._recent:
            if known == roster:
                return known
        self._recent.append(roster)
        return roster


class SharingMember(Member):
    """The product's member; believes what another one verified to the byte."""

    _shared: SharedRosters | None = None

    def share(self, rosters: SharedRosters) -> None:
        """Share verified rosters with the other members of this process."""
        self._shared = rosters

    async def _fetched_roster(self, round_: Round, record: RoundRecord) -> Roster:
        if self._shared is None:
            return await super()._fetched_roster(round_, record)
        members = await self._client.roster(round_.name, known=self._cache.known)
        shown = replace(round_, roster=members)
        async with self._shared.turn:
            known = self._shared.of(shown)
            own = self._own_entry(record, revealed=True)
            if known is not None and own in known.members:
                self._cache.keep(entry.announcement for entry in members)
                return known
            verified = await super()._fetched_roster(shown, record)
            self._shared.keep(shown, verified)
            return verified


def _what_is_verified(round_: Round) -> tuple[object, ...]:
    """Return everything from which a verification concludes."""
    return (
        round_.name,
        round_.catalogue,
        round_.roster_hash,
        round_.beacon,
        round_.roster,
    )
