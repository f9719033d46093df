"""An error crosses the wire and comes back as itself, or as its category."""

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc.aio import AioRpcError, Metadata
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit import errors
from federated_router.kit.grpc_errors import (
    DETAILS_KEY,
    DOMAIN,
    answered_by_peer,
    code_of,
    details_of,
    translate,
)

STATED = [
    cls for cls in errors.all_error_classes() if cls.__module__ == errors.__name__
]


def made(
    cls: type[errors.FederationError], *, retry_after_s: float | None = None
) -> errors.FederationError:
    """Return an error of any class with facts."""
    error = cls.__new__(cls)
    errors.FederationError.__init__(
        error, "what to do", metadata={"field": "a.b"}, retry_after_s=retry_after_s
    )
    return error


def on_the_wire(code: grpc.StatusCode, details: bytes | None) -> AioRpcError:
    """Return what a client of gRPC gets."""
    trailing = Metadata() if details is None else Metadata((DETAILS_KEY, details))
    return AioRpcError(code, Metadata(), trailing, details="what to do")


def status_with(info: error_details_pb2.ErrorInfo) -> bytes:
    """Return details that hold `info`."""
    packed = any_pb2.Any()
    packed.Pack(info)
    return bytes(status_pb2.Status(details=[packed]).SerializeToString())


@pytest.mark.parametrize("cls", STATED, ids=lambda cls: cls.__name__)
def test_round_trip_keeps_reason_facts_message_and_delay(
    cls: type[errors.FederationError],
) -> None:
    """Two daemons must mean the same by the same error."""
    sent = made(cls, retry_after_s=1.25)

    came = translate(on_the_wire(code_of(sent), details_of(sent)))

    assert came.reason == sent.reason
    assert code_of(came) == code_of(sent)
    assert came.metadata == {"field": "a.b"}
    assert (came.message, came.retry_after_s) == ("what to do", 1.25)


@given(
    metadata=st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4),
    retry_after_s=st.none() | st.floats(min_value=0, max_value=86_400),
)
def test_any_facts_and_delay_survive(
    metadata: dict[str, str], retry_after_s: float | None
) -> None:
    """Facts are text of any kind; the delay is exact to a nanosecond."""
    sent = errors.QueueFull("full", metadata=metadata, retry_after_s=retry_after_s)

    came = translate(on_the_wire(code_of(sent), details_of(sent)))

    assert isinstance(came, errors.QueueFull)
    assert came.metadata == metadata
    assert came.retry_after_s == (
        None if retry_after_s is None else pytest.approx(retry_after_s, abs=1e-9)
    )


def test_exactly_one_error_info_travels() -> None:
    """Two reasons would be none."""
    status = status_pb2.Status.FromString(details_of(errors.Draining("drains")))

    kinds = [detail.type_url.rpartition(".")[2] for detail in status.details]

    assert kinds == ["ErrorInfo"]
    assert status.code == grpc.StatusCode.UNAVAILABLE.value[0]


@pytest.mark.parametrize(
    ("code", "category"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.LimitReached),
        (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidInput),
        (grpc.StatusCode.FAILED_PRECONDITION, errors.NotNow),
        (grpc.StatusCode.PERMISSION_DENIED, errors.NotAllowed),
        (grpc.StatusCode.INTERNAL, errors.Internal),
    ],
)
def test_unknown_reason_degrades_to_the_codes_category(
    code: grpc.StatusCode, category: type[errors.FederationError]
) -> None:
    """A newer peer's reason must still tell an older one whether to retry."""
    info = error_details_pb2.ErrorInfo(
        reason="FROM_THE_FUTURE", domain=DOMAIN, metadata={"a": "b"}
    )

    came = translate(on_the_wire(code, status_with(info)))

    assert type(came) is category
    assert came.metadata == {"a": "b"}


@pytest.mark.parametrize(
    ("code", "category"),
    [
        (grpc.StatusCode.UNAVAILABLE, errors.Unavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, errors.DeadlineExceeded),
        (grpc.StatusCode.UNAUTHENTICATED, errors.NotIdentified),
        (grpc.StatusCode.UNKNOWN, errors.Internal),
    ],
)
def test_transports_own_failure_is_not_the_peers_word(
    code: grpc.StatusCode, category: type[errors.FederationError]
) -> None:
    """Only what the peer itself said may be refunded."""
    error = on_the_wire(code, None)

    assert type(translate(error)) is category
    assert not answered_by_peer(error)


def test_foreign_error_info_is_not_the_peers_word() -> None:
    """A proxy on the way has reasons too; its domain tells them apart."""
    info = error_details_pb2.ErrorInfo(reason="QUEUE_FULL", domain="example.org")
    error = on_the_wire(grpc.StatusCode.UNAVAILABLE, status_with(info))

    assert not answered_by_peer(error)
    assert type(translate(error)) is errors.Unavailable


@given(details=st.binary(max_size=64))
def test_any_bytes_as_details_give_a_typed_error(details: bytes) -> None:
    """A peer's garbage must not become another kind of failure here."""
    came = translate(on_the_wire(grpc.StatusCode.UNAVAILABLE, details))

    assert isinstance(came, errors.FederationError)


def test_garbage_inside_the_details_is_no_details() -> None:
    """The outer message may be whole and the inner one not."""
    torn = any_pb2.Any(
        type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff"
    )
    details = status_pb2.Status(details=[torn]).SerializeToString()
    error = on_the_wire(grpc.StatusCode.UNAVAILABLE, bytes(details))

    assert type(translate(error)) is errors.Unavailable
    assert not answered_by_peer(error)


def test_message_is_the_code_where_there_is_none() -> None:
    """A silent failure still gets a line for people."""
    error = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata())

    assert translate(error).message == "UNAVAILABLE"
