"""The command: options in, tables or JSON and plots out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from coordinator.simulation import command, plots
from coordinator.simulation.attack import Attack
from coordinator.simulation.report import SimulationReport
from federated_router.kit import log
from federated_router.kit.errors import FieldInvalid

SMALL = ["--members", "4", "--rounds", "1", "--seed", "3", "--exact"]


@pytest.fixture(autouse=True)
def _logs_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this process's logging alone; the command owns that of its own."""
    monkeypatch.setattr(log, "configure", lambda **_: None)


def test_json_says_everything_and_nothing_else_is_on_standard_output(
    tmp_path: Path,
) -> None:
    """Programs read it; the seed for people goes to the other stream."""
    pytest.importorskip("matplotlib")
    wishes = ["--json", "--plot", str(tmp_path), "--attack", "lying-holder=1"]

    result = CliRunner().invoke(command.app, [*SMALL, *wishes])

    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["seed"] == 3
    assert report["rounds"][0]["state"] == "published"
    assert report["attacks"][0]["attack"] == "lying-holder"
    assert report["violations"] == []
    assert "seed 3" in result.stderr
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {
        "simulation-error.png",
        "simulation-participation.png",
        "simulation-time.png",
        "simulation-attackers.png",
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in tmp_path.iterdir())


def test_run_in_which_something_did_not_hold_fails_and_says_what(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A script that simulates before a release must stop."""
    broken = SimulationReport(
        seed=8,
        members=4,
        exact=True,
        rosters_shared=False,
        rounds=(),
        attacks=(),
        violations=("rounds/r hangs in opening",),
        virtual_s=1.0,
        cpu_s=1.0,
        wall_s=1.0,
    )
    monkeypatch.setattr(command, "run_simulation", lambda *_, **__: broken)

    result = CliRunner().invoke(command.app, SMALL)

    assert result.exit_code == 1
    assert "VIOLATED: rounds/r hangs in opening" in result.stdout
    assert "seed 8" in result.stdout


@pytest.mark.parametrize(
    "wish", ["lying-holder", "lying-holder=x", "none=1", "unknown=1", "=1"]
)
def test_attack_that_does_not_exist_is_refused_with_those_that_do(wish: str) -> None:
    """Nobody knows the names by heart."""
    with pytest.raises(FieldInvalid, match="lying-holder") as refused:
        command.attackers_of([wish])

    assert refused.value.metadata["field"] == "attack"


def test_attacks_are_counted_by_kind() -> None:
    """The last wish of a kind stands."""
    found = command.attackers_of(["lying-holder=2", "wrong-count=1"])

    assert found == {Attack.LYING_HOLDER: 2, Attack.WRONG_COUNT: 1}


def test_impossible_plan_is_one_line_and_no_traceback() -> None:
    """An operator reads what to change."""
    result = CliRunner().invoke(command.app, ["--members", "2"])

    assert result.exit_code == 1
    assert "from 3 to 1,560 members" in result.stderr
    assert "Traceback" not in result.stderr


def test_plot_without_matplotlib_says_what_to_install_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Minutes of simulation must not end in a missing package."""
    monkeypatch.setattr(plots, "find_spec", lambda _: None)

    result = CliRunner().invoke(command.app, [*SMALL, "--plot", str(tmp_path)])

    assert result.exit_code == 1
    assert "federated-router[plot]" in result.stderr
