"""Private records change nothing about where their request goes."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit.clock import ManualClock
from federated_router.kit.identity import Identity, Role, set_current_identity
from federated_router.proxy.asked import Asked, asked_of
from federated_router.proxy.deadline import Deadline
from federated_router.registry.membership import Offer
from federated_router.registry.registry import Registry, RegistrySettings
from federated_router.routing.decision import Decision
from federated_router.routing.router import Router
from federated_router.routing.settings import RoutingSettings
from federated_router.sensitivity.assessment import Assessor
from federated_router.sensitivity.levels import Sensitivity
from federated_router.sensitivity.settings import SensitivitySettings

PERSONAL = "Mr. Smith, jo@example.org, 4556426428481144, GB22SPSQ94714895057550"
records = st.lists(
    st.sampled_from([b"", PERSONAL.encode(), b"\xff", b"x" * 5000])
    | st.binary(max_size=60),
    max_size=4,
)


def generation(texts: list[bytes], message: str) -> pb.Generation:
    """Return a private request about records."""
    return pb.Generation(
        request_id="r-1",
        model="models/m",
        messages=[pb.Message(role=pb.ROLE_USER, content=message)],
        private_context=pb.PrivateContext(
            dataset="datasets/d",
            policy="policies/p",
            records=[
                pb.Record(id=f"r{number}", text=text)
                for number, text in enumerate(texts)
            ],
        ),
    )


async def asked(texts: list[bytes], message: str) -> Asked:
    """Return what the router takes a request for, but for what it relays."""
    set_current_identity(Identity(Role.CLIENT, "ana", "a.example"))
    made = await asked_of(
        generation(texts, message),
        Deadline(1e9),
        Assessor(SensitivitySettings()),
    )
    return replace(made, generation=pb.Generation())


def explained(made: Asked) -> Decision:
    """Return the decision of a router with two nodes, as it explains it."""
    registry = Registry(RegistrySettings(), ManualClock())
    for name in ("nodes/a", "nodes/b"):
        registry.register(
            name=name,
            address="a:1",
            region="eu",
            offers=[Offer("models/m", 4096, private=True, slots=4)],
        )
    return Router(RoutingSettings(), registry).explain(made.query, made.shape)


@settings(max_examples=25, deadline=None)
@given(records, records, st.sampled_from(["how is it?", PERSONAL]))
async def test_requests_that_differ_in_records_alone_are_decided_alike(
    one: list[bytes], other: list[bytes], message: str
) -> None:
    """Sensitivity, query, size and the whole decision with its scores are equal."""
    first, second = await asked(one, message), await asked(other, message)

    assert first == second
    assert explained(first).candidates == explained(second).candidates


async def test_messages_do_raise_the_same_requests_level() -> None:
    """The test above would pass where nothing is looked at at all."""
    plain, personal = await asked([], "how is it?"), await asked([], PERSONAL)
    assert plain.sensitivity is Sensitivity.INTERNAL
    assert personal.sensitivity is personal.query.sensitivity is Sensitivity.SENSITIVE
