"""`synthesise`: private texts from a data set, under one charge."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, TypeVar

import grpc
import typer

from federated_router.api.v1 import budget_pb2, inference_pb2, synthesis_pb2_grpc
from federated_router.api.v1 import synthesis_pb2 as pb
from federated_router.budget.audit.files import refuse_existing, whole_file
from federated_router.cli import synthesis_memory as memory
from federated_router.cli import synthesis_screen as screen
from federated_router.cli.budget_text import dataset_name, policy_name
from federated_router.cli.screen import (
    err,
    facts,
    message_content,
    print_json,
)
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.cli.synthesis_records import Records, read_records
from federated_router.cli.synthesis_run import Run, finish, patiently
from federated_router.kit.errors import AccountClosed, BudgetExhausted
from federated_router.kit.identity import Role
from federated_router.synthesis.utility import Utility, utility_of

PROMPT = "Write one new text of the same kind as the texts that you were given."
SAMPLE_TIMEOUT_S = 600.0
Answer = TypeVar("Answer")
_OWNER_ONLY = 0o600
_NEVER_OPENED = (BudgetExhausted, AccountClosed)


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    request: pb.CreateSynthesisRequest
    records: Records
    output: Path
    federation: Path
    parallel: int
    patience_s: float


@dataclass(frozen=True, slots=True)
class Result:
    """A closed job and its texts, by batch."""

    job: pb.Synthesis
    texts: Mapping[int, str]


def synthesise(
    *,
    dataset: Annotated[str, typer.Option(help="datasets/ID, whose budget is charged.")],
    policy: Annotated[str, typer.Option(help="policies/ID; its slots are a batch.")],
    records: Annotated[int, typer.Option(min=1, help="How many records there are.")],
    source: Annotated[
        Path, typer.Option("--input", help="JSON Lines with a text each, maybe an id.")
    ],
    output: Annotated[Path, typer.Option(help="Where the private texts go.")],
    model: Annotated[str, typer.Option(help="models/ID.")] = "models/auto",
    prompt: Annotated[str, typer.Option(help="The public prompt.")] = PROMPT,
    tokens: Annotated[
        int, typer.Option(min=0, help="Most tokens of a text; 0 is the policy's limit.")
    ] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the job of this output.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask first.")] = False,
    parallel: Annotated[
        int, typer.Option(min=1, max=64, help="Batches sampled at a time.")
    ] = 1,
    patience: Annotated[
        float, typer.Option(min=0.0, help="Seconds to wait for a node or the router.")
    ] = 300.0,
    federation: UpFile = DEFAULT_UP_FILE,
    as_json: AsJson = False,
) -> None:
    """Write private texts from a whole data set; the data set is charged once.

    Each record is in one batch and each batch gives one text, so a record loses what
    one text tells, however many there are. A command that was killed goes on with
    --resume. The utility report lies beside the output, for the operator alone.
    """
    found = read_records(source, count=records)
    request = pb.CreateSynthesisRequest(
        request_id="price",
        dataset=dataset_name(dataset),
        policy=policy_name(policy),
        model=model,
        messages=[inference_pb2.Message(role=inference_pb2.ROLE_USER, content=prompt)],
        records_count=records,
        tokens_max=tokens,
    )
    wish = Wish(request, found, output, federation, parallel, patience)
    _name_job(wish, resume=resume, yes=yes, as_json=as_json)
    try:
        result = _sampled(wish)
    except BaseException:  # Also for who interrupts it.
        if memory.memory_path(output).exists():
            err.print(screen.GO_ON, markup=False)
        raise
    _write_texts(wish, result)
    utility = utility_of(
        result.texts,
        found.texts,
        slots=result.job.batch_records,
        epsilon=result.job.epsilon_charged,
        delta=result.job.delta,
    )
    report = _write_report(output, utility)
    memory.forget(output)
    _show(wish, result, utility, report, as_json=as_json)


def _name_job(wish: Wish, *, resume: bool, yes: bool, as_json: bool) -> None:
    """Give the request its id: the remembered one, or a new one that was agreed to."""
    digest = wish.records.sha256
    if resume:
        wish.request.request_id = memory.recall(wish.output, input_sha256=digest).job
        return
    if as_json and not yes:
        raise typer.BadParameter("--json does not ask; add --yes.", param_hint="--yes")
    refuse_existing(wish.output)
    price = _price(wish)  # Also where it is not shown: it refuses what cannot be.
    if not as_json:
        facts(screen.estimate_facts(price, records=wish.request.records_count))
    if not yes:
        typer.confirm("Go on?", abort=True)
    wish.request.request_id = memory.remember(wish.output, input_sha256=digest).job


def _price(wish: Wish) -> budget_pb2.PriceEventResponse:
    """Return what the job would cost; nothing is held."""
    request = pb.CreateSynthesisRequest()
    request.CopyFrom(wish.request)
    request.validate_only = True

    async def call(channel: grpc.aio.Channel) -> pb.CreateSynthesisResponse:
        stub = synthesis_pb2_grpc.SynthesisServiceStub(channel)
        response: pb.CreateSynthesisResponse = await stub.CreateSynthesis(
            request, timeout=CALL_TIMEOUT_S
        )
        return response

    return _asked(wish, call).price


def _sampled(wish: Wish) -> Result:
    """Open the job, or find it; sample what is missing; close it."""

    async def call(channel: grpc.aio.Channel) -> Result:
        stub = synthesis_pb2_grpc.SynthesisServiceStub(channel)
        job = await _opened(stub, wish)
        with screen.progress_bar(err, batches=job.batches_count) as told:
            run = Run(
                stub,
                job,
                wish.records,
                told,
                sample_timeout_s=SAMPLE_TIMEOUT_S,
                patience_s=wish.patience_s,
                parallel=wish.parallel,
            )
            if job.state == pb.Synthesis.STATE_OPEN:
                await run.sample_all()
        closed = await finish(stub, job.name, patience_s=wish.patience_s)
        texts = {
            batch.number: batch.text
            async for batch in run.batches()
            if batch.state == pb.SynthesisBatch.STATE_SAMPLED
        }
        return Result(closed, texts)

    return _asked(wish, call)


async def _opened(
    stub: synthesis_pb2_grpc.SynthesisServiceStub, wish: Wish
) -> pb.Synthesis:
    try:
        # Its id was written down before, so that asking twice opens one job.
        answer = await patiently(
            lambda: stub.CreateSynthesis(wish.request, timeout=CALL_TIMEOUT_S),
            patience_s=wish.patience_s,
        )
    except _NEVER_OPENED:
        memory.forget(wish.output)
        raise
    job: pb.Synthesis = answer.synthesis
    return job


def _asked(wish: Wish, call: Callable[[grpc.aio.Channel], Awaitable[Answer]]) -> Answer:
    """Return what `call` answers as the federation's client."""
    return ask(wish.federation, Role.ROUTER, call, caller=lambda known: known.client)


def _write_texts(wish: Wish, result: Result) -> None:
    """Write one JSON object a line, in the order of batches, without record ids."""
    with whole_file(wish.output, mode=_OWNER_ONLY, overwrite=True) as file:
        for number in sorted(result.texts):
            line = json.dumps({"text": result.texts[number]}, ensure_ascii=False)
            file.write(line.encode() + b"\n")


def _write_report(output: Path, utility: Utility) -> Path:
    path = output.with_name(f"{output.name}.report.json")
    content = {"note": screen.PRIVATE_REPORT, **asdict(utility)}
    with whole_file(path, mode=_OWNER_ONLY, overwrite=True) as file:
        file.write(json.dumps(content, indent=2).encode() + b"\n")
    return path


def _show(
    wish: Wish, result: Result, utility: Utility, report: Path, *, as_json: bool
) -> None:
    if as_json:
        print_json(
            {
                "synthesis": message_content(result.job),
                "texts": len(result.texts),
                "output": str(wish.output),
                "report": str(report),
                "utility": {"note": screen.PRIVATE_REPORT, **asdict(utility)},
            }
        )
        return
    rows = screen.result_facts(
        result.job, texts=len(result.texts), output=str(wish.output)
    )
    facts(rows)
    screen.show_utility(utility)
