"""The one interceptor: identity, role, required fields, errors, metrics, one log line.

One instead of several because each costs 20 microseconds a call. Wrapped handlers are
made once per method.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from google.protobuf.message import Message

from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FederationError,
    Internal,
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
from federated_router.kit.log import get_logger
from federated_router.kit.metrics import CALL_DURATION, CALLS, FAILED_AUTHENTICATIONS
from federated_router.kit.tracing import KEY as TRACE_KEY
from federated_router.kit.tracing import Trace, continued, set_current_trace
from federated_router.kit.validation import check_required

log = get_logger("call")

# What gRPC hands to handlers is untyped; the untyped stays inside this module.
_Handler = Callable[[object, grpc.aio.ServicerContext], Any]


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """Who may call a method, how long it may take, whether draining refuses it."""

    callers: frozenset[Role]
    timeout_s: float | None
    drainable: bool


@dataclass(slots=True)
class _Call:
    """What is known of a call while it runs."""

    method: str
    trace: Trace
    identity: Identity | None = None
    begin_s: float = field(default_factory=time.perf_counter)


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
    ) -> None:
        self._policies = policies
        self._trust_domain = trust_domain
        self._is_draining = is_draining
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

    def _wrap(
        self, method: str, handler: grpc.RpcMethodHandler
    ) -> grpc.RpcMethodHandler:
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
            call = self._stream(method, handler.unary_stream, checked=True)
            return grpc.unary_stream_rpc_method_handler(call, **codecs)
        call = self._stream(method, handler.stream_stream, checked=False)
        return grpc.stream_stream_rpc_method_handler(call, **codecs)

    def _unary(self, method: str, handler: _Handler, *, checked: bool) -> _Handler:
        policy = self._policies.get(method)
        timeout_s = policy.timeout_s if policy else None

        async def call(request: object, context: grpc.aio.ServicerContext) -> object:
            known = _begin(method, context)
            try:
                self._admit(known, policy, context)
                if checked:
                    check_required(cast("Message", request))
                async with asyncio.timeout(timeout_s):
                    response = await handler(request, context)
            except BaseException as error:
                await _fail(known, error, context)
                raise
            _finish(known, "OK", None)
            return response

        return call

    def _stream(self, method: str, handler: _Handler, *, checked: bool) -> _Handler:
        policy = self._policies.get(method)

        async def call(
            request: object, context: grpc.aio.ServicerContext
        ) -> AsyncIterator[object]:
            known = _begin(method, context)
            try:
                self._admit(known, policy, context)
                if checked:
                    check_required(cast("Message", request))
                async with aclosing(handler(request, context)) as responses:
                    async for response in responses:
                        yield response
            except GeneratorExit:
                _finish(known, "CANCELLED", None)
                raise
            except BaseException as error:  # noqa: BLE001 - translated, or raised again.
                await _fail(known, error, context)
            else:
                _finish(known, "OK", None)

        return call

    def _admit(
        self,
        known: _Call,
        policy: MethodPolicy | None,
        context: grpc.aio.ServicerContext,
    ) -> None:
        identity = _identify(context)
        if identity.trust_domain != self._trust_domain:
            raise NotIdentified("The certificate is of another trust domain.")
        known.identity = identity
        set_current_identity(identity)
        set_current_trace(known.trace)
        if policy is None:
            return
        if identity.role not in policy.callers:
            allowed = ", ".join(sorted(policy.callers))
            raise RoleNotAllowed(
                f"A {identity.role.value} may not call this; it takes: {allowed}.",
                metadata={"role": identity.role.value, "allowed": allowed},
            )
        if policy.drainable and self._is_draining():
            raise Draining("This daemon is draining; go to another.", retry_after_s=1.0)


def _identify(context: grpc.aio.ServicerContext) -> Identity:
    names = context.auth_context().get("x509_subject_alternative_name", ())
    return identity_of(name.decode("ascii", "replace") for name in names)


def _begin(method: str, context: grpc.aio.ServicerContext) -> _Call:
    metadata = context.invocation_metadata() or ()
    header = next((value for key, value in metadata if key == TRACE_KEY), None)
    return _Call(method=method, trace=continued(header))


async def _fail(
    known: _Call, error: BaseException, context: grpc.aio.ServicerContext
) -> None:
    """End the call with the error's status, or let cancellation pass."""
    if isinstance(error, asyncio.CancelledError):
        _finish(known, "CANCELLED", None)
        raise error
    if isinstance(error, TimeoutError):
        error = DeadlineExceeded("The call took longer than this daemon allows.")
    if not isinstance(error, FederationError):
        if not isinstance(error, Exception):
            raise error
        log.error("call failed inside", method=known.method, exc_info=error)
        error = Internal("Something failed inside; the daemon's log says more.")
    if isinstance(error, NotIdentified | RoleNotAllowed):
        FAILED_AUTHENTICATIONS.labels(known.method).inc()
    code = code_of(error)
    _finish(known, code.name, error.reason)
    await context.abort(
        code, error.message, trailing_metadata=((DETAILS_KEY, details_of(error)),)
    )


def _finish(known: _Call, code: str, reason: str | None) -> None:
    duration_s = time.perf_counter() - known.begin_s
    CALLS.labels(known.method, code).inc()
    CALL_DURATION.labels(known.method).observe(duration_s)
    log.info(
        "call",
        method=known.method,
        peer=known.identity.member if known.identity else "unknown",
        code=code,
        reason=reason,
        duration_ms=round(duration_s * 1000, 3),
        trace_id=known.trace.trace_id,
    )
