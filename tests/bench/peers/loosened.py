"""Print a package's requirements but for the bounds that a registry cannot meet.

Run inside a peer's environment as `loosened.py PACKAGE EXTRA NAME...`: of each NAME any
version is required. Needs nothing but pip.
"""

import sys
from importlib.metadata import requires

from pip._vendor.packaging.requirements import Requirement


def loosened(package: str, extra: str, names: list[str]) -> list[str]:
    """Return what the package with its extra needs here, without bounds for `names`."""
    parsed = [Requirement(line) for line in requires(package) or ()]
    needed = [
        one
        for one in parsed
        if one.marker is None
        or any(one.marker.evaluate({"extra": some}) for some in ("", extra))
    ]
    return sorted({one.name if one.name in names else _plain(one) for one in needed})


def _plain(requirement: Requirement) -> str:
    requirement.marker = None
    return str(requirement)


if __name__ == "__main__":
    sys.stdout.write("\n".join(loosened(sys.argv[1], sys.argv[2], sys.argv[3:])) + "\n")
