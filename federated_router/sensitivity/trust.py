"""Who may get requests of which level: nodes by trust, regions by residency. Pure.

Decides what the configuration means. Refuses to know which nodes are there, and which
of them is chosen.
"""

from collections.abc import Mapping
from types import MappingProxyType

from federated_router.sensitivity.levels import Sensitivity
from federated_router.sensitivity.settings import ResidencySettings, TrustSettings


class Trust:
    """The most personal requests that each node may get."""

    def __init__(self, settings: TrustSettings) -> None:
        self.default = settings.default
        named = {
            node: level
            for level, nodes in (
                (Sensitivity.SENSITIVE, settings.sensitive),
                (Sensitivity.INTERNAL, settings.internal),
                (Sensitivity.PUBLIC, settings.public),
            )
            for node in nodes
        }
        self.by_node: Mapping[str, Sensitivity] = MappingProxyType(named)

    def of(self, node: str) -> Sensitivity:
        """Return what `nodes/ID` is trusted with."""
        return self.by_node.get(node, self.default)


class Residency:
    """The most personal requests that may go to each region."""

    def __init__(self, settings: ResidencySettings) -> None:
        self._lists = (
            (Sensitivity.PUBLIC, frozenset(settings.public)),
            (Sensitivity.INTERNAL, frozenset(settings.internal)),
            (Sensitivity.SENSITIVE, frozenset(settings.sensitive)),
        )

    def up_to(self, region: str) -> int:
        """Return the most personal level that may go to a region; 0 for none.

        The list of a level holds for all above it, so that no request may go where a
        less personal one may not.
        """
        for level, regions in self._lists:
            if regions and region not in regions:
                return level - 1
        return Sensitivity.SENSITIVE
