"""The one interceptor: identity, certificate, role, required fields, errors, one line.

One instead of several because each costs 20 microseconds a call. Wrapped handlers are
made once per method, and so is everything else that does not change between calls.
"""

import asyncio
import inspect
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from federated_router.kit.call import Call, Method
from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FederationError,
    Internal,
    MemberRevoked,
    NotIdentified,
    RoleNotAllowed,
)
from federated_router.kit.grpc_errors import DETAILS_KEY, code_of, details_of
from federated_router.kit.identity import (
    Identity,
    Role,
    identity_of,
    set_current_identity,
)
from federated_router.kit.metrics import FAILED_AUTHENTICATIONS
from federated_router.kit.peers import (
    Caller,
    CallGate,
    Heard,
    PeerCertificate,
    Peers,
    peer_certificate,
)
from federated_router.kit.tracing import set_current_trace
from federated_router.kit.validation import check_required

IDENTITIES_MAX = 4096
"""How many certificates' names are remembered with the identity in them."""

_NAMES_KEY = "x509_subject_alternative_name"
_CERTIFICATE_KEY = "x509_pem_cert"

# What gRPC hands to handlers is untyped; the untyped stays inside this module.
_Handler = Callable[[object, grpc.aio.ServicerContext], Any]


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """Who may call a method, how long it may take, whether draining refuses it.

    A `routine` method comes all the time, and its success is worth no line of the log.
    """

    callers: frozenset[Role]
    timeout_s: float | None
    drainable: bool
    routine: bool = False


class CallInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc] # grpc is untyped.
    """Guards and observes every call of a server.

    Methods without a policy (health, reflection) are open to every identified peer.
    """

    def __init__(
        self,
        *,
        policies: Mapping[str, MethodPolicy],
        trust_domain: str,
        is_draining: Callable[[], bool],
        peers: Peers,
        gate: CallGate | None = None,
    ) -> None:
        self._policies = policies
        self._trust_domain = trust_domain
        self._is_draining = is_draining
        self._peers = peers
        self._gate = gate
        self._wrapped: dict[str, grpc.RpcMethodHandler] = {}

    async def intercept_service(
        self,
        continuation: Callable[
            [grpc.HandlerCallDetails], Awaitable[grpc.RpcMethodHandler | None]
        ],
        details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler | None:
        """Return the method's handler, guarded."""
        method = details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(details)
            if handler is None:
                return None
            wrapped = self._wrap(method, handler)
            self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, name: str, handler: grpc.RpcMethodHandler) -> grpc.RpcMethodHandler:
        policy = self._policies.get(name)
        method = Method.of(name, routine=policy is not None and policy.routine)
        codecs = {
            "request_deserializer": handler.request_deserializer,
            "response_serializer": handler.response_serializer,
        }
        if handler.unary_unary:
            call = self._unary(method, handler.unary_unary, checked=True)
            return grpc.unary_unary_rpc_method_handler(call, **codecs)
        if handler.stream_unary:
            call = self._unary(method, handler.stream_unary, checked=False)
            return grpc.stream_unary_rpc_method_handler(call, **codecs)
        if handler.unary_stream:
            call = self._streaming(method, handler.unary_stream, checked=True)
            return grpc.unary_stream_rpc_method_handler(call, **codecs)
        call = self._streaming(method, handler.stream_stream, checked=False)
        return grpc.stream_stream_rpc_method_handler(call, **codecs)

    def _streaming(
        self, method: Method, handler: _Handler, *, checked: bool
    ) -> _Handler:
        """Guard a generator, or a coroutine that writes for itself (health's Watch)."""
        if inspect.isasyncgenfunction(handler):
            return self._stream(method, handler, checked=checked)
        return self._unary(method, handler, checked=checked)

    def _unary(self, method: Method, handler: _Handler, *, checked: bool) -> _Handler:
        policy = self._policies.get(method.name)
        timeout_s = policy.timeout_s if policy else None

        async def call(request: object, context: grpc.aio.ServicerContext) -> object:
            known = Call.begin(method, context)
            try:
                caller = self._admit(known, context)
                with (
                    self._peers.running(caller.certificate),
                    Heard(self._gate, caller),
                ):
                    if checked:
                        check_required(cast("Message", request))
                    if timeout_s is None:
                        response = await handler(request, context)
                    else:
                        async with asyncio.timeout(timeout_s):
                            response = await handler(request, context)
            except BaseException as error:
                await _fail(known, error, context)
                raise
            known.finish("OK", None)
            return response

        return call

    def _stream(self, method: Method, handler: _Handler, *, checked: bool) -> _Handler:
        async def call(
            request: object, context: grpc.aio.ServicerContext
        ) -> AsyncIterator[object]:
            known = Call.begin(method, context)
            try:
                caller = self._admit(known, context)
                with (
                    self._peers.running(caller.certificate),
                    Heard(self._gate, caller),
                ):
                    if checked:
                        check_required(cast("Message", request))
                    async with aclosing(handler(request, context)) as responses:
                        async for response in responses:
                            yield response
            except GeneratorExit:
                known.finish("CANCELLED", None)
                raise
            except BaseException as error:  # noqa: BLE001 - translated, or raised again.
                await _fail(known, error, context)
            else:
                known.finish("OK", None)

        return call

    def _admit(self, known: Call, context: grpc.aio.ServicerContext) -> Caller:
        shown = context.auth_context()
        identity = _identity_in(tuple(shown.get(_NAMES_KEY, ())))
        certificate = _certificate_in(shown)
        if identity.trust_domain != self._trust_domain:
            raise NotIdentified("The certificate is of another trust domain.")
        known.identity = identity
        set_current_identity(identity)
        set_current_trace(known.trace)
        self._peers.admit(certificate)
        caller = Caller(identity, certificate, known.method.name)
        policy = self._policies.get(known.method.name)
        if policy is None:
            return caller
        if identity.role not in policy.callers:
            allowed = ", ".join(sorted(policy.callers))
            raise RoleNotAllowed(
                f"A {identity.role.value} may not call this; it takes: {allowed}.",
                metadata={"role": identity.role.value, "allowed": allowed},
            )
        if policy.drainable and self._is_draining():
            raise Draining("This daemon is draining; go to another.", retry_after_s=1.0)
        if self._gate is not None:
            self._gate.admit(caller)
        return caller


