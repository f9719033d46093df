"""The Azure trace replayed against a router and three nodes that are killed.

Everything is real but the model, which is tiny and says nonsense of the length asked
for: processes, mutual TLS, ledger, kills by SIGKILL. A minute of the trace, at its own
speed; AZURE_FACTOR, AZURE_SECONDS and the other fields of `Replay` change that.
"""

import asyncio
import json
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np

from tests.bench.figures import Sheet
from tests.evaluate.azure_ledger import audit_is_good, holds_lost
from tests.evaluate.azure_losses import (
    KINDS,
    cause_of,
    losses,
    success_ratio,
    took_ms,
)
from tests.evaluate.azure_run import AzureRun
from tests.evaluate.azure_trace import Replay, arrivals
from tests.support.processes import Processes, build_endless_model

NODES: Final = 3
TRACE: Final = "load/AzureLLMInferenceTrace_conv.csv.gz"


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Replay, then look at the ledger; record figures, write what happened."""
    replay = Replay.of()
    with tempfile.TemporaryDirectory(prefix="azure-") as below:
        directory = Path(below)
        model = build_endless_model(directory / "model")
        federation = Processes.prepared(directory / "up", model, nodes=NODES)
        try:
            federation.launch("coordinator", "router", *federation.nodes)
            asyncio.run(_measure(sheet, folder, data, AzureRun(federation, replay)))
        finally:
            federation.close()


async def _measure(sheet: Sheet, folder: Path, data: Path, run: AzureRun) -> None:
    await run.federation.heal()
    async with run.federation.calls() as calls:
        await calls.open_dataset(run.dataset)
        await calls.warm(NODES)
        await run.run(arrivals(data / TRACE, run.replay))
        await run.federation.heal()
        lost = await holds_lost(run, calls)
        audited = await audit_is_good(run)
    _record(sheet, run)
    sheet.record("azure.holds_lost", lost, "private requests")
    sheet.record("azure.audit_verified", audited, "1 is yes")
    (folder / "azure.json").write_text(
        json.dumps(_story(run), indent=2), encoding="utf-8"
    )


def _story(run: AzureRun) -> dict[str, object]:
    """Return what happened: each kill, and each request that was lost, and why."""
    nodes = run.federation.nodes
    return {
        "replay": asdict(run.replay),
        "kills": [asdict(one) for one in run.kills],
        "reasons": Counter(one.reason or "ANSWERED" for one in run.seen.values()),
        "lost": {
            name: asdict(one) | {"cause": cause_of(one, run.kills, nodes)}
            for name, one in run.seen.items()
            if not one.answered
        },
    }


def _record(sheet: Sheet, run: AzureRun) -> None:
    seen = list(run.seen.values())
    answered = [one for one in seen if one.answered]
    sheet.record("azure.requests", len(seen), "requests")
    sheet.record("azure.node_kills", len(run.kills), "kills")
    sheet.record("azure.success_ratio", success_ratio(seen), "share")
    _record_kinds(sheet, run)
    tokens = sum(one.tokens for one in answered)
    sheet.record("azure.goodput_tokens_per_s", tokens / run.took_s, "tokens/s")
    waits_s = [one.first_token_s for one in answered if one.first_token_s is not None]
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        ttft_ms = float(np.quantile(waits_s, share)) * 1000
        sheet.record(f"azure.ttft_ms.{name}", ttft_ms, "ms")
    resumed = sum(one.resumptions > 0 for one in answered)
    sheet.record("azure.answers_resumed", resumed, "answers")
    uneven = sum(not one.whole for one in answered)
    sheet.record("azure.answers_with_lost_or_doubled_tokens", uneven, "answers")


def _record_kinds(sheet: Sheet, run: AzureRun) -> None:
    """Record how each kind of request fared, and why those were lost that were."""
    lost = losses(run.seen, run.kills, run.federation.nodes)
    for kind in KINDS:
        some = [one for one in run.seen.values() if one.kind == kind]
        sheet.record(f"azure.requests.{kind}", len(some), "requests")
        sheet.record(f"azure.success_ratio.{kind}", success_ratio(some), "share")
        p99_ms = took_ms(some, 0.99)
        if p99_ms is not None:
            sheet.record(f"azure.took_ms.p99.{kind}", p99_ms, "ms")
        for cause, number in sorted(lost[kind].items()):
            sheet.record(f"azure.lost.{kind}.{cause}", number, "requests")
