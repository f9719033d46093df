"""What a simulated run looks like on a terminal: a bar while it runs, then tables.

Decides columns and words. Refuses to compute figures (`report`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from coordinator.rounds.state import State
from coordinator.simulation.report import AttackReport, RoundReport, SimulationReport

_ORDER = (
    State.JOINING,
    State.REVEALING,
    State.COLLECTING,
    State.CHECKING,
    State.SUMMING,
    State.OPENING,
    State.VALIDATING,
)


@contextmanager
def progress_bar(
    console: Console, *, rounds: int
) -> Iterator[Callable[[int, str], None]]:
    """Show a bar that moves with every state of every round."""
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f} steps"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bars:
        places = {state.value: place for place, state in enumerate(_ORDER)}
        bar = bars.add_task("opening the first round", total=rounds * len(_ORDER))

        def moved(number: int, state: str) -> None:
            done = number * len(_ORDER) + places.get(state, len(_ORDER))
            bars.update(bar, completed=done, description=f"round {number + 1}: {state}")

        yield moved


def show(console: Console, report: SimulationReport) -> None:
    """Print the report."""
    lines = _rounds(report.rounds)
    if report.attacks:
        lines += ["", *_attacks(report.attacks)]
    lines += [f"{one.name}: {one.end_cause}" for one in report.rounds if one.end_cause]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    console.print(
        f"seed {report.seed}: {report.members:,} members, {report.published} of "
        f"{len(report.rounds)} rounds published, {report.virtual_s:,.0f} virtual "
        f"seconds, {report.cpu_s:,.1f} s of processor time",
        soft_wrap=True,
    )
    for violation in report.violations:
        console.print(f"VIOLATED: {violation}", markup=False, soft_wrap=True)
    if not report.violations:
        console.print("Everything held that must hold after a run.")


def _rounds(rounds: tuple[RoundReport, ...]) -> list[str]:
    """Return the rounds as lines: who took part and what it took."""
    headings = (
        "round",
        "ended",
        "joined",
        "sent",
        "answered",
        "virtual s",
        "CPU s",
        "error",
        "noise",
        "KB out",
        "KB in",
        "liars",
        "dealers",
        "deaths",
    )
    rows = [
        (str(number), one.state, *_cells(one))
        for number, one in enumerate(rounds, start=1)
    ]
    return _aligned(headings, rows)


def _cells(one: RoundReport) -> tuple[str, ...]:
    spent = one.spent
    return (
        f"{one.joined:,}",
        f"{one.contributed:,}",
        f"{one.answered:,}",
        f"{spent.virtual_s:,.1f}",
        f"{spent.cpu_s:,.1f}",
        "-" if one.error_rms is None else f"{one.error_rms:,.2f}",
        "-" if one.noise_sigma is None else f"{one.noise_sigma:,.2f}",
        f"{spent.sent_bytes_mean / 1000:,.0f}",
        f"{spent.received_bytes_mean / 1000:,.0f}",
        f"{one.liars_named}/{one.liars_planted}",
        str(one.dealers_named),
        str(spent.coordinator_deaths),
    )


def _attacks(attacks: tuple[AttackReport, ...]) -> list[str]:
    """Return the attacks as lines: what became of each kind."""
    headings = (
        "attack",
        "refused with",
        "members",
        "summed",
        "moved by",
        "unpublished",
        "named",
    )
    rows = [
        (
            one.attack,
            ", ".join(f"{reason} {n}" for reason, n in one.refused.items()) or "-",
            str(one.members),
            str(one.accepted),
            f"{one.sum_changed_by_max:,}",
            str(one.rounds_unpublished),
            str(one.named),
        )
        for one in attacks
    ]
    return _aligned(headings, rows)


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines of columns, the first two to the left and figures to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place <= 1 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (headings, *rows)
    ]
