"""What an ending that is no answer means to a node's statistics.

Decides whose doing it was: the caller's, the clock's or the node's. Refuses to know how
requests run.
"""

from typing import Final

import grpc

from federated_router.federation.records import FailureCause
from federated_router.kit.errors import (
    DeadlineExceeded,
    Draining,
    FederationError,
    LimitReached,
    Unavailable,
)
from node.statistics.timing import RequestTiming

DEADLINE_SLACK_S: Final = 0.05
DEADLINE_SLACK_SHARE: Final = 0.02


def end_cancelled(
    timing: RequestTiming, context: grpc.aio.ServicerContext, allowed_s: float | None
) -> None:
    """Count a missed deadline as a failure, and a caller's farewell not at all.

    The caller's clock runs out first: its cancellation comes while a little is left
    here, more so because gRPC rounds a deadline up by as much as a hundredth.
    """
    remaining_s = context.time_remaining()
    if allowed_s is None or remaining_s is None:
        timing.cancel()
    elif remaining_s <= DEADLINE_SLACK_S + DEADLINE_SLACK_SHARE * allowed_s:
        timing.fail(FailureCause.DEADLINE)
    else:
        timing.cancel()


def end_failed(timing: RequestTiming, error: FederationError) -> None:
    """Count overload and inner failures; a caller's mistake is not the node's."""
    if isinstance(error, LimitReached):
        timing.fail(FailureCause.OVERLOAD)
    elif isinstance(error, DeadlineExceeded):
        timing.fail(FailureCause.DEADLINE)
    elif isinstance(error, Draining):
        timing.cancel()
    elif isinstance(error, Unavailable) or error.reason == "INTERNAL":
        timing.fail(FailureCause.ENGINE)
    else:
        timing.refuse()
