"""The order of scenes, and an orderly end whatever happens in them."""

import asyncio
import time
from pathlib import Path

from federated_router.cli.demo import (
    ledger_scene,
    private_scene,
    public_scene,
    round_scene,
    route_scene,
)
from federated_router.cli.demo.figures import Figures, NotShown
from federated_router.cli.demo.stage import Stage, opened, until
from federated_router.cli.local_federation import LocalFederation, stop
from federated_router.cli.models import ensure_models
from federated_router.cli.node_text import NODE_COLUMNS, node_row
from federated_router.cli.screen import err, out, say, step, table
from federated_router.kit.grpc_client import translated_errors

NODES = 3


def run_demo(*, directory: Path, models: Path, report: Path) -> int:
    """Show the main job; return the exit status."""
    figures = Figures()
    begin_s = time.monotonic()
    step(1, "Reference models, certificates, five daemons")
    made = ensure_models(models, say)
    local = LocalFederation.of(directory, models=made, nodes=NODES, say=say)
    local.prepare()
    try:
        local.start()
        asyncio.run(_scenes(local, figures))
    except NotShown as error:
        err.print(f"\nNot shown: {error}", markup=False)
        return 1
    finally:
        figures.record("seconds", round(time.monotonic() - begin_s, 1))
        figures.write(report)
        stop(local.layout)
    out.print(
        f"\nAll of it happened, in {figures['seconds']} s. Every figure is in {report}."
    )
    return 0


async def _scenes(local: LocalFederation, figures: Figures) -> None:
    known = local.write_description(local.layout.directory / "up.json")
    async with opened(local, known, figures) as stage, translated_errors():
        await _all_present(stage)
        step(2, "Public requests")
        await public_scene.show_streaming(stage)
        await public_scene.show_cancellation(stage)
        await public_scene.show_deadline(stage)
        victim = await public_scene.show_killed_node(stage)
        step(3, "Private requests, and a budget that runs out")
        served = await private_scene.show_private(stage)
        await ledger_scene.show_replay(stage, served.asked, served.answered)
        await ledger_scene.show_audit(stage)
        step(4, "Load, so that there is something to learn")
        await public_scene.show_return(stage, victim)
        await public_scene.show_load(stage)
        step(5, "The route before the round")
        before = await route_scene.explain(stage)
        step(6, "An encrypted round")
        await round_scene.show_round(stage)
        step(7, "The route after the round")
        await route_scene.show_change(stage, before)


async def _all_present(stage: Stage) -> None:
    """Wait until every node holds a lease, then list them."""

    async def present() -> bool:
        return len(await stage.nodes()) == NODES

    await until(present, what="every node is registered")
    seen = NODE_COLUMNS[: NODE_COLUMNS.index("breaker")]
    rows = [node_row(node)[: len(seen)] for node in await stage.nodes()]
    table(seen, rows, indent=3)
    stage.figures.record("nodes", NODES)
