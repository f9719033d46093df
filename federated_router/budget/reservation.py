"""A reservation: what a request may cost at most, held until the truth is known.

A *step* is one run of a mechanism: one sampled token, or one published statistic.

Decides which states follow which, and which repetition is the same request. Refuses
to know balances (`accounts`) and how a charge is computed (`privacy`).

    bound(m)        commit(n)    ┌───────────┐
     ┌────┐      ┌─────────────► │ COMMITTED │  n steps charged, the rest freed
     │    ▼      │               └───────────┘
    ───────► RESERVED ─ release(cause) ► RELEASED   nothing charged
    reserve      │               ┌───────────┐
                 └─────────────► │  EXPIRED  │  every step up to the bound charged
                   expire        └───────────┘

`steps_max` steps are held, of which at most `steps_bound` can have been taken so far:
whoever takes steps may take no more until the bound was moved, durably. So a hold
whose owner vanished expires with its bound as spent, since nobody can prove that less
was sampled (privacy.md 2.6); where nothing moves the bound it is `steps_max` at once.
The owner is the fence: only the router process that reserved may commit, release, bound
or extend. A commit that comes after the lease, but before anybody expired the hold,
still tells the truth and counts.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NewType

from federated_router.budget.accounts import AccountName
from federated_router.kit.errors import FieldInvalid, NotNow, RequestIdReused

RequestId = NewType("RequestId", str)
"""Chosen by the caller, and made unique per caller by whoever calls the ledger."""


class ReservationState(StrEnum):
    """Where a reservation stands; all but RESERVED are final."""

    RESERVED = "reserved"
    COMMITTED = "committed"
    RELEASED = "released"
    EXPIRED = "expired"


class ReleaseCause(StrEnum):
    """Why nothing was sampled, from causes that cannot depend on a record.

    A cause that a record's content could bring about is not in this list on purpose:
    to refund it would tell something about the record that no charge pays for.
    """

    NO_NODE_AVAILABLE = "no_node_available"
    QUEUE_FULL = "queue_full"
    CALLER_NOT_ALLOWED = "caller_not_allowed"
    CALLER_CANCELLED = "caller_cancelled"
    DEADLINE_BEFORE_START = "deadline_before_start"
    NODE_NEVER_STARTED = "node_never_started"
    ROUTER_DRAINING = "router_draining"
    ROUND_NOT_OPENED = "round_not_opened"


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that holds a reservation.

    `instance` outlives a restart of a router, `boot` does not: after a restart the
    holds of the same instance with another boot belong to nobody. A coordinator takes
    its rounds up again, so its boot is always the same.
    """

    instance: str
    boot: str


@dataclass(frozen=True, slots=True)
class Charge:
    """What every step costs one account, in the units of its measure."""

    account: AccountName
    units_per_step: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """A request's hold on one or more accounts, sorted by account name.

    `body_digest` is SHA-256 of the request without its id. `event` is the mechanism of
    a step and its public parameters as JSON: the cost can be derived from it again.
    """

    request_id: RequestId
    body_digest: bytes
    owner: Owner
    charges: tuple[Charge, ...]
    steps_max: int
    steps_bound: int
    event: str
    reserved_time_s: float
    lease_expires_s: float
    state: ReservationState = ReservationState.RESERVED
    steps_charged: int = 0
    cause: ReleaseCause | None = None
    settled_time_s: float | None = None

    def held_units(self, charge: Charge) -> int:
        """Return what `charge` holds on its account; 0 once settled."""
        if self.state is ReservationState.RESERVED:
            return charge.units_per_step * self.steps_max
        return 0

    def charged_units(self, charge: Charge) -> int:
        """Return what `charge` has cost its account; 0 while held."""
        return charge.units_per_step * self.steps_charged


def replay(reservation: Reservation, *, body_digest: bytes) -> Reservation:
    """Return the reservation that a repeated request already has, whatever its state.

    Raises RequestIdReused where the body is another one.
    """
    if reservation.body_digest != body_digest:
        raise RequestIdReused(
            "This request id was used with another body. Choose a new id.",
            metadata={"request_id": reservation.request_id},
        )
    return reservation


def commit(
    reservation: Reservation, *, owner: Owner, steps: int, now_s: float
) -> Reservation:
    """Charge the `steps` that were taken; the same number twice is one commit.

    Nothing sampled is a release, which asks for its cause. Raises NotNow for another
    owner, a settled reservation, or another number than the one committed.
    """
    state = reservation.state
    if state is ReservationState.COMMITTED and steps == reservation.steps_charged:
        return reservation
    _check_held(reservation, owner, "committed")
    if not 1 <= steps <= reservation.steps_bound:
        raise FieldInvalid(
            f"A commit charges 1 to {reservation.steps_bound} steps, as many as were "
            "allowed so far. Release the reservation if none was taken.",
            field="steps",
        )
    return replace(
        reservation,
        state=ReservationState.COMMITTED,
        steps_charged=steps,
        settled_time_s=now_s,
    )


def bound(reservation: Reservation, *, owner: Owner, steps: int) -> Reservation:
    """Allow up to `steps` steps in all; a lower bound than there is changes nothing.

    Raises NotNow for another owner or a settled reservation, FieldInvalid for more
    steps than are held.
    """
    _check_held(reservation, owner, "bounded")
    if not 1 <= steps <= reservation.steps_max:
        raise FieldInvalid(
            f"A bound is 1 to {reservation.steps_max} steps, as reserved.",
            field="steps",
        )
    return replace(reservation, steps_bound=max(steps, reservation.steps_bound))


def release(
    reservation: Reservation, *, owner: Owner, cause: ReleaseCause, now_s: float
) -> Reservation:
    """Free everything, because nothing was sampled; twice is one release.

    Raises NotNow for another owner or a reservation that was charged.
    """
    if reservation.state is ReservationState.RELEASED:
        return reservation
    _check_held(reservation, owner, "released")
    return replace(
        reservation,
        state=ReservationState.RELEASED,
        cause=cause,
        settled_time_s=now_s,
    )


def extend(reservation: Reservation, *, owner: Owner, expires_s: float) -> Reservation:
    """Move the end of the lease forward to `expires_s`; it never moves back.

    Raises NotNow for another owner or a settled reservation.
    """
    _check_held(reservation, owner, "extended")
    latest_s = max(expires_s, reservation.lease_expires_s)
    return replace(reservation, lease_expires_s=latest_s)


def expire(reservation: Reservation, *, now_s: float) -> Reservation:
    """Charge every step that can have been taken; raise NotNow once settled."""
    if reservation.state is not ReservationState.RESERVED:
        raise _wrong_state(reservation, "expired")
    return replace(
        reservation,
        state=ReservationState.EXPIRED,
        steps_charged=reservation.steps_bound,
        settled_time_s=now_s,
    )


def _check_held(reservation: Reservation, owner: Owner, verb: str) -> None:
    if reservation.state is not ReservationState.RESERVED:
        raise _wrong_state(reservation, verb)
    if reservation.owner != owner:
        raise NotNow(
            f"Only the process that reserved may have this {verb}; another "
            "one holds it.",
            metadata={
                "request_id": reservation.request_id,
                "owner": reservation.owner.instance,
            },
        )


def _wrong_state(reservation: Reservation, verb: str) -> NotNow:
    return NotNow(
        f"The reservation is {reservation.state.value} and cannot be {verb}; a "
        "settled charge is final.",
        metadata={
            "request_id": reservation.request_id,
            "state": reservation.state.value,
        },
    )