def _certificate_in(shown: Mapping[str, Sequence[bytes]]) -> PeerCertificate:
    pems = shown.get(_CERTIFICATE_KEY, ())
    if len(pems) != 1:
        raise NotIdentified("Present a certificate of this federation.")
    return peer_certificate(pems[0])


@lru_cache(maxsize=IDENTITIES_MAX)
def _identity_in(names: tuple[bytes, ...]) -> Identity:
    return identity_of(name.decode("ascii", "replace") for name in names)


async def _fail(
    known: Call, error: BaseException, context: grpc.aio.ServicerContext
) -> None:
    """End the call with the error's status, or let cancellation pass."""
    if isinstance(error, asyncio.CancelledError):
        known.finish("CANCELLED", None)
        raise error
    if isinstance(error, grpc.aio.AbortError):
        # A handler of gRPC's own (health) has ended the call itself.
        known.finish(context.code().name, None)
        raise error
    if isinstance(error, TimeoutError):
        error = DeadlineExceeded("The call took longer than this daemon allows.")
    if not isinstance(error, FederationError):
        if not isinstance(error, Exception):
            raise error
        known.method.log.error("call failed inside", exc_info=error)
        error = Internal("Something failed inside; the daemon's log says more.")
    if isinstance(error, NotIdentified | RoleNotAllowed | MemberRevoked):
        FAILED_AUTHENTICATIONS.labels(known.method.name).inc()
    code = code_of(error)
    known.finish(code.name, error.reason)
    await context.abort(
        code, error.message, trailing_metadata=((DETAILS_KEY, details_of(error)),)
    )
