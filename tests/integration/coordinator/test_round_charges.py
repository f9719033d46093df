"""Rounds that charge an account, over daemons, real streams and the command."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import audit_pb2, audit_pb2_grpc, budget_pb2_grpc
from federated_router.api.v1 import budget_pb2 as budget
from federated_router.api.v1.inference_pb2 import SELECTION_BY_ID
from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.cli.main import app
from federated_router.kit.config import ConfigurationError
from federated_router.kit.errors import (
    BudgetExhausted,
    PolicyUnknown,
    RoleNotAllowed,
)
from federated_router.kit.grpc_client import translated_errors
from federated_router.privacy.measure import ZCDP, step_units
from federated_router.privacy.step_text import step_of
from tests.support.charged_federation import ACCOUNT, ChargedFederation
from tests.support.round_member import NAMES, Certificates

LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")
EPSILON_OF_ONE_ROUND = "2"
"""At noise 4 and delta 1e-6 one round costs about 1.1, and two together 1.6 or more."""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return an authority that the command trusts."""
    return Certificates(tmp_path_factory.mktemp("pki"), trust_domain=TRUST_DOMAIN)


@pytest_asyncio.fixture
async def federation(
    certificates: Certificates, tmp_path: Path
) -> AsyncIterator[ChargedFederation]:
    """Return a federation without coordinator and members yet."""
    async with AsyncExitStack() as stack:
        yield ChargedFederation(certificates, tmp_path, stack)


async def command(*words: str) -> str:
    """Return what the command prints, run on a thread beside the daemon.

    What the daemon logs meanwhile goes to the same place, and is left out.
    """
    result = await asyncio.to_thread(CliRunner().invoke, app, words)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines(keepends=True)
    return "".join(line for line in lines if not LOGGED.match(line))


async def test_round_is_charged_to_both_ledgers_what_its_event_costs(
    federation: ChargedFederation,
) -> None:
    """The coordinator's account and each member's odometer agree to the unit."""
    async with federation.daemon():
        for name in NAMES:
            await federation.join(name)
        round_ = await federation.ended((await federation.create("one")).name)
        account = await federation.account()
        stub = budget_pb2_grpc.BudgetServiceStub(federation.channel("operator/op"))
        listed = await stub.ListReservations(
            budget.ListReservationsRequest(account=ACCOUNT)
        )
        readings = [await federation.reading(name) for name in NAMES]

    (paid,) = listed.reservations
    units = step_units(step_of(paid.event), ZCDP)
    assert round_.reservation == f"{ACCOUNT}/{paid.name}"
    assert (account.spent_units, account.held_units) == (units, 0)
    assert account.kind == budget.Account.KIND_FEDERATION
    assert account.promise == budget.Account.PROMISE_GUARANTEE
    assert {reading.lifetime_units for reading in readings} == {units}


async def test_round_beyond_the_budget_is_refused_to_its_operator(
    federation: ChargedFederation,
) -> None:
    """Also over the wire, and after a restart; what was spent is not forgotten."""
    federation.epsilon = EPSILON_OF_ONE_ROUND
    async with federation.daemon():
        for name in NAMES:
            await federation.join(name)
        while (account := await federation.account()).free_units >= account.spent_units:
            name = f"r{account.spent_units}"
            await federation.ended((await federation.create(name)).name)
        with pytest.raises(BudgetExhausted) as caught:
            await federation.create("beyond")
        spent = account.spent_units
    async with federation.daemon():
        with pytest.raises(BudgetExhausted):
            await federation.create("again")
        assert (await federation.account()).spent_units == spent

    assert spent > 0
    assert caught.value.metadata["account"] == ACCOUNT


async def test_member_whose_own_limit_is_reached_leaves_and_the_round_goes_on(
    federation: ChargedFederation,
) -> None:
    """It contributes nothing, charges nothing, and trusts nobody's ledger."""
    federation.rounds = {"collecting_s": 5.0}
    async with federation.daemon():
        await federation.join(NAMES[0], epsilon="0.01")
        for name in NAMES[1:]:
            await federation.join(name)
        round_ = await federation.ended((await federation.create("one")).name)
        strict = await federation.reading(NAMES[0])
        others = [await federation.reading(name) for name in NAMES[1:]]

    assert round_.contributed_count == 3, round_.end_cause
    assert NAMES[0] not in round_.survivors
    assert strict.lifetime_units == 0
    assert all(reading.lifetime_units > 0 for reading in others)


