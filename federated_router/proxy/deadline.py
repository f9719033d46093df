"""A request's time: what the caller allows, within what the router allows."""

import time
from dataclasses import dataclass

import grpc

from federated_router.kit.errors import DeadlineExceeded
from federated_router.proxy.settings import ProxySettings


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point in monotonic time."""

    end_s: float

    def remaining_s(self) -> float:
        """Return the seconds left; raise DeadlineExceeded at none."""
        left_s = self.end_s - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded("The request took longer than its caller allows.")
        return left_s


def deadline_of(context: grpc.aio.ServicerContext, settings: ProxySettings) -> Deadline:
    """Return the call's deadline; a caller without one gets the default."""
    asked_s = context.time_remaining()
    allowed_s = settings.request_timeout_s if asked_s is None else asked_s
    return Deadline(time.monotonic() + min(allowed_s, settings.request_timeout_max_s))
