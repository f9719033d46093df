"""Between the error tree and the wire: the only place that knows gRPC codes.

An error on the wire is a status with exactly one ErrorInfo (google.rpc), and a
RetryInfo where waiting helps.
"""

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError

from federated_router.kit import errors

DOMAIN = "federated-router"
DETAILS_KEY = "grpc-status-details-bin"

CODES: dict[type[errors.FederationError], StatusCode] = {
    errors.InvalidInput: StatusCode.INVALID_ARGUMENT,
    errors.NotFound: StatusCode.NOT_FOUND,
    errors.Conflict: StatusCode.ALREADY_EXISTS,
    errors.NotIdentified: StatusCode.UNAUTHENTICATED,
    errors.NotAllowed: StatusCode.PERMISSION_DENIED,
    errors.NotNow: StatusCode.FAILED_PRECONDITION,
    errors.LimitReached: StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: StatusCode.DEADLINE_EXCEEDED,
    errors.Internal: StatusCode.INTERNAL,
    errors.FederationError: StatusCode.INTERNAL,
}

# The class that comes back for a reason: the deepest one that states it.
_BY_REASON = {
    cls.reason: cls
    for cls in sorted(errors.all_error_classes(), key=lambda cls: len(cls.__mro__))
    if "reason" in cls.__dict__
}
# The category that a code without a known reason means.
_BY_CODE: dict[StatusCode, type[errors.FederationError]] = {
    StatusCode.INVALID_ARGUMENT: errors.InvalidInput,
    StatusCode.UNAVAILABLE: errors.Unavailable,
    StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    StatusCode.RESOURCE_EXHAUSTED: errors.LimitReached,
    StatusCode.UNAUTHENTICATED: errors.NotIdentified,
    StatusCode.PERMISSION_DENIED: errors.NotAllowed,
    StatusCode.NOT_FOUND: errors.NotFound,
    StatusCode.FAILED_PRECONDITION: errors.NotNow,
    StatusCode.ALREADY_EXISTS: errors.Conflict,
}


def code_of(error: errors.FederationError) -> StatusCode:
    """Return the gRPC code of an error's nearest category."""
    return next(CODES[cls] for cls in type(error).__mro__ if cls in CODES)


def details_of(error: errors.FederationError) -> bytes:
    """Return the serialised google.rpc.Status that travels with the error."""
    info = error_details_pb2.ErrorInfo(
        reason=error.reason, domain=DOMAIN, metadata=error.metadata
    )
    packed = [_packed(info)]
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        packed.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    code = code_of(error).value[0]
    status = status_pb2.Status(code=code, message=error.message, details=packed)
    return bytes(status.SerializeToString())


def _packed(message: error_details_pb2.ErrorInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def translate(error: AioRpcError) -> errors.FederationError:
    """Return the typed error that a failed call means.

    `answered_by_peer` tells whether the peer itself said so: only then does it carry
    an ErrorInfo of this federation.
    """
    info, retry_after_s = _parse(error)
    message = error.details() or error.code().name
    category = _BY_CODE.get(error.code(), errors.Internal)
    if info is None:
        return _made(category, message, {}, None)
    cls = _BY_REASON.get(info.reason, category)
    return _made(cls, message, dict(info.metadata), retry_after_s)


def answered_by_peer(error: AioRpcError) -> bool:
    """Return whether the peer's own code refused, as opposed to the transport."""
    return _parse(error)[0] is not None


def _made(
    cls: type[errors.FederationError],
    message: str,
    metadata: dict[str, str],
    retry_after_s: float | None,
) -> errors.FederationError:
    error = cls.__new__(cls)
    errors.FederationError.__init__(
        error, message, metadata=metadata, retry_after_s=retry_after_s
    )
    return error


def _parse(
    error: AioRpcError,
) -> tuple[error_details_pb2.ErrorInfo | None, float | None]:
    raw = next(
        (value for key, value in error.trailing_metadata() or () if key == DETAILS_KEY),
        None,
    )
    if raw is None:
        return None, None
    content = raw if isinstance(raw, bytes) else raw.encode()
    try:
        return _details(status_pb2.Status.FromString(content))
    except DecodeError:
        return None, None


def _details(
    status: status_pb2.Status,
) -> tuple[error_details_pb2.ErrorInfo | None, float | None]:
    info: error_details_pb2.ErrorInfo | None = None
    retry_after_s: float | None = None
    for detail in status.details:
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            found = error_details_pb2.ErrorInfo()
            detail.Unpack(found)
            info = found if found.domain == DOMAIN else info
        elif detail.Is(error_details_pb2.RetryInfo.DESCRIPTOR):
            retry = error_details_pb2.RetryInfo()
            detail.Unpack(retry)
            retry_after_s = retry.retry_delay.ToNanoseconds() / 1e9
    return info, retry_after_s
