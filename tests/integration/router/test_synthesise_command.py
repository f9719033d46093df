"""`federated-router synthesise` against a real router, as an operator types it."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from typer.testing import CliRunner, Result

from federated_router.api.v1 import inference_pb2
from federated_router.cli import connection, main
from federated_router.kit import errors
from federated_router.kit.config import TlsSettings
from federated_router.kit.identity import Role
from tests.support.fix_pki import DOMAIN
from tests.support.fix_router import TOKEN_UNITS, TOKENS_MAX, RouterSetting
from tests.support.scripted_node import MODEL, Events, ScriptedNode, chunk, started
from tests.support.synthesis_world import Caller

RECORDS = 20


@dataclass(frozen=True, slots=True)
class Desk:
    """A folder with records, and the command."""

    directory: Path
    router: RouterSetting

    @property
    def output(self) -> Path:
        """Return where texts go."""
        return self.directory / "texts.jsonl"

    def describe(self) -> None:
        """Write records and the federation's file."""
        lines = (json.dumps({"text": f"private note {one}"}) for one in range(RECORDS))
        (self.directory / "notes.jsonl").write_text("\n".join(lines))
        pki = self.router.pki
        content = {
            "router": {"address": self.router.address},
            "coordinator": {"address": self.router.address},
            "nodes": [],
            "ca": str(pki.tls(Role.CLIENT, "alice").authority),
            "client": _files(pki.tls(Role.CLIENT, "alice")),
            "operator": _files(pki.tls(Role.OPERATOR, "op")),
        }
        (self.directory / "up.json").write_text(json.dumps(content))

    async def run(self, *more: str, answer: str = "") -> Result:
        """Run the command in a thread, with this answer to its question."""
        words = [
            *("synthesise", "--dataset", "d", "--policy", "p", "--model", MODEL),
            *("--input", str(self.directory / "notes.jsonl")),
            *("--output", str(self.output)),
            *("--federation", str(self.directory / "up.json"), "--patience", "0"),
            *more,
        ]
        if "--records" not in more:
            words += ["--records", str(RECORDS)]
        runner = CliRunner()
        return await asyncio.to_thread(
            lambda: runner.invoke(main.app, words, input=answer)
        )

    @property
    def files(self) -> set[str]:
        """Return the names of what lies beside the output."""
        return {one.name for one in self.directory.glob("texts.jsonl*")}


def _files(tls: TlsSettings) -> dict[str, str]:
    return {"cert": str(tls.certificate), "key": str(tls.private_key)}


@pytest.fixture
async def node(router: RouterSetting) -> ScriptedNode:
    """Run a node that answers two tokens."""
    await router.open_dataset()
    return await router.node("n1")


@pytest.fixture
def desk(
    router: RouterSetting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Desk:
    """Return a desk of alice's."""
    monkeypatch.setattr(connection, "TRUST_DOMAIN", DOMAIN)
    one = Desk(tmp_path, router)
    one.describe()
    return one


async def test_estimate_texts_epsilon_and_report_are_told(
    desk: Desk, node: ScriptedNode
) -> None:
    """What it may cost before, what it did cost after, and what is not covered."""
    result = await desk.run(answer="y\n")

    assert result.exit_code == 0, result.output
    assert f"at most {TOKENS_MAX * TOKEN_UNITS:,} units" in result.output
    assert f"{2 * TOKEN_UNITS:,} units" in result.output
    assert "It is not covered by the guarantee" in result.output
    texts = [json.loads(line) for line in desk.output.read_text().splitlines()]
    assert texts == [{"text": "ab"}] * 3
    report = json.loads((desk.directory / "texts.jsonl.report.json").read_text())
    assert next(iter(report)) == "note"
    assert report["memorisation"]["repeated"] == 0
    assert desk.files == {"texts.jsonl", "texts.jsonl.report.json"}
    assert len(node.requests) == 3
    assert await (await Caller.of(desk.router)).tokens_spent() == 2


async def test_whoever_declines_holds_and_leaves_nothing(
    desk: Desk, node: ScriptedNode
) -> None:
    """The price was told, and that is all."""
    result = await desk.run(answer="n\n")

    assert result.exit_code == 1
    assert not desk.files
    assert not node.requests
    assert (await desk.router.account()).held_units == 0


async def test_interrupted_command_goes_on(desk: Desk, node: ScriptedNode) -> None:
    """What was sampled is not sampled again; the input must be the same."""

    async def full(_: inference_pb2.Generation, __: grpc.aio.ServicerContext) -> Events:
        raise errors.QueueFull("The queue is full.")
        yield started()

    async def answer_once(
        asked: inference_pb2.Generation, context: grpc.aio.ServicerContext
    ) -> Events:
        node.script = full
        async for event in node.answer(asked, context):
            yield event

    node.script = answer_once
    stopped = await desk.run("--yes")
    assert isinstance(stopped.exception, errors.QueueFull)
    assert "--resume goes on with it" in stopped.stderr.replace("\n", " ")
    assert desk.files == {"texts.jsonl.job"}
    node.script = node.answer
    served = len(node.requests)

    again = await desk.run("--yes")
    result = await desk.run("--resume", "--json")

    assert isinstance(again.exception, errors.FieldInvalid)
    # The router of this test logs to the same place.
    printed = result.stdout[result.stdout.index('{\n  "synthesis"') :]
    told, _ = json.JSONDecoder().raw_decode(printed)
    assert (told["texts"], told["synthesis"]["tokensCharged"]) == (3, 2)
    assert len(node.requests) == served + 2


async def test_file_with_another_number_of_records_is_refused_before_anything_is_sent(
    desk: Desk, node: ScriptedNode
) -> None:
    """The number is the operator's word."""
    result = await desk.run("--yes", "--records", str(RECORDS + 1))

    assert isinstance(result.exception, errors.FieldInvalid)
    assert not node.requests
    assert not desk.files


async def test_budget_that_does_not_suffice_refuses_before_any_sampling(
    desk: Desk,
) -> None:
    """And nothing is remembered of a job that was never opened."""
    await desk.router.open_dataset(epsilon=0.5)
    node = await desk.router.node("n1")

    result = await desk.run("--yes")

    assert isinstance(result.exception, errors.BudgetExhausted)
    assert "lacks" in result.output
    assert not desk.files
    assert not node.requests


async def test_lost_batches_have_no_text_and_are_told(
    desk: Desk, node: ScriptedNode
) -> None:
    """The others come out."""

    async def lost(_: inference_pb2.Generation, __: grpc.aio.ServicerContext) -> Events:
        node.script = node.answer
        yield started()
        yield chunk()
        raise errors.Internal("Broken.")

    node.script = lost
    result = await desk.run("--yes", "--patience", "5")

    assert result.exit_code == 0, result.output
    assert "1 of 3 batches" in result.output
    assert len(desk.output.read_text().splitlines()) == 2
