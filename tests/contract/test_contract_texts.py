"""Every method says who calls it, whether it may be repeated, and how it fails."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from coordinator.members.service import MembersServicer
from coordinator.priors.service import PriorsServicer
from coordinator.rounds.service import AggregationServicer
from federated_router.api.v1 import errors_pb2
from federated_router.budget.audit.service import AuditServicer
from federated_router.budget.service import BudgetServicer
from federated_router.kit.grpc_server import ServiceBinding
from federated_router.kit.identity import Role
from federated_router.kit.ops import OpsServicer
from federated_router.load.service import LoadServicer
from federated_router.proxy.service import InferenceServicer as RouterInference
from federated_router.registry.service import RegistryServicer
from federated_router.releases.service import ReleaseServicer
from federated_router.routing.service import RoutingServicer
from federated_router.synthesis.service import SynthesisServicer
from node.decoding_service import PrivateDecodingServicer
from node.engine_service import EngineServicer
from node.service import InferenceServicer as NodeInference
from node.shards.service import ShardServicer
from tests.support.generate_protos import ROOT
from tests.support.raw_calls import SERVICES

PROTOS = sorted((ROOT / "protos").rglob("*.proto"))
REASONS = {
    name.removeprefix("ERROR_REASON_")
    for name in errors_pb2.ErrorReason.keys()  # noqa: SIM118 - an enum, not a mapping.
}
ROLES_IN_WORDS = {
    "client": {Role.CLIENT},
    "node": {Role.NODE},
    "router": {Role.ROUTER},
    "coordinator": {Role.COORDINATOR},
    "operator": {Role.OPERATOR},
    "member": {Role.NODE, Role.ROUTER},
}


class Stated(Protocol):
    """What every servicer class states."""

    CALLERS: ClassVar[Mapping[str, frozenset[Role]]]


SERVICERS: dict[str, tuple[type[Stated], ...]] = {
    "AggregationService": (AggregationServicer,),
    "AuditService": (AuditServicer,),
    "BudgetService": (BudgetServicer,),
    "EngineService": (EngineServicer,),
    "InferenceService": (RouterInference, NodeInference),
    "LoadService": (LoadServicer,),
    "MembersService": (MembersServicer,),
    "NodeRegistryService": (RegistryServicer,),
    "OpsService": (OpsServicer,),
    "PriorsService": (PriorsServicer,),
    "PrivateDecodingService": (PrivateDecodingServicer,),
    "ReleaseService": (ReleaseServicer,),
    "RoutingService": (RoutingServicer,),
    "ShardService": (ShardServicer,),
    "SynthesisService": (SynthesisServicer,),
}


@dataclass(frozen=True, slots=True)
class Rpc:
    """A method as its proto file describes it."""

    service: str
    name: str
    comment: str

    def part(self, label: str) -> str:
        """Return what the comment says after `label`, up to the next label."""
        found = re.search(
            rf"{label}:(.*?)(?=(?:Caller|Idempotent|Errors):|$)",
            self.comment,
            re.DOTALL,
        )
        return "" if found is None else " ".join(found[1].split())


def rpcs() -> list[Rpc]:
    """Return every method of every proto with its comment."""
    found: list[Rpc] = []
    for path in PROTOS:
        service, comment = "", []
        for line in path.read_text(encoding="utf-8").splitlines():
            text = line.strip()
            if match := re.match(r"service (\w+)", text):
                service, comment = match[1], []
            elif text.startswith("//"):
                comment.append(text.removeprefix("//").strip())
            elif match := re.match(r"rpc (\w+)\(", text):
                found.append(Rpc(service, match[1], "\n".join(comment)))
                comment = []
            else:
                comment = []
    return found


RPCS = rpcs()
every_rpc = pytest.mark.parametrize(
    "rpc", RPCS, ids=lambda rpc: f"{rpc.service}.{rpc.name}"
)


def test_every_method_was_found() -> None:
    """A reader that misses methods would check nothing."""
    stated = {
        (service.name, one.name)
        for service in SERVICES.values()
        for one in service.methods
    }

    assert {(rpc.service, rpc.name) for rpc in RPCS} == stated


@every_rpc
@pytest.mark.parametrize("label", ["Caller", "Idempotent", "Errors"])
def test_comment_answers_what_a_caller_asks(rpc: Rpc, label: str) -> None:
    """Who may call, may I repeat it, what can go wrong."""
    assert rpc.part(label)


@every_rpc
def test_errors_named_in_a_comment_exist(rpc: Rpc) -> None:
    """A reason that nobody can send is a promise that nobody keeps."""
    named = set(
        re.findall(r"\b[A-Z]{2,}(?:_[A-Z]+)+\b|\bDRAINING\b", rpc.part("Errors"))
    )

    assert named <= REASONS
    assert named or re.search(r"none|as \w+", rpc.part("Errors"))


@every_rpc
def test_callers_in_words_are_callers_in_code(rpc: Rpc) -> None:
    """The comment is the policy that people read; the code is the one that holds."""
    words = rpc.part("Caller")
    if rpc.service == "InferenceService":
        at_router, at_node = (servicer.CALLERS for servicer in SERVICERS[rpc.service])
        assert at_router[rpc.name] == {Role.CLIENT, Role.OPERATOR}
        assert at_node[rpc.name] == {Role.ROUTER}
        return
    said = {
        role
        for word, roles in ROLES_IN_WORDS.items()
        if re.search(rf"\b{word}s\b", words)
        for role in roles
    }

    (servicer,) = SERVICERS[rpc.service]

    assert servicer.CALLERS[rpc.name] == said


@pytest.mark.parametrize("service", sorted(SERVICES))
def test_every_servicer_states_its_callers_for_every_method(service: str) -> None:
    """A method that is not listed must never be an open door."""
    methods = {one.name for one in SERVICES[service].methods}

    for servicer in SERVICERS[service]:
        assert set(servicer.CALLERS) == methods
        assert all(servicer.CALLERS.values())


def test_servicer_that_forgets_a_method_cannot_be_bound() -> None:
    """The check runs where the server is built, and names what is missing."""

    class Forgetful:
        CALLERS: ClassVar[Mapping[str, frozenset[Role]]] = {
            "ExplainRoute": frozenset({Role.CLIENT})
        }

    binding = ServiceBinding(SERVICES["RoutingService"], Forgetful())

    missing = "ApplyPriors, GetAppliedPriors, GetStrategy, ListStrategies, "
    with pytest.raises(TypeError, match=missing):
        binding.policies(1.0)


@pytest.mark.parametrize("path", PROTOS, ids=lambda path: path.name)
def test_enumerations_begin_with_nothing(path: Path) -> None:
    """Zero is what an old peer sends for a field that it does not know."""
    text = path.read_text(encoding="utf-8")
    enums = re.findall(r"enum (\w+) \{(.*?)\}", text, re.DOTALL)

    for name, body in enums:
        first = next(line for line in body.splitlines() if " = " in line)
        assert re.match(r"\s*\w+_UNSPECIFIED = 0;", first), name
