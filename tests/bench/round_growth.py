"""How a round's cost grows: 316 and 1,000 members, and a plot from ten to a thousand.

The coordinator is the product's, in its own process, and receives every message that it
would receive in a federation. Its members share two processes of one machine; those of
1,000 leave out what `round_simulated` says. Smaller sizes are read from the file of
figures, where `round` has left them.
"""

import json
from pathlib import Path

import uvloop
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from federated_router.kit import log
from tests.bench.figures import Sheet
from tests.bench.round_measured import measured
from tests.bench.round_plan import Plan
from tests.bench.rounds import WORKERS, record

SIZES = ((316, False), (1_000, True))
"""How many members, and whether they are simulated."""

FIGURES = Path("build/bench.json")
PLOT = Path("build/round_growth.png")
_PANELS = (
    ("seconds", "a round [s]"),
    ("bytes_per_member", "bytes per member"),
    ("coordinator_rss_mb", "coordinator above idle [MB]"),
)
_SIZE_INCHES = (12.0, 4.0)


def measure(sheet: Sheet, folder: Path) -> None:
    """Measure into `sheet`."""
    log.configure(level="warning", form="text", daemon="bench")
    for size, simulated in SIZES:
        plan = Plan(folder / f"n{size}", size, WORKERS, simulated)
        record(sheet, uvloop.run(measured(plan, rounds=1)))
    known = _known(FIGURES) | {name: figure.value for name, figure in sheet}
    plot(known, PLOT)


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


def _known(path: Path) -> dict[str, float]:
    if not path.exists():
        return {}
    content = json.loads(path.read_text("utf-8"))["figures"]
    return {name: float(figure["value"]) for name, figure in content.items()}
