"""`federated-router simulate`: options in, a simulated run, tables or JSON out.

Decides the options and their defaults, and that a run in which something did not hold
fails. Started as `python -m coordinator.simulation`; the umbrella package, which may
not import a coordinator, becomes this process.
"""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from coordinator.simulation import plots, screen
from coordinator.simulation.attack import Attack
from coordinator.simulation.link import LinkConditions
from coordinator.simulation.plan import SimulationPlan, StoreConditions
from coordinator.simulation.report import SimulationReport
from coordinator.simulation.run import run_simulation
from federated_router.kit import log
from federated_router.kit.errors import FieldInvalid

SEEDS: Final = 1_000_000
app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
)


Members = Annotated[int, typer.Option(help="How many take part.")]
Rounds = Annotated[int, typer.Option(help="How many rounds, one by one.")]
Seed = Annotated[
    int | None, typer.Option(help="Repeats a run; drawn and printed if absent.")
]
Noise = Annotated[
    float, typer.Option(help="Standard deviation that honest noise sums to.")
]
Exact = Annotated[
    bool, typer.Option("--exact", help="Draw no noise, and compare with ==.")
]
Participation = Annotated[
    float, typer.Option(help="Part of those who joined that must contribute.")
]
Vanish = Annotated[int, typer.Option(help="Members that go for good.")]
Late = Annotated[int, typer.Option(help="Members that come late.")]
Slow = Annotated[int, typer.Option(help="Members behind slow links.")]
Attacks = Annotated[
    list[str] | None, typer.Option(help="KIND=MEMBERS; may be repeated.")
]
Loss = Annotated[
    float, typer.Option(help="Part of requests, and of answers, that are lost.")
]
Repeats = Annotated[float, typer.Option(help="Part of requests that arrive twice.")]
Crashes = Annotated[
    float, typer.Option(help="Part of writes at which their process dies.")
]
ClockJumps = Annotated[
    int, typer.Option(help="How often a wall clock jumps by up to 30 s.")
]
CohortSize = Annotated[
    int, typer.Option(help="Least members of a cohort; 0 sums all as one.")
]
ShareRosters = Annotated[
    bool, typer.Option("--share-rosters", help="Verify each roster once for all.")
]
Plot = Annotated[
    Path | None, typer.Option(help="Directory for plots (needs matplotlib).")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON only.")]


@app.command()
def simulate(
    *,
    members: Members = 100,
    rounds: Rounds = 3,
    seed: Seed = None,
    noise: Noise = 8.0,
    exact: Exact = False,
    participation: Participation = 0.8,
    vanish: Vanish = 0,
    late: Late = 0,
    slow: Slow = 0,
    attack: Attacks = None,
    loss: Loss = 0.0,
    repeats: Repeats = 0.0,
    crashes: Crashes = 0.0,
    clock_jumps: ClockJumps = 0,
    cohort_size: CohortSize = 0,
    share_rosters: ShareRosters = False,
    plot: Plot = None,
    as_json: AsJson = False,
) -> None:
    """Play whole rounds with hundreds of members in this process, in no time."""
    log.configure(level="error", form="text", daemon="simulation")
    with _refusals():
        plan = SimulationPlan(
            seed=secrets.randbelow(SEEDS) if seed is None else seed,
            members=members,
            rounds=rounds,
            noise_scale=noise,
            exact=exact,
            participation_min=participation,
            vanishing=vanish,
            late=late,
            slow=slow,
            attackers=attackers_of(attack or []),
            link=LinkConditions(
                request_loss=loss, response_loss=loss, duplicate=repeats
            ),
            coordinator_store=StoreConditions(crash=crashes),
            member_store=StoreConditions(crash=crashes),
            clock_jumps=clock_jumps,
            cohort_size=cohort_size,
            share_rosters=share_rosters,
        )
        _play(plan, plot, as_json=as_json)


@contextmanager
def _refusals() -> Iterator[None]:
    """Say what was refused on standard error, and exit with a failure."""
    try:
        yield
    except (FieldInvalid, plots.PlotFailed) as error:
        Console(stderr=True).print(str(error), markup=False)
        raise typer.Exit(1) from error


def attackers_of(wishes: list[str]) -> dict[Attack, int]:
    """Return how many members attack how; raise FieldInvalid for what is no attack."""
    found: dict[Attack, int] = {}
    for wish in wishes:
        kind, _, count = wish.partition("=")
        known = {attack.value: attack for attack in Attack if attack is not Attack.NONE}
        if kind not in known or not (count.isascii() and count.isdigit()):
            kinds = ", ".join(known)
            raise FieldInvalid(
                f"{wish!r} is not KIND=MEMBERS with one of {kinds}.", field="attack"
            )
        found[known[kind]] = int(count)
    return found


def _play(plan: SimulationPlan, plot: Path | None, *, as_json: bool) -> None:
    """Play the plan and tell what came of it; exit with a failure if that is wrong."""
    if plot is not None:
        plots.require_drawable()
    console = Console(stderr=as_json, highlight=False)
    console.print(f"seed {plan.seed}")
    with screen.progress_bar(console, rounds=plan.rounds) as moved:
        report = run_simulation(plan, progress=moved)
    _tell(console, report, plot, as_json=as_json)
    if report.violations:
        raise typer.Exit(1)


def _tell(
    console: Console, report: SimulationReport, plot: Path | None, *, as_json: bool
) -> None:
    if as_json:
        sys.stdout.write(json.dumps(report.to_json(), indent=2) + "\n")
    else:
        screen.show(console, report)
    if plot is not None:
        for path in plots.draw(report, plot):
            console.print(f"drawn: {path}", markup=False)
