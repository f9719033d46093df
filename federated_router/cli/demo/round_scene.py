"""An encrypted round: what each step took, and that the sum is right within noise."""

import asyncio
import json
import math
import struct
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import ops_pb2, priors_pb2
from federated_router.cli.demo.figures import claim
from federated_router.cli.demo.stage import CALL_TIMEOUT_S, LARGE, Stage, until
from federated_router.cli.round_story import state_name
from federated_router.cli.screen import say, table
from federated_router.priors.contents import STANDARD_TIER

ENDED = (pb.Round.STATE_PUBLISHED, pb.Round.STATE_REJECTED, pb.Round.STATE_ABORTED)
ROUND_TIMEOUT_S = 60.0
SIGMAS_MAX = 6.0
Vector = tuple[int, ...]
Key = tuple[str, str, str]


async def show_round(stage: Stage) -> None:
    """Run a round with every member and compare it with the plain sum."""
    plain = await stage.statistics()
    begin_s = time.perf_counter()
    final, snapshots = await _run(stage, members=len(plain))
    seconds = time.perf_counter() - begin_s
    claim(
        that=final.state == pb.Round.STATE_PUBLISHED,
        otherwise=f"The round ended {state_name(final.state)}: {final.end_cause}",
    )
    _show_steps(stage, await _whole(stage, final.name), seconds)
    priors = await _priors(stage, final.priors_revision)
    _compare(stage, plain, priors)
    _search(stage, plain, snapshots)

    async def learnt() -> bool:
        return (await stage.explain(LARGE)).priors_revision == priors.revision

    await until(learnt, what="the router has the new priors")


async def _run(stage: Stage, *, members: int) -> tuple[pb.Round, list[bytes]]:
    """Open a round and follow it; return it with snapshots of what is stored."""
    created = await stage.rounds.CreateRound(
        pb.CreateRoundRequest(request_id=stage.request_id(), members_expected=members),
        timeout=CALL_TIMEOUT_S,
    )
    snapshots: list[bytes] = []
    call = stage.rounds.WatchRound(
        pb.WatchRoundRequest(name=created.round.name), timeout=ROUND_TIMEOUT_S
    )
    try:
        async for response in call:
            snapshots.append(await asyncio.to_thread(_stored, stage))
            if response.round.state in ENDED:
                return response.round, snapshots
    finally:
        call.cancel()
    claim(that=False, otherwise="The coordinator stopped telling of its round.")
    raise AssertionError


async def _whole(stage: Stage, name: str) -> pb.Round:
    """Return the round with its roster, which followers are not sent."""
    response = await stage.rounds.GetRound(
        pb.GetRoundRequest(name=name, view=pb.ROUND_VIEW_FULL), timeout=CALL_TIMEOUT_S
    )
    found: pb.Round = response.round
    return found


def _show_steps(stage: Stage, final: pb.Round, seconds: float) -> None:
    """Show what each state took and what each member sent."""
    times = [entry.enter_time.ToNanoseconds() / 1e9 for entry in final.history]
    rows = [
        (state_name(entry.state), round((after - at) * 1000, 1))
        for entry, at, after in zip(final.history, times, times[1:], strict=False)
    ]
    table(("step", "ms"), rows, indent=3)
    sizes = [entry.contribution_bytes for entry in final.roster]
    say(
        f"{len(final.survivors)} of {final.joined_count} members in the sum: "
        f"{', '.join(final.survivors)}; {max(sizes):,} bytes each, {seconds:.2f} s."
    )
    figures = stage.figures
    figures.record("round.participants", len(final.survivors))
    figures.record("round.bytes_per_member", max(sizes))
    figures.record("round.seconds", round(seconds, 3))
    for name, ms in rows:
        figures.record(f"round.step_ms.{name}", ms)


async def _priors(stage: Stage, revision: int) -> priors_pb2.Priors:
    response = await stage.priors.GetPriors(
        priors_pb2.GetPriorsRequest(revision=revision), timeout=CALL_TIMEOUT_S
    )
    priors: priors_pb2.Priors = response.priors
    return priors


def _compare(
    stage: Stage,
    plain: dict[str, ops_pb2.GetStatsResponse],
    priors: priors_pb2.Priors,
) -> None:
    """Compare every published count with the sum of the members' plain counts."""
    errors: list[float] = []
    rows = []
    for cell in priors.performance:
        vectors = [
            vector
            for response in plain.values()
            for key, vector in _vectors(response)
            if key == _key(cell)
        ]
        published = (*cell.latency_counts, cell.failures)
        exact = [sum(column) for column in zip(*vectors, strict=True)] or [0] * len(
            published
        )
        errors += [
            (noised - true) / priors.noise_standard_deviation
            for noised, true in zip(published, exact, strict=True)
        ]
        rows.append((*_key(cell), sum(exact), sum(published)))
    table(("model", "region", "tier", "requests", "as published"), rows, indent=3)
    worst = max(map(abs, errors))
    spread = math.sqrt(sum(error**2 for error in errors) / len(errors))
    say(
        f"noise of {priors.noise_standard_deviation:.2f} per count; over "
        f"{len(errors)} counts the worst error is {worst:.2f} of it, the mean square "
        f"{spread:.2f}."
    )
    claim(
        that=worst < SIGMAS_MAX, otherwise=f"A count is off by {worst:.1f} deviations."
    )
    claim(
        that=0.5 < spread < 1.5,  # noqa: PLR2004 - over 100 counts it is near 1.
        otherwise=f"The noise is {spread:.2f} times what the coordinator states.",
    )
    stage.figures.record("round.max_error_sigmas", round(worst, 3))
    stage.figures.record("round.rms_error_sigmas", round(spread, 3))


def _key(cell: priors_pb2.PerformancePrior) -> Key:
    return cell.model, cell.region, cell.tier or STANDARD_TIER


def _vectors(response: ops_pb2.GetStatsResponse) -> Iterator[tuple[Key, Vector]]:
    for cell in response.performance:
        yield _key(cell), (*cell.latency_counts, cell.failures)


def _search(
    stage: Stage, plain: dict[str, ops_pb2.GetStatsResponse], snapshots: list[bytes]
) -> None:
    """Look for any member's counts in what the coordinator stored and logged."""
    searched = 0
    for response in plain.values():
        for _, vector in _vectors(response):
            if sum(count != 0 for count in vector) < 2:  # noqa: PLR2004 - too common.
                continue
            for form in _forms(vector):
                searched += 1
                claim(
                    that=not any(form in snapshot for snapshot in snapshots),
                    otherwise="The coordinator's store or log holds a member's counts.",
                )
    say(
        f"the coordinator's store and log, read {len(snapshots)} times during the "
        f"round, hold no member's counts in any of {searched} encodings."
    )
    stage.figures.record("round.encodings_searched", searched)


def _forms(vector: Sequence[int]) -> Iterator[bytes]:
    """Yield how a vector could lie in a file: integers, floats, text."""
    for code in "hiqfd":
        for order in "<>":
            yield struct.pack(f"{order}{len(vector)}{code}", *vector)
    for separators in ((", ", ": "), (",", ":")):
        yield json.dumps(list(vector), separators=separators).encode()


def _stored(stage: Stage) -> bytes:
    """Return the coordinator's files and log as they are now."""
    layout = stage.local.layout
    files: list[Path] = sorted(layout.state("coordinator").rglob("*"))
    files.append(layout.log("coordinator"))
    return b"".join(path.read_bytes() for path in files if path.is_file())
