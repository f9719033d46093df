"""Which nodes changed, as far as routing goes: leases and reported load are no change.

Decides what of a node routing knows, and how many changes are remembered. Pure.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import chain, compress, repeat
from operator import is_not
from typing import Final

from federated_router.registry.membership import Member, Membership, NodeState, Offer

CHANGES_MAX: Final = 256
"""How many changes are remembered; what is older than these is made anew."""

Known = tuple[str, str, tuple[Offer, ...], NodeState, float]


@dataclass(frozen=True, slots=True)
class Changes:
    """The latest changes: the nodes they were of, in order, and how many there were."""

    number: int = 0
    latest: tuple[str, ...] = ()

    def and_then(self, nodes: Collection[str]) -> "Changes":
        """Return these and a change of each of some nodes."""
        if not nodes:
            return self
        latest = (*self.latest, *nodes)[-CHANGES_MAX:]
        return Changes(self.number + len(nodes), latest)

    def since(self, number: int) -> frozenset[str] | None:
        """Return the nodes that changed since there were so many changes.

        None where that is longer ago than is remembered.
        """
        count = self.number - number
        if count > len(self.latest):
            return None
        return frozenset(self.latest[len(self.latest) - count :])


NO_CHANGES: Final = Changes()


def changed_nodes(before: Membership, after: Membership) -> list[str]:
    """Return the names of nodes that came, left, or are known to routing as others."""
    known, present = before.members, after.members
    # A member that stands where it stood is the same: only the others are looked up.
    moved = map(is_not, present.values(), chain(known.values(), repeat(None)))
    changed = [
        name
        for name in compress(present, moved)
        if _known(known.get(name)) != _known(present[name])
    ]
    came = sum(name not in known for name in changed)
    if len(known) + came > len(present):
        changed += [name for name in known if name not in present]
    return changed


def sites_lost(before: Membership, after: Membership, nodes: Collection[str]) -> bool:
    """Return whether any of these nodes left, or stopped to serve a model."""
    return any(not _models(before, name) <= _models(after, name) for name in nodes)


def _models(membership: Membership, name: str) -> set[str]:
    member = membership.members.get(name)
    return set() if member is None else {offer.model for offer in member.offers}


def _known(member: Member | None) -> Known | None:
    if member is None:
        return None
    return (
        member.address,
        member.region,
        member.offers,
        member.state,
        member.weight,
    )
