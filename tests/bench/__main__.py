"""Run benchmarks: `python -m tests.bench [--only NAME]`; figures to build/bench.json.

Each benchmark runs in a process of its own, so that none inherits the threads, the
memory or the processor affinity of another.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench.catalogue import BENCHMARKS
from tests.bench.figures import Sheet

FIGURES = Path("build/bench.json")
FOLDER = Path("build/bench")
console = Console(width=100)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark here, or all one after the other; return the exit status."""
    parser = argparse.ArgumentParser(prog="bench", description="Measure this system.")
    parser.add_argument("--only", choices=sorted(BENCHMARKS), help="one benchmark")
    parser.add_argument("--list", action="store_true", help="name them and stop")
    parser.add_argument("--figures", type=Path, default=FIGURES)
    chosen = parser.parse_args(arguments)
    if chosen.list:
        for one in BENCHMARKS.values():
            console.print(f"{one.name:<8} {one.tells}")
        return 0
    if chosen.only:
        run_one(chosen.only, chosen.figures)
        return 0
    return run_all(chosen.figures)


def run_one(name: str, figures: Path) -> None:
    """Run a benchmark in this process and merge its figures."""
    benchmark, sheet, folder = BENCHMARKS[name], Sheet(), FOLDER / name
    console.print(f"[bold]{name}[/bold]: {benchmark.tells}")
    begin_s = time.perf_counter()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    benchmark.measure(sheet, folder)
    # Where it failed, the logs in the folder say why.
    shutil.rmtree(folder, ignore_errors=True)
    sheet.show(console)
    sheet.merge_into(figures)
    took_s = time.perf_counter() - begin_s
    console.print(f"{name} took {took_s:.0f} s; figures are in {figures}\n")


def run_all(figures: Path) -> int:
    """Run every benchmark in a process of its own; return 1 if any failed."""
    failed = [name for name in BENCHMARKS if _run_apart(name, figures)]
    if failed:
        console.print(f"[red]failed: {', '.join(failed)}[/red]")
    return 1 if failed else 0


def _run_apart(name: str, figures: Path) -> int:
    command = (sys.executable, "-m", "tests.bench", "--only", name)
    return subprocess.run((*command, "--figures", str(figures)), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
