"""Bad input through real daemons: each has its status and one reason."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import grpc
import pytest

from federated_router.api.v1 import (
    aggregation_pb2,
    audit_pb2,
    budget_pb2,
    decoding_pb2,
    engine_pb2,
    inference_pb2,
    inference_pb2_grpc,
    load_pb2,
    members_pb2,
    ops_pb2,
    priors_pb2,
    registry_pb2,
    routing_pb2,
    synthesis_pb2,
)
from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cli.connection import TRUST_DOMAIN
from federated_router.kit.authority import Authority
from federated_router.kit.config import TlsSettings
from federated_router.kit.grpc_errors import answered_by_peer, translate
from federated_router.kit.identity import Identity, Role, dns_name
from tests.support.processes import (
    CONTEXT_TOKENS,
    SLOTS,
    Processes,
    Traced,
    new_id,
    private,
    public,
)

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
Change = Callable[[pb.Generation], object]


def with_records(generation: pb.Generation, count: int) -> None:
    """Give the request so many records."""
    context = generation.private_context
    del context.records[:]
    context.records.extend(
        pb.Record(id=f"rec-{index}", text=b"text") for index in range(count)
    )


def say(generation: pb.Generation, content: str) -> None:
    """Replace the prompt."""
    generation.messages[0].content = content


BAD: list[tuple[str, pb.Generation, Change, grpc.StatusCode, str]] = [
    (
        "unknown model",
        public(),
        lambda one: setattr(one, "model", "models/none"),
        NOT_FOUND,
        "MODEL_UNKNOWN",
    ),
    ("empty prompt", public(), lambda one: say(one, ""), INVALID, "FIELD_REQUIRED"),
    (
        "no messages",
        public(),
        lambda one: one.ClearField("messages"),
        INVALID,
        "FIELD_REQUIRED",
    ),
    (
        "prompt beyond the router's limit",
        public(),
        lambda one: say(one, "x" * 300_000),
        INVALID,
        "PROMPT_TOO_LONG",
    ),
    (
        "prompt beyond the model's context",
        public(),
        lambda one: say(one, "x" * (CONTEXT_TOKENS + 1)),
        INVALID,
        "PROMPT_TOO_LONG",
    ),
    (
        "private prompt beyond the policy's rows",
        private(),
        lambda one: say(one, "x" * 200),
        INVALID,
        "PROMPT_TOO_LONG",
    ),
    (
        "more records than slots",
        private(),
        lambda one: with_records(one, SLOTS + 1),
        INVALID,
        "RECORDS_TOO_MANY",
    ),
    (
        "no records",
        private(),
        lambda one: with_records(one, 0),
        INVALID,
        "FIELD_REQUIRED",
    ),
    (
        "unknown data set",
        private(dataset="datasets/none"),
        lambda _: None,
        NOT_FOUND,
        "DATASET_UNKNOWN",
    ),
    (
        "unknown policy",
        private(policy="policies/none"),
        lambda _: None,
        NOT_FOUND,
        "POLICY_UNKNOWN",
    ),
    (
        "record that is not UTF-8",
        private(),
        lambda one: setattr(one.private_context.records[0], "text", b"\xff\xfe"),
        INVALID,
        "RECORD_NOT_TEXT",
    ),
    (
        "one record twice",
        private(),
        lambda one: setattr(one.private_context.records[1], "id", "rec-0"),
        INVALID,
        "FIELD_INVALID",
    ),
    (
        "sampling that the policy fixes",
        private(),
        lambda one: setattr(one.sampling, "temperature", 0.5),
        INVALID,
        "NOT_PRIVATELY_SERVABLE",
    ),
]


async def test_bad_requests_get_their_status_and_reason_and_charge_nothing(
    pair: Processes,
) -> None:
    """Streamed or whole, public or private; an account moves for none of them."""
    wrong = []
    async with pair.calls() as calls:
        before = await calls.open_dataset()
        for name, generation, change, code, reason in BAD:
            change(generation)
            for stream in (False, True):
                generation.request_id = new_id()
                found = await refusal(
                    calls.stream(generation).read()
                    if stream
                    else calls.complete(generation)
                )
                if found != (code, reason):
                    wrong.append((name, stream, found))
        after = await calls.account()

    assert wrong == []
    assert after.spent_units == before.spent_units
    assert after.held_units == 0


async def test_request_id_with_another_body_is_refused(pair: Processes) -> None:
    """An id names one request; another body under it would be another release."""
    generation = private()
    async with pair.calls() as calls:
        await calls.open_dataset()
        first = await calls.complete(generation)
        before = await calls.account()
        say(generation, "something else")

        found = await refusal(calls.complete(generation))
        after = await calls.account()

    assert first.finished.charge.units > 0
    assert found == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert after.spent_units == before.spent_units


READERS = {Role.CLIENT, Role.OPERATOR}
MEMBERS = {Role.NODE, Role.ROUTER}
OPERATOR = {Role.OPERATOR}
OPS = (ops_pb2, "OpsService", {"*": OPERATOR})
ALLOWED: dict[str, list[tuple[ModuleType, str, dict[str, set[Role]]]]] = {
    "router": [
        (inference_pb2, "InferenceService", {"*": READERS}),
        (
            registry_pb2,
            "NodeRegistryService",
            {
                "*": READERS,
                "RegisterNode": {Role.NODE},
                "RenewLease": {Role.NODE},
                "DeregisterNode": {Role.NODE},
                "DrainNode": OPERATOR,
                "ListShards": {Role.NODE} | OPERATOR,
            },
        ),
        (
            routing_pb2,
            "RoutingService",
            {"*": READERS, "SetStrategy": OPERATOR, "ApplyPriors": OPERATOR},
        ),
        (
            budget_pb2,
            "BudgetService",
            {"*": OPERATOR, "GetAccount": READERS, "PriceEvent": READERS},
        ),
        (synthesis_pb2, "SynthesisService", {"*": READERS}),
        (load_pb2, "LoadService", {"*": OPERATOR, "ListFootprints": READERS}),
        OPS,
    ],
    "node-1": [
        (inference_pb2, "InferenceService", {"*": {Role.ROUTER}}),
        (decoding_pb2, "PrivateDecodingService", {"*": {Role.ROUTER}}),
        (engine_pb2, "EngineService", {"*": OPERATOR}),
        OPS,
    ],
    "coordinator": [
        (
            aggregation_pb2,
            "AggregationService",
            {
                "*": MEMBERS,
                "CreateRound": OPERATOR,
                "AbortRound": OPERATOR,
                "GetRound": MEMBERS | OPERATOR,
                "ListRounds": MEMBERS | OPERATOR,
                "WatchRound": MEMBERS | OPERATOR,
                "GetRoster": MEMBERS | OPERATOR,
            },
        ),
        (
            members_pb2,
            "MembersService",
            {
                "*": OPERATOR,
                "GetRevocations": set(Role),
                "WatchRevocations": set(Role),
                "RequestRenewal": MEMBERS,
                "GetRenewal": MEMBERS,
            },
        ),
        (budget_pb2, "BudgetService", {"*": OPERATOR}),
        (audit_pb2, "AuditService", {"*": OPERATOR}),
        (priors_pb2, "PriorsService", {"*": MEMBERS | OPERATOR}),
        OPS,
    ],
}
"""Who may call what, written down a second time: `*` is every other method."""


async def test_every_rpc_refuses_every_role_that_it_is_not_for(
    pair: Processes,
) -> None:
    """A certificate of the federation is not a permission."""
    wrong, refused = [], 0
    for daemon, services in ALLOWED.items():
        for role in Role:
            async with pair.channel(daemon, pair.tls(role, "someone")) as channel:
                for module, service, allowed in services:
                    for method in module.DESCRIPTOR.services_by_name[service].methods:
                        if role in allowed.get(method.name, allowed["*"]):
                            continue
                        found = await refusal(_empty_call(channel, method))
                        refused += 1
                        if found != (
                            grpc.StatusCode.PERMISSION_DENIED,
                            "ROLE_NOT_ALLOWED",
                        ):
                            wrong.append((daemon, method.full_name, role, found))

    assert wrong == []
    assert refused > 100


def _expired(pair: Processes, _: Path) -> TlsSettings:
    pki = pair.layout.pki()
    files = Authority.open(pki, trust_domain=TRUST_DOMAIN).issue(
        Identity(role=Role.CLIENT, id="late", trust_domain=TRUST_DOMAIN),
        pki / "expired",
        lifetime=timedelta(days=1),
        not_before=datetime.now(UTC) - timedelta(days=30),
    )
    return TlsSettings(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=pki / "ca.crt",
    )


def _foreign(pair: Processes, directory: Path) -> TlsSettings:
    other = Authority.open(directory, trust_domain=TRUST_DOMAIN)
    return pair.tls(Role.CLIENT, "alice", authority=other)


@pytest.mark.parametrize("certificate", [_expired, _foreign])
async def test_connection_with_a_certificate_that_does_not_hold_is_not_made(
    certificate: Callable[[Processes, Path], TlsSettings],
    pair: Processes,
    tmp_path: Path,
) -> None:
    """Expired, or of an authority that nobody trusts, whatever name it claims."""
    trace = Traced()

    async with pair.channel("router", certificate(pair, tmp_path)) as channel:
        found = await refusal(_list_models(channel, trace))

    assert found == (grpc.StatusCode.UNAVAILABLE, "")
    assert pair.log_lines("router", trace.trace_id) == []


@pytest.mark.parametrize("daemon", ["router", "node-1", "coordinator"])
async def test_connection_without_a_certificate_is_not_made(
    daemon: str, pair: Processes
) -> None:
    """There is no port for the anonymous, not even for health."""
    trace = Traced()
    name = dns_name(TRUST_DOMAIN, pair.local.plans[daemon].role)
    credentials = grpc.ssl_channel_credentials(
        (pair.layout.pki() / "ca.crt").read_bytes()
    )
    options = [("grpc.ssl_target_name_override", name)]

    async with grpc.aio.secure_channel(
        pair.address(daemon), credentials, options=options
    ) as channel:
        found = await refusal(_list_models(channel, trace))

    assert found == (grpc.StatusCode.UNAVAILABLE, "")
    assert pair.log_lines(daemon, trace.trace_id) == []


async def test_connection_without_tls_is_not_made(pair: Processes) -> None:
    """Plaintext gets nothing at all."""
    async with grpc.aio.insecure_channel(pair.address("router")) as channel:
        found = await refusal(_list_models(channel, Traced()))

    assert found == (grpc.StatusCode.UNAVAILABLE, "")


def _list_models(channel: grpc.aio.Channel, trace: Traced) -> object:
    stub = inference_pb2_grpc.InferenceServiceStub(channel)
    return stub.ListModels(
        inference_pb2.ListModelsRequest(), timeout=30, metadata=trace.metadata
    )


def _empty_call(channel: grpc.aio.Channel, method: object) -> object:
    """Call any method with nothing in it: roles come before fields."""
    path = f"/{method.containing_service.full_name}/{method.name}"  # type: ignore[attr-defined]
    made = {
        (False, False): channel.unary_unary,
        (False, True): channel.unary_stream,
        (True, False): channel.stream_unary,
    }[method.client_streaming, method.server_streaming](path)  # type: ignore[attr-defined]
    request = iter(()) if method.client_streaming else b""  # type: ignore[attr-defined]
    call = made(request, timeout=30)
    return call.read() if method.server_streaming else call  # type: ignore[attr-defined]


async def refusal(call: object) -> tuple[grpc.StatusCode, str]:
    """Return how a call was refused: its status and its reason, if there is one."""
    try:
        await call  # type: ignore[misc]
    except grpc.aio.AioRpcError as error:
        reason = translate(error).reason if answered_by_peer(error) else ""
        return error.code(), reason
    return grpc.StatusCode.OK, ""
