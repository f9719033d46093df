"""REQUIRED marks of a contract are enforced at any depth, and name what is missing."""

from collections.abc import Mapping

import pytest
from google.api import field_behavior_pb2
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message

from federated_router.api.v1 import aggregation_pb2, inference_pb2, registry_pb2
from federated_router.kit.errors import FieldRequired
from federated_router.kit.validation import check_required

Field = descriptor_pb2.FieldDescriptorProto
PACKAGE = "federated_router.test_validation"


def field(
    name: str,
    number: int,
    kind: "Field.Type.ValueType",
    *,
    label: "Field.Label.ValueType" = Field.LABEL_OPTIONAL,
    type_name: str = "",
    required: bool = True,
) -> Field:
    """Return one field of a message made for these tests."""
    made = Field(name=name, number=number, type=kind, label=label)
    if type_name:
        made.type_name = f".{PACKAGE}.{type_name}"
    if required:
        behaviours = made.options.Extensions[field_behavior_pb2.field_behavior]
        behaviours.append(field_behavior_pb2.REQUIRED)
    return made


def message_type(
    name: str, *fields: Field, nested: descriptor_pb2.DescriptorProto | None = None
) -> descriptor_pb2.DescriptorProto:
    """Return a message of these fields."""
    made = descriptor_pb2.DescriptorProto(name=name, field=fields)
    if nested is not None:
        made.nested_type.append(nested)
    return made


def optional_scalar() -> descriptor_pb2.DescriptorProto:
    """Return a message whose required scalar has presence."""
    made = message_type("Chosen", field("count", 1, Field.TYPE_INT32))
    made.field[0].proto3_optional = True
    made.field[0].oneof_index = 0
    made.oneof_decl.add(name="_count")
    return made


def map_entry() -> descriptor_pb2.DescriptorProto:
    """Return the hidden message of `map<string, Leaf>`."""
    entry = message_type(
        "LeavesEntry",
        field("key", 1, Field.TYPE_STRING, required=False),
        field("value", 2, Field.TYPE_MESSAGE, type_name="Leaf", required=False),
    )
    entry.options.map_entry = True
    return entry


def built() -> Mapping[str, type[Message]]:
    """Return message classes in forms that no contract of ours has yet."""
    leaf = message_type("Leaf", field("text", 1, Field.TYPE_STRING))
    tree = message_type(
        "Tree",
        field("leaf", 1, Field.TYPE_MESSAGE, type_name="Leaf", required=False),
        field("child", 2, Field.TYPE_MESSAGE, type_name="Tree", required=False),
    )
    mapped = message_type(
        "Mapped",
        field(
            "leaves",
            1,
            Field.TYPE_MESSAGE,
            label=Field.LABEL_REPEATED,
            type_name="Mapped.LeavesEntry",
            required=False,
        ),
        nested=map_entry(),
    )
    file = descriptor_pb2.FileDescriptorProto(
        name="federated_router/test_validation.proto",
        package=PACKAGE,
        syntax="proto3",
        message_type=[leaf, tree, mapped, optional_scalar()],
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{PACKAGE}.{name}")
        )
        for name in ("Leaf", "Tree", "Mapped", "Chosen")
    }


@pytest.fixture(scope="module")
def made() -> Mapping[str, type[Message]]:
    """Return the message classes, built once."""
    return built()


def missing_in(message: Message) -> str | None:
    """Return the path that is refused, if one is."""
    try:
        check_required(message)
    except FieldRequired as error:
        return error.metadata["field"]
    return None


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (inference_pb2.GenerateRequest(), "generation"),
        (inference_pb2.Message(content="x"), "role"),
        (inference_pb2.Message(role=inference_pb2.ROLE_USER), "content"),
        (inference_pb2.Record(id="a"), "text"),
        (registry_pb2.ModelOffer(model="models/m"), "context_tokens_max"),
        (aggregation_pb2.RevealBeaconRequest(round="rounds/r"), "nonce"),
    ],
)
def test_missing_field_of_each_kind_is_named(message: Message, path: str) -> None:
    """Messages need presence, enums, numbers, text and bytes another than zero."""
    refused = missing_in(message)

    assert refused == path


def test_empty_list_is_missing() -> None:
    """A REQUIRED list with nothing in it says nothing."""
    generation = inference_pb2.Generation(request_id="r", model="models/a")

    refused = missing_in(generation)

    assert refused == "messages"


def test_path_counts_into_lists() -> None:
    """The third offer's fault must not look like the first one's."""
    good = registry_pb2.ModelOffer(
        model="models/m",
        context_tokens_max=1,
        private_support=inference_pb2.PRIVATE_SUPPORT_REFUSED,
        slots=1,
    )
    bad = registry_pb2.ModelOffer(model="models/m", context_tokens_max=1)
    request = registry_pb2.RegisterNodeRequest(
        node=registry_pb2.Node(
            name="nodes/a", address="a:1", region="north", models=[good, good, bad]
        )
    )

    refused = missing_in(request)

    assert refused == "node.models[2].private_support"


def test_absent_optional_message_is_not_entered() -> None:
    """What need not be there need not be complete either."""
    generation = inference_pb2.Generation(
        request_id="r",
        model="models/m",
        messages=[inference_pb2.Message(role=inference_pb2.ROLE_USER, content="x")],
    )

    assert missing_in(generation) is None
    generation.private_context.SetInParent()
    assert missing_in(generation) == "private_context.dataset"


def test_member_of_a_oneof_is_entered_only_when_chosen() -> None:
    """A chunk of a stream is complete without a header."""
    chunk = aggregation_pb2.SubmitContributionRequest(chunk=b"x")
    header = aggregation_pb2.SubmitContributionRequest(
        header=aggregation_pb2.ContributionHeader()
    )

    assert missing_in(chunk) is None
    assert missing_in(header) == "header.round"


def test_scalar_with_presence_may_be_zero(made: Mapping[str, type[Message]]) -> None:
    """`optional` tells zero from nothing, so zero is an answer."""
    chosen = made["Chosen"]

    assert missing_in(chosen()) == "count"
    assert missing_in(chosen(count=0)) is None


@pytest.mark.parametrize("depth", [1, 2, 40])
def test_recursive_message_is_checked_to_its_end(
    made: Mapping[str, type[Message]], depth: int
) -> None:
    """A type that contains itself neither loops nor hides its last level."""
    tree = made["Tree"]()
    last = tree
    for _ in range(depth):
        last = last.child  # type: ignore[attr-defined]
    last.leaf.SetInParent()  # type: ignore[attr-defined]

    refused = missing_in(tree)

    assert refused == "child." * depth + "leaf.text"


def test_values_of_a_map_are_checked(made: Mapping[str, type[Message]]) -> None:
    """A map is a list of pairs on the wire; its values carry REQUIRED marks too."""
    mapped = made["Mapped"]()
    mapped.leaves["good"].text = "x"  # type: ignore[attr-defined]
    assert missing_in(mapped) is None

    mapped.leaves["bad"].SetInParent()  # type: ignore[attr-defined]

    assert missing_in(mapped) == "leaves[bad].text"
