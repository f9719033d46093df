"""Compared systems: what their scripts print, and what happens where none can run."""

import subprocess
from pathlib import Path

import pytest

from tests.bench import rounds
from tests.bench.peers import environment, loosened
from tests.bench.peers.environment import (
    FLOWER,
    LITELLM,
    NVFLARE,
    Peer,
    PeerUnavailable,
)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the environments of real peers out of reach."""
    monkeypatch.setattr(environment, "FOLDER", tmp_path)


def test_the_last_line_of_a_script_is_its_figures() -> None:
    """Libraries print before it what they like."""
    output = 'INFO started\n{"seconds": 1.5, "error": 0.0}\n'

    assert environment.figures_in(output)["seconds"] == 1.5


@pytest.mark.parametrize("output", ["", "Traceback\n"])
def test_a_script_without_figures_is_no_measurement(output: str) -> None:
    """A zero in its place would make a ratio."""
    with pytest.raises(PeerUnavailable):
        environment.figures_in(output)


def test_a_peer_that_cannot_be_installed_is_left_out_with_its_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a network the rest of the benchmark still runs."""
    monkeypatch.setattr("venv.create", lambda *_, **__: None)

    def refuse(*_: object, **__: object) -> None:
        raise subprocess.CalledProcessError(1, "pip", stderr="No matching version")

    monkeypatch.setattr("subprocess.run", refuse)

    with pytest.raises(PeerUnavailable, match="flower: No matching version"):
        environment.run(FLOWER, 1, say=lambda _: None)


def test_the_benchmark_goes_on_without_a_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its figures are then absent, not wrong."""

    def refuse(*_: object, **__: object) -> None:
        raise PeerUnavailable("flower: no network")

    monkeypatch.setattr(environment, "run", refuse)

    assert rounds.of_peer(FLOWER, 1) is None


def test_the_run_of_median_time_stands_for_a_peer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One slow run of three may not decide a ratio."""
    times = iter([9.0, 1.0, 2.0])
    monkeypatch.setattr(environment, "run", lambda *_, **__: {"seconds": next(times)})

    assert rounds.of_peer(NVFLARE, 1, runs=3) == {"seconds": 2.0}


@pytest.mark.parametrize("peer", [FLOWER, NVFLARE, LITELLM])
def test_every_package_of_a_peer_is_pinned(peer: Peer) -> None:
    """A figure that cannot be made again says nothing."""
    assert all("==" in package for package in peer.packages)


def test_requirements_are_loosened_by_name_and_kept_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What no registry has yet must not keep a peer from being measured."""
    needed = [
        "certifi>=2999.1.1",
        "httpx>=0.28",
        'uvicorn>=0.33 ; extra == "proxy"',
        'polars>=1 ; extra == "other"',
    ]
    monkeypatch.setattr(loosened, "requires", lambda _: needed)

    assert loosened.loosened("litellm", "proxy", ["certifi"]) == [
        "certifi",
        "httpx>=0.28",
        "uvicorn>=0.33",
    ]
