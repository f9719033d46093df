"""Calls any method of any contract as anybody, and tells the one reason that came."""

from dataclasses import dataclass

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from federated_router.api.v1 import (
    aggregation_pb2,
    audit_pb2,
    budget_pb2,
    decoding_pb2,
    engine_pb2,
    inference_pb2,
    load_pb2,
    members_pb2,
    ops_pb2,
    priors_pb2,
    registry_pb2,
    release_pb2,
    routing_pb2,
    shards_pb2,
    synthesis_pb2,
)
from federated_router.kit.grpc_client import MESSAGE_BYTES_MAX
from federated_router.kit.grpc_errors import answered_by_peer, translate

SERVICES = {
    service.name: service
    for file in (
        aggregation_pb2,
        audit_pb2,
        budget_pb2,
        decoding_pb2,
        engine_pb2,
        inference_pb2,
        load_pb2,
        members_pb2,
        ops_pb2,
        priors_pb2,
        registry_pb2,
        release_pb2,
        routing_pb2,
        shards_pb2,
        synthesis_pb2,
    )
    for service in file.DESCRIPTOR.services_by_name.values()
}
TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Answer:
    """How a call ended: its code, and the reason if the peer gave one."""

    code: grpc.StatusCode
    reason: str = ""


def method(service: str, name: str) -> MethodDescriptor:
    """Return a method of a contract."""
    return SERVICES[service].methods_by_name[name]


async def call(
    channel: grpc.aio.Channel,
    called: MethodDescriptor,
    request: Message | None = None,
) -> Answer:
    """Call once, with an empty request by default; read at most one response."""
    try:
        await _first_response(channel, called, request)
    except grpc.aio.AioRpcError as error:
        reason = translate(error).reason if answered_by_peer(error) else ""
        return Answer(error.code(), reason)
    return Answer(grpc.StatusCode.OK)


async def _first_response(
    channel: grpc.aio.Channel, called: MethodDescriptor, request: Message | None
) -> None:
    empty = message_factory.GetMessageClass(called.input_type)()
    sent = empty if request is None else request
    invoke = getattr(channel, _kind(called))(
        f"/{called.containing_service.full_name}/{called.name}",
        request_serializer=type(sent).SerializeToString,
        response_deserializer=message_factory.GetMessageClass(
            called.output_type
        ).FromString,
    )
    running = invoke(
        iter([sent]) if called.client_streaming else sent, timeout=TIMEOUT_S
    )
    try:
        if called.server_streaming:
            await running.read()
        else:
            await running
    finally:
        running.cancel()


def _kind(called: MethodDescriptor) -> str:
    sends = "stream" if called.client_streaming else "unary"
    answers = "stream" if called.server_streaming else "unary"
    return f"{sends}_{answers}"


def unchecked_channel(
    address: str, credentials: grpc.ChannelCredentials | None, *, server_name: str
) -> grpc.aio.Channel:
    """Return a channel with any credentials, or none, that tries only once."""
    options = [
        ("grpc.ssl_target_name_override", server_name),
        ("grpc.enable_retries", 0),
        ("grpc.max_send_message_length", 4 * MESSAGE_BYTES_MAX),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options[1:])
    return grpc.aio.secure_channel(address, credentials, options=options)
