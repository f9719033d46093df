"""What a node of a local federation runs, and its configuration.

Decides how a model is divided among the nodes of a local pipeline: the leader and its
shards are nodes like any other. Pure, but for `layers_of`, which reads a model's
configuration.
"""

import json
from itertools import pairwise
from pathlib import Path

from federated_router.cli.local_plan import (
    POLICIES,
    Layout,
    NodePlan,
    common_toml,
    member_toml,
    toml_text,
)

SPLIT_OF = "reference-large"
SPLIT = "reference-large-split"
"""The model of a local pipeline: the large one under a name of its own."""
_SLOTS = 8
_PRICES = {"reference-large": 2e-6, "reference-small": 4e-7, SPLIT: 2e-6}
_JOULES = {"reference-large": 0.5, "reference-small": 0.1, SPLIT: 0.5}


def layers_of(model: Path) -> int:
    """Return how many layers the model in this folder has."""
    content = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return int(content["num_hidden_layers"])


def pipeline_plans(shards: int, *, layers: int) -> tuple[NodePlan, ...]:
    """Return a leader and its shards, which divide the layers; none for 0 shards.

    Raises ValueError for more shards than layers.
    """
    if shards > layers:
        raise ValueError(f"{SPLIT_OF} has {layers} layers for at most as many shards")
    if not shards:
        return ()
    bounds = [layers * one // shards for one in range(shards + 1)]
    parts = tuple(
        NodePlan(f"shard-{place}", "south", (), shard=(SPLIT, first, end))
        for place, (first, end) in enumerate(pairwise(bounds), start=1)
    )
    return (*parts, NodePlan("leader", "south", ((SPLIT, _SLOTS),), leads=SPLIT))


def node_toml(
    layout: Layout, plan: NodePlan, address: str, *, router: str, coordinator: str
) -> str:
    """Return a node's configuration."""
    models = "".join(
        _model_toml(layout, plan, model, slots) for model, slots in plan.models
    )
    return (
        f'region = "{plan.region}"\n\n'
        + common_toml(layout, plan.id, address)
        + f"""
[registration]
router_address = "{router}"

# Meters count the machine, which several nodes share here.
[statistics.energy]
meters = []
"""
        + models
        + _shard_toml(layout, plan)
        + POLICIES
        + member_toml(layout, plan.id, coordinator)
    )


def _model_toml(layout: Layout, plan: NodePlan, model: str, slots: int) -> str:
    pipeline = "\n[models.pipeline]\n" if plan.leads == model else ""
    return f"""
[[models]]
name = "{model}"
path = {toml_text(_path(layout, model))}
slots = {slots}
waiting_max = 256
# Made up, so that there is something to choose by: what a token costs and takes.
token_price = {_PRICES.get(model, 0.0)}
token_j = {_JOULES.get(model, 0.0)}
{pipeline}"""


def _shard_toml(layout: Layout, plan: NodePlan) -> str:
    if plan.shard is None:
        return ""
    model, first, end = plan.shard
    return f"""
[[shards]]
model = "{model}"
path = {toml_text(_path(layout, model))}
first_layer = {first}
end_layer = {end}
slots = {_SLOTS}
"""


def _path(layout: Layout, model: str) -> Path:
    return layout.models[SPLIT_OF if model == SPLIT else model]
