"""A simulated run, drawn into files: error, participation, time, attackers' effect.

Decides which figures are compared. matplotlib, an optional extra, is imported where a
file is drawn and nowhere else.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from coordinator.simulation.report import RoundReport, SimulationReport

SUFFIX: Final = ".png"
_SIZE_INCHES: Final = (8.0, 4.5)
_STATES: Final = (
    "joining",
    "revealing",
    "collecting",
    "checking",
    "summing",
    "opening",
    "validating",
)


class PlotFailed(Exception):
    """No plot was drawn; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot's name and what draws it into axes."""

    name: str
    title: str


ERROR: Final = Picture("error", "Error of the published sums against their noise")
PARTICIPATION: Final = Picture("participation", "Who took part")
TIME: Final = Picture("time", "Where the rounds' time went")
ATTACKERS: Final = Picture("attackers", "What attackers achieved")


def require_drawable() -> None:
    """Raise PlotFailed where nothing can draw."""
    if find_spec("matplotlib") is None:
        raise PlotFailed("Plots need matplotlib: pip install 'federated-router[plot]'.")


def draw(report: SimulationReport, directory: Path) -> list[Path]:
    """Draw every plot into `directory`; return the files.

    Raises PlotFailed without matplotlib, and where a file cannot be written.
    """
    require_drawable()
    drawings = (
        (ERROR, _error),
        (PARTICIPATION, _participation),
        (TIME, _time),
        (ATTACKERS, _attackers),
    )
    paths: list[Path] = []
    for picture, fill in drawings:
        figure, axes = _canvas(f"{picture.title}, seed {report.seed}")
        fill(axes, report)
        figure.legend(loc="outside lower center", ncols=4)
        path = directory / f"simulation-{picture.name}{SUFFIX}"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)
        except OSError as error:
            raise PlotFailed(f"{path} cannot be written: {error.strerror}.") from error
        paths.append(path)
    return paths


def _canvas(title: str) -> tuple[Any, Any]:
    """Return a figure and its axes, drawn without a display (Agg)."""
    from matplotlib.backends.backend_agg import (  # noqa: PLC0415 An optional extra.
        FigureCanvasAgg,
    )
    from matplotlib.figure import Figure  # noqa: PLC0415 As above.
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 As above.

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set(title=title, xlabel="round")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    return figure, axes


def _error(axes: Any, report: SimulationReport) -> None:  # noqa: ANN401
    published = [
        (number, one)
        for number, one in _numbered(report.rounds)
        if one.error_rms is not None
    ]
    numbers = [number for number, _ in published]
    axes.plot(
        numbers, [one.error_rms for _, one in published], "o-", label="error, rms"
    )
    axes.plot(
        numbers,
        [one.noise_sigma for _, one in published],
        "k--",
        label="stated standard deviation",
    )
    axes.set_ylabel("requests per count")
    axes.set_ylim(bottom=0)


def _participation(axes: Any, report: SimulationReport) -> None:  # noqa: ANN401
    numbers = [number for number, _ in _numbered(report.rounds)]
    for name in ("joined", "roster", "contributed", "answered"):
        counts = [getattr(one, name) for one in report.rounds]
        axes.plot(numbers, counts, "o-", label=name)
    axes.axhline(report.members, linestyle=":", color="black", label="members")
    axes.set_ylabel("members")
    axes.set_ylim(bottom=0)


def _time(axes: Any, report: SimulationReport) -> None:  # noqa: ANN401
    numbers = [number for number, _ in _numbered(report.rounds)]
    below = [0.0] * len(numbers)
    for state in _STATES:
        heights = [one.states_s.get(state, 0.0) for one in report.rounds]
        axes.bar(numbers, heights, bottom=below, label=state)
        below = [low + high for low, high in zip(below, heights, strict=True)]
    axes.set_ylabel("virtual seconds")


def _attackers(axes: Any, report: SimulationReport) -> None:  # noqa: ANN401
    attacks = report.attacks
    places = range(len(attacks))
    labels = [f"{one.attack}\nmoved by {one.sum_changed_by_max:,}" for one in attacks]
    axes.set_xticks(list(places), labels, rotation=30, ha="right")
    axes.bar(
        [place - 0.2 for place in places],
        [one.rounds_unpublished for one in attacks],
        width=0.4,
        label="rounds that were not published",
    )
    axes.bar(
        [place + 0.2 for place in places],
        [one.named for one in attacks],
        width=0.4,
        label="rounds that named one of them",
    )
    axes.set(xlabel="attack, and by how much it moved a sum", ylabel="rounds")


def _numbered(rounds: Iterable[RoundReport]) -> list[tuple[int, RoundReport]]:
    return list(enumerate(rounds, start=1))
