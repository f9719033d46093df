"""What a round costs the federation's account, and what becomes of its hold.

Decides both from the round alone. Refuses to know balances and stores. A hold is named
after its round and its price: a coordinator that died between holding and storing the
roster may see another roster afterwards, which costs something else and gets a hold of
its own; the first one is released when the round has gone on or ended.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.rounds.terms import Terms, noise_terms
from federated_router.budget.accounts import AccountName
from federated_router.budget.reservation import RequestId
from federated_router.federation.noise_terms import NoiseTerms
from federated_router.kit.names import resource_id, resource_name
from federated_router.privacy.measure import Measure, step_units
from federated_router.privacy.round_step import round_step
from federated_router.privacy.step import NoisedSumStep
from federated_router.privacy.step_text import step_text

_DIGEST_LETTERS: Final = 16
_BEFORE_ROSTER: Final = frozenset({State.JOINING, State.REVEALING})


@dataclass(frozen=True, slots=True)
class RoundPrice:
    """The step that a round is, its stored event, and its cost in whole units."""

    step: NoisedSumStep
    event: str
    units: int


class HoldFate(StrEnum):
    """What becomes of a hold that was found."""

    KEEP = "keep"
    CHARGE = "charge"
    RELEASE = "release"
    LEAVE = "leave"


def price_of(round_: Round, measure: Measure) -> RoundPrice:
    """Return the price of a round whose roster stands."""
    return _price(round_.noise, round_.terms, measure)


def least_price(terms: Terms, measure: Measure) -> RoundPrice:
    """Return the price of the smallest roster that these terms allow."""
    least = terms.members_min
    noise = noise_terms(terms, joined=least, holders=least)
    return _price(noise, terms, measure)


def hold_id(name: RoundName, price: RoundPrice) -> RequestId:
    """Return under what the ledger knows the hold: the round's id and its price."""
    digest = body_digest(name, price).hex()[:_DIGEST_LETTERS]
    return RequestId(f"{resource_id(name, 'rounds')}.{digest}")


def body_digest(name: RoundName, price: RoundPrice) -> bytes:
    """Return the digest that tells a repeated hold from another one."""
    return hashlib.sha256(f"{name}\n{price.event}\n{price.units}".encode()).digest()


def reservation_name(account: AccountName, hold: RequestId) -> str:
    """Return `accounts/A/reservations/R`."""
    return f"{account}/reservations/{hold}"


def held_by(reservation: str) -> RequestId:
    """Return the hold that a reservation's name means."""
    return RequestId(reservation.rpartition("/")[2])


def round_of(hold: RequestId) -> RoundName:
    """Return the round that a hold was made for."""
    return RoundName(resource_name("rounds", hold.rpartition(".")[0]))


def fate_of(hold: RequestId, round_: Round | None) -> HoldFate:
    """Return what becomes of a live hold, given its round; None for an unknown one.

    Of a round that nobody knows any more nobody can prove that it was not opened: its
    hold stays until its lease is over and is charged in full then.
    """
    if round_ is None:
        return HoldFate.LEAVE
    own = round_.reservation != "" and held_by(round_.reservation) == hold
    if own and may_have_opened(round_):
        return HoldFate.CHARGE
    if round_.ended or (not own and round_.state not in _BEFORE_ROSTER):
        return HoldFate.RELEASE
    return HoldFate.KEEP


def may_have_opened(round_: Round) -> bool:
    """Return whether members may have been asked to open the sum."""
    return any(entry.state is State.OPENING for entry in round_.history)


def _price(noise: NoiseTerms, terms: Terms, measure: Measure) -> RoundPrice:
    step = round_step(
        share_sigma=noise.share_sigma,
        shares_min=noise.honest_min,
        sensitivity_squared=noise.sensitivity_squared,
        length=terms.catalogue.statistic_slots,
    )
    return RoundPrice(step, step_text(step), step_units(step, measure))
