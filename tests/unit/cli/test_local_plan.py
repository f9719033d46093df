"""A planned federation is three kinds of configuration that the daemons take."""

from pathlib import Path

import pytest

from coordinator.config import CoordinatorSettings
from federated_router.cli.local_node import (
    SPLIT,
    SPLIT_OF,
    node_toml,
    pipeline_plans,
)
from federated_router.cli.local_plan import (
    NODES_MAX,
    Layout,
    coordinator_toml,
    node_plans,
    router_toml,
)
from federated_router.config import RouterSettings
from federated_router.kit.config import Model, load
from federated_router.privacy.charge import worst_case_units
from node.config import NodeSettings

ROUTER, COORDINATOR = "127.0.0.1:7001", "127.0.0.1:7002"
COUNTS = (1, 2, 3, 4, NODES_MAX)


@pytest.fixture(params=["plain", "with space", 'with "quotes"', "mit-ümlaut"])
def layout(tmp_path: Path, request: pytest.FixtureRequest) -> Layout:
    """Return a layout below a folder as people name them."""
    models = {
        name: tmp_path / "models" / name
        for name in ("reference-large", "reference-small")
    }
    return Layout(tmp_path / str(request.param), models)


def loaded(text: str, model: type[Model], directory: Path) -> Model:
    """Return the settings that a daemon reads from `text`."""
    file = directory / "daemon.toml"
    file.write_text(text, encoding="utf-8")
    return load(file, model)


def test_router_takes_its_configuration(layout: Layout, tmp_path: Path) -> None:
    """Addresses, certificates and the ledger are below the folder."""
    text = router_toml(layout, "router", ROUTER, COORDINATOR)

    settings = loaded(text, RouterSettings, tmp_path)

    assert settings.server.address == ROUTER
    assert settings.tls.certificate == layout.pki() / "router.crt"
    assert str(layout.state("router")) in settings.budget.url
    assert settings.federation is not None
    assert settings.federation.coordinator == COORDINATOR


@pytest.mark.parametrize("count", COUNTS)
def test_every_node_takes_its_configuration(tmp_path: Path, count: int) -> None:
    """Each serves its models from the cache, and registers with the router."""
    models = {name: tmp_path / name for name in ("reference-large", "reference-small")}
    layout = Layout(tmp_path / "local", models)

    for plan in node_plans(count):
        text = node_toml(
            layout, plan, "127.0.0.1:0", router=ROUTER, coordinator=COORDINATOR
        )
        settings = loaded(text, NodeSettings, tmp_path)

        assert settings.region == plan.region
        assert settings.registration.router_address == ROUTER
        # Each would count the whole machine's energy as its own requests'.
        assert settings.statistics.energy.meters == ()
        assert [(one.name, one.path, one.slots) for one in settings.models] == [
            (name, models[name], slots) for name, slots in plan.models
        ]


@pytest.mark.parametrize("count", COUNTS)
def test_coordinator_counts_what_the_nodes_serve(tmp_path: Path, count: int) -> None:
    """A model or region outside the catalogue would never be learnt about."""
    layout, plans = Layout(tmp_path / "local"), node_plans(count)
    text = coordinator_toml(layout, "coordinator", COORDINATOR, nodes=plans)

    catalogue = loaded(text, CoordinatorSettings, tmp_path).catalogue

    assert set(catalogue.models) == {name for one in plans for name, _ in one.models}
    assert set(catalogue.regions) == {one.region for one in plans}


def test_router_and_nodes_hold_the_same_policies(tmp_path: Path) -> None:
    """A policy that only one side knows is a refusal at the first request."""
    layout = Layout(tmp_path, {"reference-large": tmp_path})
    plan = node_plans(1)[0]
    node = node_toml(layout, plan, "a:1", router=ROUTER, coordinator=COORDINATOR)

    at_router = loaded(
        router_toml(layout, "router", ROUTER, COORDINATOR), RouterSettings, tmp_path
    )
    at_node = loaded(node, NodeSettings, tmp_path)

    assert at_router.policies == at_node.policies
    assert all(worst_case_units(one.policy()) > 0 for one in at_router.policies)


def test_members_accept_the_coordinators_noise(tmp_path: Path) -> None:
    """A floor above the offer would keep everybody out of every round."""
    layout, plans = Layout(tmp_path), node_plans(3)

    coordinator = loaded(
        coordinator_toml(layout, "coordinator", COORDINATOR, nodes=plans),
        CoordinatorSettings,
        tmp_path,
    )
    router = loaded(
        router_toml(layout, "router", ROUTER, COORDINATOR), RouterSettings, tmp_path
    )

    assert router.federation is not None
    assert coordinator.rounds.noise_scale >= router.federation.noise_scale_min
    assert coordinator.rounds.participation_min >= router.federation.participation_min


@pytest.mark.parametrize("count", COUNTS)
def test_plans_are_as_many_as_asked_with_names_of_their_own(count: int) -> None:
    """Certificates and folders are named by them."""
    plans = node_plans(count)

    assert len({plan.id for plan in plans}) == len(plans) == count


def test_files_of_two_daemons_never_meet(tmp_path: Path) -> None:
    """Every path holds the daemon's name, all below one folder."""
    layout = Layout(tmp_path)

    paths = [
        place(name)
        for name in ("router", "node-1")
        for place in (layout.config, layout.log, layout.state, layout.ready)
    ]

    assert len(set(paths)) == len(paths)
    assert all(path.is_relative_to(tmp_path) for path in paths)


@pytest.mark.parametrize("shards", [1, 2, 3, 4])
def test_local_pipeline_runs_every_layer_once(tmp_path: Path, shards: int) -> None:
    """The leader holds none of them, and offers the model under a name of its own."""
    layout = Layout(tmp_path / "local", {SPLIT_OF: tmp_path / "large"})
    *parts, leader = [
        loaded(
            node_toml(layout, plan, "a:0", router=ROUTER, coordinator=COORDINATOR),
            NodeSettings,
            tmp_path,
        )
        for plan in pipeline_plans(shards, layers=4)
    ]

    run = [
        layer
        for part in parts
        for shard in part.shards
        for layer in range(shard.first_layer, shard.end_layer)
    ]
    assert run == [0, 1, 2, 3]
    (model,) = leader.models
    assert (model.name, model.path) == (SPLIT, tmp_path / "large")
    assert model.pipeline is not None
    assert {shard.model for part in parts for shard in part.shards} == {SPLIT}


def test_pipeline_of_more_shards_than_layers_is_refused() -> None:
    """A shard without a layer would be a node without work."""
    with pytest.raises(ValueError, match="4 layers"):
        pipeline_plans(5, layers=4)
    assert pipeline_plans(0, layers=4) == ()
