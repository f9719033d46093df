"""`round`: run rounds of secure aggregation, and see how they go."""

import secrets
import time
from typing import Annotated

import grpc
import typer

from federated_router.api.v1 import aggregation_pb2 as pb
from federated_router.api.v1 import aggregation_pb2_grpc as pb_grpc
from federated_router.cli import round_report as report
from federated_router.cli import round_story as story
from federated_router.cli.round_watch import change_line, follow
from federated_router.cli.screen import facts, out, print_json, print_message, table
from federated_router.cli.screen import message_content as content
from federated_router.cli.session import (
    CALL_TIMEOUT_S,
    DEFAULT_UP_FILE,
    AsJson,
    UpFile,
    ask,
)
from federated_router.kit.identity import Role

NEWEST = "rounds/-"
WATCH_TIMEOUT_S = 3600.0
app = typer.Typer(help="Rounds of secure aggregation.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="rounds/ID; the newest where left out.")]
Timeout = Annotated[float, typer.Option("--timeout", min=1, help="Seconds to watch.")]


@app.command("list")
def list_rounds(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The most.")] = 20,
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """List rounds, newest first."""
    response = ask(
        federation, Role.COORDINATOR, lambda channel: _newest(channel, limit)
    )
    if as_json:
        print_message(response)
        return
    if not response.rounds:
        out.print("No round yet; `round start` opens one.")
        return
    table(story.LIST_COLUMNS, [story.list_row(one) for one in response.rounds])
    if response.next_page_token:
        out.print(f"… and older ones; --limit shows more than {len(response.rounds)}.")


@app.command()
def show(
    name: Name = NEWEST,
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    as_json: AsJson = False,
) -> None:
    """Show a round: its states, every member's part, and what was found."""
    one = ask(federation, Role.COORDINATOR, lambda channel: _whole(channel, name))
    if as_json:
        print_message(one)
        return
    now_s = time.time()
    out.print(one.name, style="bold", markup=False)
    facts(story.round_facts(one, now_s=now_s))
    out.print()
    table(("state", "entered (UTC)", "lasted"), story.state_rows(one, now_s=now_s))
    if one.progress:
        out.print()
        table(story.MEMBER_COLUMNS, story.member_rows(one))
    if one.HasField("report"):
        out.print("\nWhat the opened sums say", style="bold")
        facts(report.report_facts(one.report))
        if len(one.report.cohorts) > 1:
            out.print()
            table(report.COHORT_COLUMNS, report.cohort_rows(one.report.cohorts))


@app.command()
def start(
    members: Annotated[
        int, typer.Option(min=0, help="Join until so many; 0 waits.")
    ] = 0,
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    watch_it: Annotated[
        bool, typer.Option("--watch", help="Stay until it has ended.")
    ] = False,
    timeout_s: Timeout = WATCH_TIMEOUT_S,
) -> None:
    """Open a round now."""
    request = pb.CreateRoundRequest(
        request_id=f"cli-{secrets.token_hex(6)}", members_expected=members
    )
    response = ask(
        federation,
        Role.COORDINATOR,
        lambda channel: pb_grpc.AggregationServiceStub(channel).CreateRound(
            request, timeout=CALL_TIMEOUT_S
        ),
    )
    if watch_it:
        out.print(f"{response.round.name} is open.")
        watch(response.round.name, federation, timeout_s=timeout_s)
        return
    out.print(f"{response.round.name} is open; `round watch` shows how it goes.")


@app.command()
def abort(
    name: Annotated[str, typer.Argument(help="rounds/ID")],
    cause: Annotated[str, typer.Option(help="Why; members and operators read it.")],
    federation: UpFile = DEFAULT_UP_FILE,
) -> None:
    """End a round that has not ended; nothing of it is published."""
    response = ask(
        federation,
        Role.COORDINATOR,
        lambda channel: pb_grpc.AggregationServiceStub(channel).AbortRound(
            pb.AbortRoundRequest(name=name, cause=cause), timeout=CALL_TIMEOUT_S
        ),
    )
    out.print(f"{name} is {story.state_name(response.round.state)}.")


@app.command()
def watch(
    name: Name = NEWEST,
    federation: UpFile = DEFAULT_UP_FILE,
    *,
    timeout_s: Timeout = WATCH_TIMEOUT_S,
    as_json: AsJson = False,
) -> None:
    """Follow a round to its end; fails unless it was published."""

    def tell(one: pb.Round) -> None:
        if as_json:
            print_json(content(one))
        else:
            out.print(change_line(one), markup=False)

    ended = ask(
        federation,
        Role.COORDINATOR,
        lambda channel: follow(channel, name, tell=tell, timeout_s=timeout_s),
    )
    if ended.state != pb.Round.STATE_PUBLISHED:
        raise typer.Exit(1)


async def _newest(channel: grpc.aio.Channel, limit: int) -> pb.ListRoundsResponse:
    """Return so many rounds; pages end early where rounds are large."""
    stub, found = pb_grpc.AggregationServiceStub(channel), pb.ListRoundsResponse()
    while len(found.rounds) < limit:
        page = await stub.ListRounds(
            pb.ListRoundsRequest(
                page_size=limit - len(found.rounds), page_token=found.next_page_token
            ),
            timeout=CALL_TIMEOUT_S,
        )
        found.rounds.extend(page.rounds)
        found.next_page_token = page.next_page_token
        if not page.next_page_token:
            break
    return found


async def _whole(channel: grpc.aio.Channel, name: str) -> pb.Round:
    """Return everything about a round; `rounds/-` is the newest."""
    stub = pb_grpc.AggregationServiceStub(channel)
    if name == NEWEST:
        newest = await _newest(channel, 1)
        if not newest.rounds:
            out.print("No round yet; `round start` opens one.")
            raise typer.Exit(1)
        name = newest.rounds[0].name
    response: pb.GetRoundResponse = await stub.GetRound(
        pb.GetRoundRequest(name=name, view=pb.ROUND_VIEW_FULL), timeout=CALL_TIMEOUT_S
    )
    return response.round
