"""How a round's cost grows from ten members to a thousand, and a plot of it.

The coordinator is the product's, in its own process, and receives every message that it
would receive in a federation. Its members share a few processes of one machine; a
thousand leave out what `round_simulated` says. First rounds are drawn beside first
rounds, all from one run; later ones of up to 100 members are measured by `round`.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import uvloop
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from federated_router.kit import log
from tests.bench.figures import Sheet
from tests.bench.round_measured import measured
from tests.bench.round_plan import Plan
from tests.bench.rounds import SIZES, WORKERS, record, record_first


@dataclass(frozen=True, slots=True)
class Size:
    """How many members, in how many processes, and whether they are simulated."""

    members: int
    workers: int
    simulated: bool = False

    def plan(self, folder: Path) -> Plan:
        """Return the plan of a federation in a folder of its own."""
        home = folder / f"growth-n{self.members}"
        return Plan(home, self.members, self.workers, self.simulated)


LARGE = (
    Size(316, workers=WORKERS),
    # Simulated members believe what others of their process computed: few do less.
    Size(1_000, workers=2, simulated=True),
)
PLOT = Path("build/round_growth.png")
_PANELS = (
    ("seconds_first", "a first round [s]"),
    ("bytes_per_member_first", "bytes per member"),
    ("coordinator_rss_first_mb", "coordinator above idle [MB]"),
)
_SIZE_INCHES = (12.0, 4.0)


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    log.configure(level="warning", form="text", daemon="bench")
    for members in SIZES:
        plan = Size(members, workers=WORKERS).plan(folder)
        record_first(sheet, uvloop.run(measured(plan, rounds=0)))
        shutil.rmtree(plan.folder)
    for size in LARGE:
        plan = size.plan(folder)
        record(sheet, uvloop.run(measured(plan, rounds=1)))
        shutil.rmtree(plan.folder)
    plot({name: figure.value for name, figure in sheet}, PLOT)


def plot(figures: dict[str, float], path: Path) -> None:
    """Draw each panel's figures over the number of members, both axes logarithmic."""
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(_PANELS))
    for axes, (name, label) in zip(panels, _PANELS, strict=True):
        points = growth(figures, name)
        axes.loglog([size for size, _ in points], [value for _, value in points], "o-")
        axes.set(xlabel="members", ylabel=label)
        axes.grid(visible=True, which="both", alpha=0.3)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def growth(figures: dict[str, float], name: str) -> list[tuple[int, float]]:
    """Return a figure by number of members, the smallest first."""
    prefix = f"round.{name}."
    return sorted(
        (int(size), value)
        for known, value in figures.items()
        if known.startswith(prefix) and (size := known.removeprefix(prefix)).isdigit()
    )
