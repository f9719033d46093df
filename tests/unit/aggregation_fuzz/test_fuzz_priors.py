"""Published priors, mutated: whoever follows them sees this federation's errors only.

Routers act on priors, and the follower's loop outlives nothing but such errors.
"""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings

from federated_router.api.v1 import priors_pb2
from federated_router.federation.wire import priors_from_message
from federated_router.kit.errors import FederationError
from tests.unit.aggregation_fuzz.mutations import bounded, mutated
from tests.unit.aggregation_fuzz.stage import parsed

few = settings(max_examples=30, deadline=None)

PRIORS = priors_pb2.Priors(
    revision=3,
    round="rounds/r1",
    create_time=Timestamp(seconds=1_700_000_000),
    catalogue=priors_pb2.Catalogue(
        version=1,
        models=["models/a"],
        regions=["eu"],
        latency_bounds_ms=[1.0, 2.0],
        slot_max=1000,
    ),
    members=4,
    noise_standard_deviation=4.5,
    performance=[
        {
            "model": "models/a",
            "region": "eu",
            "latency_counts": [1, 2, 3],
            "failures": 1,
        }
    ],
)


def try_priors(content: bytes) -> None:
    """Read mutated priors; whoever wrote them, only this federation's errors leave."""
    message = parsed(PRIORS, content)
    if message is None or not plausible(message.create_time):
        return
    with bounded():
        try:
            found = priors_from_message(message)
        except FederationError:
            return
    buckets = len(found.catalogue.latency_bounds_ms) + 1
    assert all(
        len(counts.latency_counts) == buckets for counts in found.performance.values()
    )


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
    try_priors(content)


def test_priors_from_no_time_are_refused_by_name() -> None:
    """A moment beyond year 9999 must not end the daemon that follows priors."""
    message = priors_pb2.Priors()
    message.CopyFrom(PRIORS)
    message.create_time.seconds = 1 << 62

    with pytest.raises(FederationError):
        priors_from_message(message)
