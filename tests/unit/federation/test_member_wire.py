"""Between messages and what a member thinks in."""

import pytest

from federated_router.api.v1 import aggregation_pb2, priors_pb2
from federated_router.crypto.signing import MemberKeys
from federated_router.federation import wire
from federated_router.federation.own_statistics import own_statistics
from federated_router.federation.priors_wire import priors_from_message
from federated_router.federation.round_view import RoundState
from federated_router.federation.settings import MembershipSettings
from federated_router.federation.statistics import FailureCause, Statistics
from federated_router.federation.wire import (
    keys_from_message,
    keys_to_message,
    round_from_message,
)
from federated_router.kit.errors import FieldInvalid
from tests.support.round_coordinator import CATALOGUE, CELL
from tests.support.round_member import Certificates

LAYOUT = priors_pb2.Catalogue(
    version=1,
    models=CATALOGUE.models,
    regions=CATALOGUE.regions,
    latency_bounds_ms=CATALOGUE.latency_bounds_ms,
    slot_max=CATALOGUE.slot_max,
)


def test_every_state_of_the_contract_is_known_to_members() -> None:
    """A new state in the contract must not reach members as a crash."""
    names = set(aggregation_pb2.Round.State.keys()) - {"STATE_UNSPECIFIED"}

    states = {
        round_from_message(
            aggregation_pb2.Round(
                state=aggregation_pb2.Round.State.Value(name),  # type: ignore[arg-type]
                catalogue=LAYOUT,
            )
        ).state
        for name in names
    }

    assert states == set(RoundState)


@pytest.mark.parametrize("state", [0, 77])
def test_state_without_meaning_is_refused(state: int) -> None:
    """Unset and future states are refused, not guessed."""
    message = aggregation_pb2.Round(catalogue=LAYOUT)
    message.state = state  # type: ignore[assignment]

    with pytest.raises(FieldInvalid):
        round_from_message(message)


def test_layouts_that_differ_in_anything_are_never_taken_for_one_another() -> None:
    """A layout is read once for all views that repeat it, told by its bytes."""
    other = priors_pb2.Catalogue()
    other.CopyFrom(LAYOUT)
    other.slot_max += 1

    first, again, changed = (
        round_from_message(
            aggregation_pb2.Round(
                state=aggregation_pb2.Round.STATE_JOINING, catalogue=layout
            )
        ).catalogue
        for layout in (LAYOUT, LAYOUT, other)
    )

    assert first is again
    assert first == CATALOGUE
    assert changed.slot_max == CATALOGUE.slot_max + 1


def test_few_layouts_are_kept() -> None:
    """A coordinator that shows a new one each time must not fill the memory."""
    for number in range(3 * wire.CATALOGUES_KEPT):
        layout = priors_pb2.Catalogue()
        layout.CopyFrom(LAYOUT)
        layout.slot_max = number + 1
        round_from_message(
            aggregation_pb2.Round(
                state=aggregation_pb2.Round.STATE_JOINING, catalogue=layout
            )
        )

    assert wire._catalogue.cache_info().currsize == wire.CATALOGUES_KEPT


def test_announcement_survives_the_wire(certificates: Certificates) -> None:
    """A member compares its own roster entry with `==`."""
    credentials = certificates.credentials("node/wire-1")
    announcement = credentials.announce(
        MemberKeys.generate().public, not_after_s=1_900_000_000
    )

    message = keys_to_message(announcement)

    assert keys_from_message("node/wire-1", message) == announcement


def test_keys_of_another_length_are_refused() -> None:
    """Short keys would fail deep inside the cryptography, as something else."""
    with pytest.raises(FieldInvalid):
        keys_from_message(
            "node/node-1",
            aggregation_pb2.MemberKeys(signing_key=b"short", sealing_key=bytes(32)),
        )


def test_catalogue_survives_the_wire_bound_for_bound() -> None:
    """Bounds are compared as floats when counts are merged."""
    message = aggregation_pb2.Round(
        catalogue=LAYOUT, state=aggregation_pb2.Round.STATE_JOINING
    )

    assert round_from_message(message).catalogue == CATALOGUE


def test_priors_with_other_buckets_are_refused() -> None:
    """A cell that does not fit its catalogue would be read as other latencies."""
    message = priors_pb2.Priors(
        revision=1,
        catalogue=LAYOUT,
        performance=[
            priors_pb2.PerformancePrior(
                model=CELL.model, region=CELL.region, latency_counts=[1, 2]
            )
        ],
    )

    with pytest.raises(FieldInvalid):
        priors_from_message(message)


def test_priors_keep_every_cell() -> None:
    """Counts arrive by model and region, negative ones included."""
    counts = [-3, *([0] * len(CATALOGUE.latency_bounds_ms))]
    message = priors_pb2.Priors(
        revision=7,
        catalogue=LAYOUT,
        members=4,
        noise_standard_deviation=4.0,
        performance=[
            priors_pb2.PerformancePrior(
                model=CELL.model, region=CELL.region, latency_counts=counts, failures=2
            )
        ],
    )

    priors = priors_from_message(message)

    assert priors.performance[CELL].latency_counts == tuple(counts)
    assert priors.performance[CELL].failures == 2
    assert priors.read(CELL) is not None


def test_operator_sees_plain_counts_over_their_bounds() -> None:
    """The demonstration adds these up to check what a round published."""
    statistics = Statistics()
    statistics.succeed(CELL, latency_ms_per_token=0.1)
    statistics.fail(CELL, FailureCause.ENGINE)

    shown = own_statistics(statistics)()

    assert shown.performance[0].model == CELL.model
    assert shown.performance[0].latency_counts[0] == 1
    assert shown.performance[0].failures == 1
    assert tuple(shown.latency_bounds_ms) == statistics.latency_bounds_ms


def test_settings_demand_a_noise_floor() -> None:
    """The promise to those who are counted has no default."""
    with pytest.raises(ValueError, match="noise_scale_min"):
        MembershipSettings.model_validate({"coordinator": "x:1", "vault": "v"})


def test_settings_become_the_floor_that_is_verified() -> None:
    """What is configured is what is checked."""
    settings = MembershipSettings.model_validate(
        {"coordinator": "x:1", "vault": "v", "noise_scale_min": 4.0}
    )

    assert settings.floor.noise_scale_min == 4.0
    assert settings.floor.participation_min == 0.8
    assert settings.floor.colluders(members=10) == 3
