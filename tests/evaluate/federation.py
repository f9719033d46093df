"""What members gain by sharing outcomes in encrypted, noised rounds.

7,000 of MMLU's questions are divided among 4, 16 or 64 members by subject, unevenly.
Each chooses between two models by its own outcomes; by those and what one round taught,
at several epsilons for each request; or as if all were pooled in one place. Every
choice is tested on other questions, by RouteLLM's protocol.

Every figure is the mean of DRAWS divisions, each with noise of its own. In the first
the round is played whole, encrypted; in the others the same contributions get the same
noise and are summed in the open (`unencrypted`), which has the same distribution.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from federated_router.kit import log
from federated_router.routing.priors_view import PriorsView
from tests.bench.figures import Sheet
from tests.evaluate.federation_draws import (
    Division,
    Estimate,
    charged_epsilon,
    division,
    pooled_apgr,
)
from tests.evaluate.federation_plot import Curve, Curves, Point, drawn
from tests.evaluate.mmlu import Questions, questions
from tests.evaluate.sharing import believed, plan_of, published
from tests.evaluate.unencrypted import PlainRound, noise_at, plain_round

MEMBERS = (4, 16, 64)
EPSILONS = (0.5, 1.0, 2.0, 4.0, 8.0)
DRAWS = 5
console = Console(width=100)


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Measure every federation, tabulate and draw APGR by epsilon."""
    log.configure(level="warning", form="text", daemon="evaluate")
    _, found = questions(data).apart()
    pooled = Estimate(tuple(pooled_apgr(found, draw) for draw in range(DRAWS)))
    console.print(f"pooled in one place: {pooled.shown}")
    curves = Curves(pooled, tuple(_curve(found, members) for members in MEMBERS))
    _record(sheet, curves)
    table = _table(curves)
    console.print(table)
    with (folder / "apgr.txt").open("w", encoding="utf-8") as file:
        Console(file=file, width=100).print(table)
    drawn(folder / "apgr_by_epsilon.png", curves)


def _curve(found: Questions, members: int) -> Curve:
    """Return what so many members have alone, and after rounds at every epsilon."""
    local: list[float] = []
    federated: dict[float, list[float]] = {epsilon: [] for epsilon in EPSILONS}
    for draw in range(DRAWS):
        divided = division(found, members, draw)
        local.append(divided.apgr(None))
        rounds = _rounds(divided, encrypted=draw == 0)
        known: dict[float, float] = {}
        for epsilon in EPSILONS:
            scale = noise_at(epsilon, members).scale
            if scale not in known:  # A round whose noise is the same is the same round.
                known[scale] = divided.apgr(rounds(epsilon))
            federated[epsilon].append(known[scale])
        shown = ", ".join(f"{each[-1]:.3f}" for each in federated.values())
        console.print(f"{members} members, draw {draw}: {local[-1]:.3f} alone, {shown}")
    points = {
        epsilon: Point(
            Estimate(tuple(figures)), charged_epsilon(noise_at(epsilon, members))
        )
        for epsilon, figures in federated.items()
    }
    return Curve(members, Estimate(tuple(local)), points)


def _rounds(divided: Division, *, encrypted: bool) -> Callable[[float], PriorsView]:
    """Return what a round at an epsilon teaches."""
    members = len(divided.parts)
    if encrypted:
        return lambda epsilon: believed(
            published(divided.found, divided.parts, plan_of(members, epsilon))
        )
    plain: PlainRound = plain_round(divided.found, divided.parts)
    return lambda epsilon: believed(plain.published(noise_at(epsilon, members)))


def _record(sheet: Sheet, curves: Curves) -> None:
    named: list[tuple[str, Estimate]] = [("pooled", curves.pooled)]
    for curve in curves.each:
        named.append((f"local.{curve.members}", curve.local))
        named.extend(
            (f"federated.{curve.members}.eps{epsilon:g}", point.apgr)
            for epsilon, point in curve.federated.items()
        )
    for name, figure in named:
        sheet.record(f"choice.apgr.{name}", figure.mean, "of the gap")
        sheet.record(f"choice.apgr_se.{name}", figure.standard_error, "of the gap")
    for curve in curves.each:
        for epsilon in curve.federated:
            gain = curve.gain(epsilon)
            name = f"{curve.members}.eps{epsilon:g}"
            sheet.record(f"choice.apgr_gain.{name}", gain.mean, "of the gap")
            sheet.record(
                f"choice.apgr_gain_se.{name}", gain.standard_error, "of the gap"
            )


def _table(curves: Curves) -> Table:
    table = Table("members", "local only", *map(_headed, EPSILONS), box=None)
    for curve in curves.each:
        row: Sequence[str] = [point.apgr.shown for point in curve.federated.values()]
        table.add_row(str(curve.members), curve.local.shown, *row)
        gains = [curve.gain(epsilon).shown for epsilon in curve.federated]
        table.add_row("", "gained", *gains)
        charged = [f"{point.charged:.2f}" for point in curve.federated.values()]
        table.add_row("", "epsilon charged", *charged)
    table.add_row("pooled", curves.pooled.shown)
    return table


def _headed(epsilon: float) -> str:
    return f"epsilon {epsilon:g}"
