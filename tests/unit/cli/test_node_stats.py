"""`node stats`: what each node served, as tables and as JSON."""

import json
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner, Result

from federated_router.api.v1 import ops_pb2 as pb
from federated_router.cli.connection import Federation
from federated_router.cli.main import app
from federated_router.cli.node_stats import amount_row, ending_row, latency_row
from federated_router.kit.identity import Role

SERVED = pb.ServedRequests(
    model="models/m",
    region="eu",
    tier="standard",
    endings=[
        pb.EndingCount(ending="end", requests=5),
        pb.EndingCount(ending="length", requests=2),
        pb.EndingCount(ending="overload", requests=3),
        pb.EndingCount(ending="deadline", requests=1),
        pb.EndingCount(ending="cancelled", requests=4),
        pb.EndingCount(ending="refused", requests=6),
    ],
    prompt_tokens=90,
    prompt_tokens_cached=30,
    output_tokens=70,
    cost=0.7,
    energy=[
        pb.EnergyAmount(source="measured_rapl", energy_j=12.0),
        pb.EnergyAmount(source="modelled", energy_j=3.0),
    ],
    co2e_g=0.5,
)
SHAPE = pb.LatencyShape(
    model="models/m",
    region="eu",
    tier="standard",
    measure=pb.LATENCY_MEASURE_TIME_TO_FIRST_TOKEN,
    samples=80,
    p50_ms=20.0,
    p95_ms=200.0,
    p99_ms=210.0,
    multimodal=True,
)


class OneAnswer:
    """A channel to a node that says one thing; None is a node that is away."""

    def __init__(self, answer: pb.GetStatsResponse | None) -> None:
        self._answer = answer

    def unary_unary(self, *_: object, **__: object) -> Callable[..., "OneAnswer._Call"]:
        """Return the call."""
        return lambda *_, **__: self._Call(self._answer)

    class _Call:
        def __init__(self, answer: pb.GetStatsResponse | None) -> None:
            self._answer = answer

        def __await__(self) -> Generator[None, None, pb.GetStatsResponse]:
            if self._answer is None:
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.aio.Metadata(),
                    grpc.aio.Metadata(),
                    details="connection refused",
                )
            yield from ()
            return self._answer


@pytest.fixture
def stats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return what runs `node stats` against nodes that answer so, or are away."""

    def run(answers: dict[str, pb.GetStatsResponse | None], *words: str) -> Result:
        names = ("operator", "client")
        files = {
            name: {"cert": f"{tmp_path}/{name}.crt", "key": f"{tmp_path}/{name}.key"}
            for name in names
        }
        content = {
            "router": {"address": "127.0.0.1:1"},
            "coordinator": {"address": "127.0.0.1:2"},
            "nodes": [{"name": one, "address": "127.0.0.1:3"} for one in answers],
            "ca": f"{tmp_path}/ca.crt",
            **files,
        }
        (tmp_path / "up.json").write_text(json.dumps(content), encoding="utf-8")

        @asynccontextmanager
        async def channel(
            self: Federation, role: Role, *, node: str = ""
        ) -> AsyncIterator[OneAnswer]:
            assert role is Role.NODE
            assert isinstance(self, Federation)
            yield OneAnswer(answers[node])

        monkeypatch.setattr(Federation, "channel", channel)
        up_file = str(tmp_path / "up.json")
        command = ["node", "stats", *words, "--federation", up_file]
        return CliRunner().invoke(app, command)

    return run


def test_endings_are_summed_by_whose_doing_they_are() -> None:
    """A failure is the node's; who cancels or asks wrongly is not its fault."""
    assert ending_row("node-1", SERVED) == (
        *("node-1", "m", "standard", 7, 4, 10),
        "3 overload, 1 deadline",
    )


def test_energy_names_every_source_that_it_is_from() -> None:
    """A sum of measured and modelled joules is neither."""
    assert amount_row("node-1", SERVED) == (
        *("node-1", "m", "standard", 90, 30, 70, "0.7", 15.0),
        *("measured_rapl, modelled", 0.5),
    )


def test_unknown_intensity_is_a_dash() -> None:
    """No figure is not nothing."""
    assert amount_row("n", pb.ServedRequests())[-2:] == ("-", "-")


def test_several_modes_are_marked_beside_the_percentiles() -> None:
    """There 95 % may be the figure of no request at all."""
    assert latency_row("node-1", SHAPE) == (
        *("node-1", "m", "standard", "to first token", 80),
        *(20.0, 200.0, 210.0, "SEVERAL"),
    )


def test_tables_show_every_node_and_explain_the_mark(
    stats: Callable[..., Result],
) -> None:
    """Whoever reads the mark for the first time learns what it means."""
    answer = pb.GetStatsResponse(served=[SERVED], latency_shapes=[SHAPE])

    result = stats({"node-1": answer, "node-2": answer})

    assert result.exit_code == 0
    for word in ("node-1", "node-2", "3 overload", "measured_rapl", "SEVERAL", "dip"):
        assert word in result.stdout


def test_one_node_is_asked_by_either_form_of_its_name(
    stats: Callable[..., Result],
) -> None:
    """`node list` shows `nodes/ID`."""
    answer = pb.GetStatsResponse(served=[SERVED])

    result = stats({"nodes/a": answer, "b": None}, "a", "--json")

    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert list(shown) == ["nodes/a"]
    assert shown["nodes/a"]["served"][0]["outputTokens"] == "70"


def test_silent_node_is_named_and_fails_the_command(
    stats: Callable[..., Result],
) -> None:
    """What the others said is shown all the same."""
    answer = pb.GetStatsResponse(served=[SERVED])

    result = stats({"node-1": answer, "node-2": None})

    assert result.exit_code == 1
    assert "node-1" in result.stdout
    assert "node-2 does not answer." in result.stderr


def test_node_that_served_nothing_says_so(stats: Callable[..., Result]) -> None:
    """Empty tables would look like a defect."""
    result = stats({"node-1": pb.GetStatsResponse()})

    assert "No request has ended yet." in result.stdout


def test_unknown_node_is_refused(stats: Callable[..., Result]) -> None:
    """A misspelt name must not show an empty table."""
    result = stats({"node-1": pb.GetStatsResponse()}, "node-9")

    assert result.exit_code == 2
