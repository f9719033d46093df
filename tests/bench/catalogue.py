"""Which benchmarks there are. Each is a module with `measure(sheet, folder)`.

Modules are imported when they run: most benchmarks need no torch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from tests.bench.figures import Sheet

Measure = Callable[[Sheet, Path], None]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A benchmark's name, what it tells, and the module that measures it."""

    name: str
    tells: str
    module: str

    def measure(self, sheet: Sheet, folder: Path) -> None:
        """Measure into `sheet`, with `folder` for files of its own."""
        measure: Measure = import_module(self.module).measure
        measure(sheet, folder)


BENCHMARKS = {
    one.name: one
    for one in (
        Benchmark(
            "router", "What the router adds to a call.", "tests.bench.router_overhead"
        ),
        Benchmark(
            "litellm",
            "What the router adds, beside LiteLLM's proxy.",
            "tests.bench.litellm_overhead",
        ),
        Benchmark(
            "soak",
            "Memory of the router before and after 100,000 requests.",
            "tests.bench.router_growth",
        ),
        Benchmark(
            "decision",
            "How long a routing decision takes, by strategy and number of nodes.",
            "tests.bench.decision_time",
        ),
        Benchmark(
            "round",
            "Encrypted rounds, beside Flower and NVFlare.",
            "tests.bench.rounds",
        ),
        Benchmark(
            "growth",
            "First encrypted rounds of 10 to 1,000 members, and a plot.",
            "tests.bench.round_growth",
        ),
        Benchmark(
            "engine",
            "Tokens per second of a node's engine, beside transformers.",
            "tests.bench.engine_tokens",
        ),
        Benchmark(
            "private",
            "Private decoding beside public, by number of slots.",
            "tests.bench.private_tokens",
        ),
        Benchmark(
            "pipeline",
            "A model split over nodes, near and far.",
            "tests.bench.pipeline",
        ),
        Benchmark(
            "memory", "Resident memory of each daemon.", "tests.bench.daemon_memory"
        ),
        Benchmark(
            "ledger", "Reservations per second, durably.", "tests.bench.ledger_rate"
        ),
    )
}
