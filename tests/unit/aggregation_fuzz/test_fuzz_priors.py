"""Published priors, mutated: whoever follows them sees this federation's errors only.

Routers act on priors, and the follower's loop outlives nothing but such errors.
"""

from dataclasses import replace

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings

from coordinator.priors.messages import priors_message
from federated_router.api.v1 import priors_pb2
from federated_router.federation.priors_wire import priors_from_message
from federated_router.kit.errors import FederationError
from federated_router.priors.bandit import read_bandit
from federated_router.priors.carbon import read_carbon
from federated_router.priors.contents import Contents
from federated_router.priors.pattern_priors import best_model
from federated_router.priors.publication import Priors
from federated_router.priors.resources import read_resources
from tests.unit.aggregation_fuzz.mutations import bounded, mutated, taken
from tests.unit.aggregation_fuzz.stage import parsed
from tests.unit.priors.worlds import LAYOUT, priors_of

few = settings(max_examples=30, deadline=None)

SMALL = replace(
    LAYOUT, models=("models/a",), regions=("eu",), features=2, patterns=("code",)
)
PRIORS = priors_message(
    replace(
        priors_of(Contents(), noise=4.5, catalogue=SMALL, create_time_s=1.7e9),
        contents=SMALL.decode(range(150, 150 + SMALL.statistic_slots)),
    )
)


def routed_by(content: bytes) -> Priors | None:
    """Return the priors of these bytes after all of a router's reads, if it takes them.

    What was taken must not fail it later.
    """
    message = parsed(PRIORS, content)
    if message is None or not plausible(message.create_time):
        return None
    with bounded():
        found = taken(lambda: priors_from_message(message))
        if found is not None:
            read_all(found)
    return found


def fits_its_catalogue(found: Priors) -> bool:
    """Return whether each cell has a count for every bucket of the catalogue."""
    buckets = len(found.catalogue.latency_bounds_ms) + 1
    return all(
        len(counts.latency_counts) == buckets for counts in found.performance.values()
    )


def read_all(found: Priors) -> None:
    """Read what a router reads."""
    for cell in found.performance:
        found.read(cell)
        read_resources(found, cell)
    for region in found.contents.carbon:
        read_carbon(found, region)
    for pattern in {cell.pattern for cell in found.contents.patterns}:
        best_model(found, pattern)
    for model in found.contents.bandits:
        read_bandit(found, model)


def plausible(moment: Timestamp) -> bool:
    """Return whether the library takes this for a moment."""
    try:
        moment.ToNanoseconds()
    except ValueError:
        return False
    return True


@few
@given(content=mutated(PRIORS.SerializeToString()))
def test_mutated_priors_are_refused_or_fit_their_catalogue(content: bytes) -> None:
    """Routers act on priors; counts over other buckets would be read as others'."""
    found = routed_by(content)

    assert found is None or fits_its_catalogue(found)


def test_unmutated_priors_are_taken() -> None:
    """What the mutations start from is valid; without this they would prove nothing."""
    found = routed_by(PRIORS.SerializeToString())

    assert found is not None
    assert found.performance
    assert fits_its_catalogue(found)


def test_priors_from_no_time_are_refused_by_name() -> None:
    """A moment beyond year 9999 must not end the daemon that follows priors."""
    message = priors_pb2.Priors()
    message.CopyFrom(PRIORS)
    message.create_time.seconds = 1 << 62

    with pytest.raises(FederationError):
        priors_from_message(message)
