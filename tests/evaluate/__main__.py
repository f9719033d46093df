"""Evaluate on real inputs: `python -m tests.evaluate --data DIR [--only NAME]`.

Figures go to build/bench.json beside those of benchmarks, plots to build/evaluate.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.figures import Sheet
from tests.evaluate.catalogue import EVALUATIONS, Evaluation

FIGURES = Path("build/bench.json")
FOLDER = Path("build/evaluate")
console = Console(width=100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one evaluation, or all; return 1 where an input is missing."""
    parser = argparse.ArgumentParser(
        prog="evaluate", description="Measure decisions on real inputs."
    )
    parser.add_argument("--only", choices=sorted(EVALUATIONS), help="one evaluation")
    parser.add_argument("--data", type=Path, required=True, help="where inputs are")
    parser.add_argument("--figures", type=Path, default=FIGURES)
    chosen = parser.parse_args(arguments)
    names = [chosen.only] if chosen.only else list(EVALUATIONS)
    done = [_run(EVALUATIONS[name], chosen.data, chosen.figures) for name in names]
    return 0 if all(done) else 1


def _run(evaluation: Evaluation, data: Path, figures: Path) -> bool:
    """Run one evaluation; return False where its inputs are missing."""
    missing = evaluation.missing(data)
    if missing:
        console.print(
            f"[red]{evaluation.name}[/red]: {data} lacks {', '.join(missing)}"
        )
        return False
    console.print(f"[bold]{evaluation.name}[/bold]: {evaluation.tells}")
    begin_s, sheet, folder = time.perf_counter(), Sheet(), FOLDER / evaluation.name
    folder.mkdir(parents=True, exist_ok=True)
    evaluation.run(sheet, folder, data)
    sheet.show(console)
    sheet.merge_into(figures)
    took_s = time.perf_counter() - begin_s
    console.print(f"{evaluation.name} took {took_s:.0f} s; files are in {folder}\n")
    return True


if __name__ == "__main__":
    sys.exit(main())
