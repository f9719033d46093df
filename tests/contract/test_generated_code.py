"""What is committed is what the contracts say, and the contracts keep their rules."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from tests.support.generate_protos import ROOT, generate

BIN = Path(sys.executable).parent
GENERATED = "federated_router/api/v1"


def generated_in(root: Path) -> dict[str, str]:
    """Return the generated files below `root` with their content."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in (root / GENERATED).glob("*_pb2*.py*")
        if path.suffix in {".py", ".pyi"}
    }


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool of the virtual environment from the root."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_generated_code_is_that_of_the_protos(tmp_path: Path) -> None:
    """A contract that was changed without `make proto` would lie to its readers."""
    generate(tmp_path)

    committed, fresh = generated_in(ROOT), generated_in(tmp_path)

    assert sorted(committed) == sorted(fresh)
    differing = [name for name, content in fresh.items() if committed[name] != content]
    assert differing == [], "run `make proto`"


def test_contracts_pass_buf_lint() -> None:
    """STANDARD rules, from the root, without the network."""
    done = run("buf", "lint")

    assert done.returncode == 0, done.stdout + done.stderr


def test_import_rules_are_kept() -> None:
    """The layout is the architecture; the linter is its guard."""
    done = run("lint-imports", "--no-cache")

    assert done.returncode == 0, done.stdout[-2000:]
    assert "0 broken" in done.stdout


def test_import_linter_notices_a_broken_wall(tmp_path: Path) -> None:
    """A guard that is never heard may be asleep."""
    rules = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    stricter = rules + (
        "\n[[tool.importlinter.contracts]]\n"
        'name = "Nobody imports the kit."\n'
        'type = "forbidden"\n'
        'source_modules = ["federated_router.registry"]\n'
        'forbidden_modules = ["federated_router.kit"]\n'
    )
    file = tmp_path / "pyproject.toml"
    file.write_text(stricter, encoding="utf-8")

    done = run("lint-imports", "--no-cache", "--config", str(file))

    assert done.returncode != 0
    assert "Nobody imports the kit. BROKEN" in done.stdout


@pytest.mark.parametrize(
    "vendored",
    sorted((ROOT / "third_party" / "protos").rglob("*.proto")),
    ids=lambda path: path.name,
)
def test_vendored_protos_are_those_of_the_installed_package(vendored: Path) -> None:
    """`buf lint` and the running code must read the same definition."""
    relative = vendored.relative_to(ROOT / "third_party" / "protos")
    package, name = ".".join(relative.parent.parts), relative.name

    installed = (files(package) / name).read_bytes()

    assert vendored.read_bytes() == installed
