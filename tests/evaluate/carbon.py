"""Carbon and cost saved at equal quality: by choosing models, by placing, by both.

First the choice alone, in one region (`savings`): against always asking the strong
model, and against a coin, at four shares of the gap in quality. Then the placement
alone: the strong model's equal replicas in eight regions (`regions`), by carbon against
in turn, under what residency and latency leave. Then both at once, through the router.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from federated_router.choice.choosing import NO_WISHES, Wishes
from federated_router.kit import log
from federated_router.registry.membership import AUTO
from federated_router.routing.candidate import RouteQuery, Shape
from tests.bench.figures import Sheet
from tests.evaluate.carbon_plot import drawn
from tests.evaluate.choice import taught
from tests.evaluate.mmlu import STRONG, Places, Questions, questions
from tests.evaluate.picking import with_settings
from tests.evaluate.regions import (
    BLIND,
    EVERYWHERE,
    GREEN,
    HOME,
    PLACES,
    UNION,
    Regions,
    Taken,
)
from tests.evaluate.savings import (
    TARGETS,
    Point,
    Saving,
    by_carbon,
    carbon_saving,
    cost_saving,
)
from tests.evaluate.tariffs import answered, read_tokens

LOADS = (0.1, 0.5, 0.9)
LOAD = 0.5
DIVISIONS = 3
TESTED = 1_500
BURDENS = (0.0, 0.06, 0.09, 0.11, 0.13, 0.2)
CLEAN = 60.0
"""Grams a kWh at which a burden is what the strong model loses."""

NEAR_MS = 30.0
console = Console(width=100)


@dataclass(frozen=True, slots=True)
class Limits:
    """Where requests may go: regions, and how much longer than nearest it may take."""

    name: str
    regions: frozenset[str] = EVERYWHERE
    later_ms_max: float | None = None
    open_regions: int = len(PLACES)

    def wishes(self, world: Regions) -> Wishes:
        """Return what a caller asks for."""
        if self.later_ms_max is None:
            return NO_WISHES
        least_ms = world.nearest_ms(Shape(prompt_tokens=100))
        return Wishes(latency_ms_max=least_ms + self.later_ms_max)


LIMITS = (
    Limits("everywhere"),
    Limits("near", later_ms_max=NEAR_MS, open_regions=4),
    Limits("union", regions=UNION, open_regions=len(UNION)),
    Limits("home", regions=frozenset({HOME}), open_regions=1),
)


def evaluate(sheet: Sheet, folder: Path, data: Path) -> None:
    """Measure all three, tabulate them, and draw quality by carbon."""
    log.configure(level="warning", form="text", daemon="evaluate")
    _, found = questions(data).apart()
    carbon, cost = carbon_saving(found), cost_saving(found)
    _record(sheet, {"carbon": carbon, "cost": cost})
    placed = {limits.name: _placed(found, data, limits) for limits in LIMITS}
    for name, by_load in placed.items():
        for load, saved in by_load.items():
            figure = f"placement.carbon_saved.{name}.load{100 * load:g}"
            sheet.record(figure, 100 * saved, "%")
    both = {
        limits.name: _both(found, data, limits)
        for limits in LIMITS
        if limits.open_regions > 1
    }
    for name, saving in both.items():
        figure = f"choice.carbon_saved_with_placement.{name}.mmlu"
        sheet.record(figure, 100 * saving.saved(0.95), "%")
    both["home"] = carbon  # In one region nothing is left but the choice.
    tables = [_choice_table(carbon, cost), _placement_table(placed, both)]
    with (folder / "saved.txt").open("w", encoding="utf-8") as file:
        for table in tables:
            console.print(table)
            Console(file=file, width=100).print(table)
    drawn(folder / "carbon_by_quality.png", both)


def _record(sheet: Sheet, savings: Mapping[str, Saving]) -> None:
    for kind, saving in savings.items():
        for target in TARGETS:
            at = "" if target == 0.95 else f".at{100 * target:g}"
            saved, to_random = saving.saved(target), saving.saved_to_random(target)
            sheet.record(f"choice.{kind}_saved.mmlu{at}", 100 * saved, "%")
            sheet.record(
                f"choice.{kind}_saved_to_random.mmlu{at}", 100 * to_random, "%"
            )


def _placed(found: Questions, data: Path, limits: Limits) -> Mapping[float, float]:
    """Return the share of carbon that placing saves, by the load of open regions."""
    _, test = found.split(0)
    saved = {}
    for load in LOADS:
        taken = [
            _strong(found, data, test[:TESTED], limits, strategy=strategy, load=load)
            for strategy in (GREEN, BLIND)
        ]
        saved[load] = 1 - taken[0].co2e_mg / taken[1].co2e_mg
        got = [f"{name} {n / TESTED:.0%}" for name, n in taken[0].requests.items()]
        console.print(f"{limits.name} at load {load:g}: {', '.join(got)}")
    return saved


def _strong(
    found: Questions,
    data: Path,
    test: Places,
    limits: Limits,
    *,
    strategy: str,
    load: float,
) -> Taken:
    """Return what the strong model's answers to these questions take."""
    share = load * limits.open_regions / len(PLACES)
    world = Regions(data, strategy=strategy, load=share)
    query = RouteQuery(STRONG, regions=limits.regions)
    taken, _ = world.serve(query, _shapes(found, test, limits.wishes(world)))
    return taken


