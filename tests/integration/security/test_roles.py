"""Who may call what, method by method: the table is written by hand, from the contract.

Each role calls every method with an empty request. A role that may not call gets
ROLE_NOT_ALLOWED and nothing else; a role that may gets any other answer.
"""

from collections.abc import Mapping

import grpc
import pytest

from federated_router.kit.grpc_client import Channels
from federated_router.kit.identity import Role
from tests.support.fix_pki import DOMAIN, Pki
from tests.support.fix_router import RouterSetting
from tests.support.raw_calls import SERVICES, Answer, call, method

pytestmark = pytest.mark.asyncio(loop_scope="module")
CLIENTS = {Role.CLIENT, Role.OPERATOR}
NODES = {Role.NODE}
MEMBERS = {Role.NODE, Role.ROUTER}
WATCHERS = {Role.NODE, Role.ROUTER, Role.OPERATOR}
OPERATORS = {Role.OPERATOR}
EVERYBODY = set(Role)
Doors = Mapping[str, Mapping[str, set[Role]]]

OPS = {
    "GetStatus": OPERATORS,
    "Drain": OPERATORS,
    "Resume": OPERATORS,
    "SetLogLevel": OPERATORS,
    "GetStats": OPERATORS,
}
ROUTER: Doors = {
    "InferenceService": {
        "Generate": CLIENTS,
        "Complete": CLIENTS,
        "ListModels": CLIENTS,
    },
    "RoutingService": {
        "ExplainRoute": CLIENTS,
        "ReportOutcome": CLIENTS,
        "ListStrategies": CLIENTS,
        "GetStrategy": CLIENTS,
        "SetStrategy": OPERATORS,
        "GetAppliedPriors": CLIENTS,
        "ApplyPriors": OPERATORS,
    },
    "NodeRegistryService": {
        "RegisterNode": NODES,
        "RenewLease": NODES,
        "DeregisterNode": NODES,
        "GetNode": CLIENTS,
        "ListNodes": CLIENTS,
        "DrainNode": OPERATORS,
        "ListShards": NODES | OPERATORS,
    },
    "LoadService": {
        "GetLoad": OPERATORS,
        "GetScalingAdvice": OPERATORS,
        "ListFootprints": CLIENTS,
    },
    "BudgetService": {
        "CreateAccount": OPERATORS,
        "GetAccount": CLIENTS,
        "ListAccounts": OPERATORS,
        "PriceEvent": CLIENTS,
        "ListReservations": OPERATORS,
        "ReportAccount": OPERATORS,
        "OpenBlock": OPERATORS,
        "ProposeRenewal": OPERATORS,
        "ApproveRenewal": OPERATORS,
        "CloseAccount": OPERATORS,
    },
    "AuditService": {
        "ListEntries": OPERATORS,
        "ListCheckpoints": OPERATORS,
        "CreateCheckpoint": OPERATORS,
    },
    "ReleaseService": {
        "ReleaseNumber": {Role.CLIENT},
        "ReleaseCounts": {Role.CLIENT},
        "SelectOption": {Role.CLIENT},
    },
    "SynthesisService": {
        "CreateSynthesis": CLIENTS,
        "GetSynthesis": CLIENTS,
        "ListSyntheses": CLIENTS,
        "SampleSynthesis": CLIENTS,
        "ListSynthesisBatches": CLIENTS,
        "FinishSynthesis": CLIENTS,
    },
    "OpsService": OPS,
}
COORDINATOR: Doors = {
    "AggregationService": {
        "CreateRound": OPERATORS,
        "GetRound": WATCHERS,
        "ListRounds": WATCHERS,
        "WatchRound": WATCHERS,
        "GetRoster": WATCHERS,
        "JoinRound": MEMBERS,
        "RevealBeacon": MEMBERS,
        "SubmitContribution": MEMBERS,
        "DownloadShares": MEMBERS,
        "SubmitDealingCheck": MEMBERS,
        "GetSurvivorSet": MEMBERS,
        "SubmitOpening": MEMBERS,
        "AbortRound": OPERATORS,
    },
    "MembersService": {
        "EnrolMember": OPERATORS,
        "GetMember": OPERATORS,
        "ListMembers": OPERATORS,
        "RevokeMember": OPERATORS,
        "PublishRevocations": OPERATORS,
        "GetRevocations": EVERYBODY,
        "WatchRevocations": EVERYBODY,
        "RequestRenewal": MEMBERS,
        "GetRenewal": MEMBERS,
        "ListRenewals": OPERATORS,
        "IssueRenewal": OPERATORS,
    },
    "PriorsService": {"GetPriors": WATCHERS, "WatchPriors": WATCHERS},
    "OpsService": OPS,
}
NODE: Doors = {
    "EngineService": {"ListEngines": OPERATORS},
    "PrivateDecodingService": {"ExtendGrant": {Role.ROUTER}},
    "ShardService": {"Forward": NODES, "GetShard": NODES | OPERATORS},
}
"""What only nodes serve; their own tests try these doors."""
REFUSED = Answer(grpc.StatusCode.PERMISSION_DENIED, "ROLE_NOT_ALLOWED")
# These wait for something to happen, so a call that is let in tells nothing for long.
PATIENT = {"WatchRound", "WatchPriors", "WatchRevocations"}