async def test_account_keeps_its_terms_when_the_configuration_changes(
    federation: ChargedFederation,
) -> None:
    """A limit that could be raised by an edit and a restart would be none."""
    async with federation.daemon():
        before = await federation.account()
    federation.epsilon = "9999"

    async with federation.daemon():
        after = await federation.account()

    assert after.limit_units == before.limit_units


async def test_budgets_of_a_coordinator_are_for_operators(
    federation: ChargedFederation,
) -> None:
    """Clients and members have nothing to do there; nor are there policies."""
    request = budget.GetAccountRequest(name=ACCOUNT)
    async with federation.daemon():
        for name in ("client/alice", "node/node-1"):
            stub = budget_pb2_grpc.BudgetServiceStub(federation.channel(name))
            with pytest.raises(RoleNotAllowed):
                async with translated_errors():
                    await stub.GetAccount(request)
        audit = audit_pb2_grpc.AuditServiceStub(federation.channel("client/alice"))
        with pytest.raises(RoleNotAllowed):
            async with translated_errors():
                await audit.CreateCheckpoint(audit_pb2.CreateCheckpointRequest())
        operator = budget_pb2_grpc.BudgetServiceStub(federation.channel("operator/op"))
        with pytest.raises(PolicyUnknown):
            async with translated_errors():
                await operator.PriceEvent(
                    budget.PriceEventRequest(
                        dataset="datasets/d",
                        policy="policies/p",
                        selection=SELECTION_BY_ID,
                    )
                )


async def test_commands_find_the_coordinators_ledger_and_prove_its_log(
    federation: ChargedFederation,
) -> None:
    """List, show, report, export and verify, as against a router."""
    export = federation.directory / "rounds.jsonl"
    async with federation.daemon():
        for name in NAMES:
            await federation.join(name)
        round_ = await federation.ended((await federation.create("one")).name)
        at = ("--federation", str(federation.up_file()))
        listed = await command("budget", "list", "--daemon", "coordinator", *at)
        shown = await command("budget", "show", "federation-rounds", *at)
        report = await command("budget", "report", "federation-rounds", "--json", *at)
        await command("audit", "export", str(export), "--daemon", "coordinator", *at)
    public = str(federation.directory / "audit-key.pub.pem")
    await command("audit", "verify", str(export), "--public-key", public)

    assert ACCOUNT in listed
    sentence = "all rounds of one window together tell about any one person"
    assert sentence in " ".join(shown.split())
    charged = json.loads(report)["topReservations"][0]["name"]
    assert round_.reservation.endswith(charged)


async def test_schedule_opens_the_first_round_when_the_daemon_starts(
    federation: ChargedFederation,
) -> None:
    """Nobody joins, so each is aborted; the next comes after a pause, one at a time."""
    federation.rounds = {"interval_s": 60.0, "retry_after_s": 0.5, "joining_s": 0.3}
    async with federation.daemon():
        async with asyncio.timeout(30):
            while len(rounds := await federation.all_rounds()) < 3:
                await asyncio.sleep(0.1)

    ended = [one for one in rounds if one.state == pb2.Round.STATE_ABORTED]
    starts = sorted(one.history[0].enter_time.ToNanoseconds() for one in rounds)
    pauses = [(b - a) / 1e9 for a, b in pairwise(starts)]
    assert len(ended) >= len(rounds) - 1
    assert pauses[0] >= 0.8
    assert pauses[1] >= 1.3


async def test_coordinator_without_a_budget_does_not_start(
    federation: ChargedFederation,
) -> None:
    """Rounds that nobody pays for are not opened by omission."""
    federation.rounds = {"budget": None}

    with pytest.raises(ConfigurationError, match=r"rounds\.budget"):
        async with federation.daemon():
            pytest.fail("It started.")