def _both(found: Questions, data: Path, limits: Limits) -> Saving:
    """Return what choosing and placing take of always-strong placed in turn."""
    points: list[list[Point]] = []
    weak_shares = []
    share = LOAD * limits.open_regions / len(PLACES)
    query = RouteQuery(AUTO, regions=limits.regions)
    for seed in range(DIVISIONS):
        train, test = found.split(seed)
        test = test[:TESTED]
        told = taught(found, train)
        blind = _strong(found, data, test, limits, strategy=BLIND, load=LOAD)
        green = _strong(found, data, test, limits, strategy=GREEN, load=LOAD)
        each = [answered(found.texts[place], CLEAN) for place in test]
        weak, strong = (
            sum(one.co2e_mg or 0.0 for one in takings)
            for takings in ([one.weak for one in each], [one.strong for one in each])
        )
        weak_shares.append(weak / strong * green.co2e_mg / blind.co2e_mg)
        difference = (strong - weak) / len(each)
        points.append([])
        for burden in BURDENS:
            chooser = with_settings(told, by_carbon(burden / difference))
            world = Regions(data, strategy=GREEN, load=share, chooser=chooser)
            shapes = _shapes(found, test, limits.wishes(world))
            taken, models = world.serve(query, shapes)
            points[-1].append(
                Point(_won(found, test, models), taken.co2e_mg / blind.co2e_mg)
            )
    return Saving(points, float(np.mean(weak_shares)))


def _won(found: Questions, test: Places, models: Sequence[str]) -> float:
    """Return the share of the gap in quality that these choices win."""
    weak, strong = found.weak[test], found.strong[test]
    asked = np.array([model == STRONG for model in models])
    right = np.where(asked, strong, weak).sum()
    return float((right - weak.sum()) / (strong.sum() - weak.sum()))


def _shapes(found: Questions, test: Places, wishes: Wishes) -> Iterator[Shape]:
    for place in test:
        yield Shape(
            prompt=found.prompts[place],
            prompt_tokens=read_tokens(found.texts[place]),
            wishes=wishes,
        )


def _choice_table(carbon: Saving, cost: Saving) -> Table:
    table = Table(
        "quality, of the gap",
        "carbon: of always-strong",
        "of a coin",
        "cost: of always-strong",
        "of a coin",
        title="Saved by choosing, in one region",
        box=None,
    )
    for target in TARGETS:
        row = []
        for saving in (carbon, cost):
            row.append(f"{saving.saved(target):.1%} ± {saving.spread(target):.1%}")
            row.append(f"{saving.saved_to_random(target):.1%}")
        table.add_row(f"{target:.0%}", *row)
    return table


def _placement_table(
    placed: Mapping[str, Mapping[float, float]], both: Mapping[str, Saving]
) -> Table:
    loads = [f"load {load:.0%}" for load in LOADS]
    table = Table(
        "may go", *loads, "with choice, at 95 % of the gap",
        title="Carbon saved by placing by carbon, of placing in turn", box=None,
    )  # fmt: skip
    for name, by_load in placed.items():
        shares = [f"{saved:.1%}" for saved in by_load.values()]
        table.add_row(name, *shares, f"{both[name].saved(0.95):.1%}")
    return table