def pairs(doors: Doors) -> list[tuple[str, str]]:
    """Return every service and method."""
    return [(service, name) for service, methods in doors.items() for name in methods]


async def wrongly_answered(
    channel: grpc.aio.Channel, role: Role, doors: Doors
) -> list[tuple[str, Answer]]:
    """Return the methods whose answer is not what the table says."""
    wrong = []
    for service, name in pairs(doors):
        allowed = role in doors[service][name]
        if allowed and name in PATIENT:
            continue
        answer = await call(channel, method(service, name))
        if (answer == REFUSED) is allowed:
            wrong.append((name, answer))
    return wrong


@pytest.mark.parametrize("role", Role)
async def test_router_lets_each_role_in_where_the_contract_says(
    guarded: RouterSetting, role: Role
) -> None:
    """Every method of the router, by every role."""
    channel = await guarded.channel(role, "op")

    assert await wrongly_answered(channel, role, ROUTER) == []


@pytest.mark.parametrize("role", Role)
async def test_coordinator_lets_each_role_in_where_the_contract_says(
    coordinator_address: str, pki: Pki, role: Role
) -> None:
    """Every method of the coordinator, by every role."""
    channels = Channels(pki.tls(role, "somebody"), trust_domain=DOMAIN)

    async with channels.open(coordinator_address, role=Role.COORDINATOR) as channel:
        assert await wrongly_answered(channel, role, COORDINATOR) == []


async def test_tables_leave_no_method_out() -> None:
    """A method added to a contract must be added here, by hand."""
    listed = set(pairs(ROUTER)) | set(pairs(COORDINATOR)) | set(pairs(NODE))
    stated = {
        (service.name, one.name)
        for service in SERVICES.values()
        for one in service.methods
    }

    assert listed == stated


async def test_daemon_serves_no_other_daemons_contract(
    guarded: RouterSetting, coordinator_address: str, pki: Pki
) -> None:
    """A router knows nothing of rounds, a coordinator nothing of inference."""
    operator = Channels(pki.tls(Role.OPERATOR, "op"), trust_domain=DOMAIN)

    at_router = await call(
        await guarded.channel(Role.OPERATOR, "op"),
        method("AggregationService", "ListRounds"),
    )
    async with operator.open(coordinator_address, role=Role.COORDINATOR) as channel:
        at_coordinator = await call(channel, method("InferenceService", "ListModels"))

    assert at_router == Answer(grpc.StatusCode.UNIMPLEMENTED)
    assert at_coordinator == Answer(grpc.StatusCode.UNIMPLEMENTED)
