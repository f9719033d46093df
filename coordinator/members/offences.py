"""How often rounds found members at fault, as whoever counts it tells.

Decides what of a member's standing an operator is shown. Refuses to judge it.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from coordinator.robust.offenders import Standing
from coordinator.robust.store import OffenderStore
from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class Faults:
    """`proven` and `outlying` count rounds; `outlying_chance` is a probability."""

    proven: int = 0
    outlying: int = 0
    outlying_chance: float = 1.0


Offences = Callable[[Collection[MemberName]], Awaitable[Mapping[MemberName, Faults]]]


async def nobody_counts(
    _members: Collection[MemberName],
) -> Mapping[MemberName, Faults]:
    """Return nothing: no store of offences is attached."""
    return {}


def counted_by(store: OffenderStore) -> Offences:
    """Return what a store tells of members."""

    async def offences(
        members: Collection[MemberName],
    ) -> Mapping[MemberName, Faults]:
        if len(members) == 1:
            found = tuple([await store.standing(member) for member in members])
        else:
            found = await store.all()
        return {one.member: _faults(one) for one in found}

    return offences


def _faults(standing: Standing) -> Faults:
    return Faults(
        proven=standing.lies + standing.inconsistencies,
        outlying=standing.outlying,
        outlying_chance=standing.outlying_tail,
    )
