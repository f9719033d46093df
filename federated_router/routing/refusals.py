"""Why a request is refused: what would have to change, in one error. Pure."""

from federated_router.kit.errors import (
    FederationError,
    NoNodeAvailable,
    NoTrustedNode,
    PrivateNotOffered,
    PromptTooLong,
    QueueFull,
    WishesUnmet,
)
from federated_router.routing.candidate import RouteQuery
from federated_router.routing.filters import (
    CONTEXT_FITS,
    MOMENTARY,
    OFFERS_PRIVATE,
    OPTIONAL_FILTERS,
    QUEUE_BELOW_LIMIT,
    REGION_ALLOWED,
    TRUSTED,
)
from federated_router.routing.profile import Placement

_WAIT_S = 1.0


def refusal_of(placement: Placement, query: RouteQuery) -> FederationError:
    """Return the error for a placement with no open place.

    What waiting changes is told before what it does not, and of the rest, what the
    candidates that came furthest failed by.
    """
    reasons = {one.rejected_by for one in placement.slate.refused}
    reasons |= set(placement.closed.values())
    model = {"model": query.model}
    if QUEUE_BELOW_LIMIT in reasons:
        return QueueFull(
            "Every node that could serve this has as many requests as it may.",
            metadata=model,
            retry_after_s=_WAIT_S,
        )
    if reasons & MOMENTARY:
        return NoNodeAvailable(
            "Every node that could serve this is draining or has just failed.",
            metadata=model,
            retry_after_s=_WAIT_S,
        )
    wish = _unmet_wish(placement)
    if wish:
        return WishesUnmet(
            f"Nothing is expected to meet '{wish}'; ExplainRoute shows what is "
            "expected of each.",
            metadata={"wish": wish, **model},
        )
    return _lasting(reasons, query)


def _unmet_wish(placement: Placement) -> str:
    """Return the wish that ruled out the last node; empty where none did."""
    closed = placement.closed
    return closed[max(closed)] if closed else ""


def _lasting(reasons: set[str], query: RouteQuery) -> FederationError:
    model = {"model": query.model}
    if reasons & set(OPTIONAL_FILTERS):
        return NoNodeAvailable(
            "The strategy in force passes over every node that serves this model.",
            metadata={"filter": min(reasons & set(OPTIONAL_FILTERS)), **model},
        )
    if CONTEXT_FITS.name in reasons:
        return PromptTooLong(
            "The prompt and its answer are longer than any node's context.",
            field="generation.messages",
            metadata={"tokens": str(query.context_tokens), **model},
        )
    if REGION_ALLOWED.name in reasons:
        return NoTrustedNode(
            "No node that is trusted with this stands in the regions allowed.",
            metadata={"filter": REGION_ALLOWED.name, **model},
        )
    if TRUSTED.name in reasons:
        return NoTrustedNode(
            "No node that serves this model is trusted with so personal a request.",
            metadata={"filter": TRUSTED.name, **model},
        )
    if OFFERS_PRIVATE.name in reasons:
        return PrivateNotOffered(
            "No node that serves this model offers private decoding.", metadata=model
        )
    return NoNodeAvailable("No node can take the request now.", retry_after_s=_WAIT_S)
