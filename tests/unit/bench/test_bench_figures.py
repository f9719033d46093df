"""The benchmark's door: which there are, `--only`, and the file of figures."""

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.bench import __main__ as bench
from tests.bench import catalogue
from tests.bench.catalogue import BENCHMARKS, Benchmark
from tests.bench.figures import Sheet


def _measure(sheet: Sheet, folder: Path) -> None:
    sheet.record("fake.calls_per_s", 1234.5678, "1/s")
    (folder / "left-over").touch()


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put one benchmark in place of all, and work in an empty folder."""
    module = ModuleType("fake_benchmark")
    module.measure = _measure  # type: ignore[attr-defined]
    monkeypatch.setattr(catalogue, "import_module", lambda _: module)
    for known in list(BENCHMARKS):
        monkeypatch.delitem(BENCHMARKS, known)
    monkeypatch.setitem(BENCHMARKS, "fake", Benchmark("fake", "Nothing.", "fake"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "build" / "bench.json"


def test_only_runs_one_benchmark_and_writes_its_figures(fake: Path) -> None:
    """`make bench ONLY=name` is what people use; the file is what tools read."""
    status = bench.main(["--only", "fake"])

    written = json.loads(fake.read_text(encoding="utf-8"))
    assert status == 0
    assert written == {
        "figures": {"fake.calls_per_s": {"value": 1235.0, "unit": "1/s"}}
    }
    assert not (fake.parent / "bench" / "fake").exists()


def test_figures_of_other_benchmarks_are_kept(fake: Path) -> None:
    """One benchmark run alone must not forget what the others found."""
    fake.parent.mkdir(parents=True)
    other = {"value": 1.0, "unit": "ms"}
    fake.write_text(json.dumps({"figures": {"other": other}}), encoding="utf-8")

    bench.main(["--only", "fake"])

    figures = json.loads(fake.read_text(encoding="utf-8"))["figures"]
    assert set(figures) == {"other", "fake.calls_per_s"}
    assert figures["other"] == other


@pytest.mark.usefixtures("fake")
def test_unknown_benchmark_is_refused() -> None:
    """A slip of the pen must not look like a benchmark without figures."""
    with pytest.raises(SystemExit) as refused:
        bench.main(["--only", "nothing"])

    assert refused.value.code == 2


def test_every_benchmark_is_there() -> None:
    """Names are what the Makefile's ONLY takes."""
    assert set(BENCHMARKS) == {
        "router",
        "decision",
        "litellm",
        "soak",
        "round",
        "growth",
        "engine",
        "private",
        "pipeline",
        "memory",
        "ledger",
    }
