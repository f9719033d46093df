"""Accounts, requests and prices as rows of tables.

Pure: messages of the contract come in, rows go out. What one account's figures mean in
sentences is in `budget_facts`.
"""

import json
import textwrap
from typing import Final

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_time import local_time
from federated_router.cli.screen import bar

LEGEND: Final = (
    "guarantee: bounds what all answers together tell about any one record.",
    "quota: limits how fast somebody learns, and is NO guarantee about any record.",
)
ACCOUNT_COLUMNS: Final = (
    "account",
    "promise",
    "spent # held = free .",
    "epsilon",
    "of",
    "delta",
    "renews",
    "state",
)
PRICE_COLUMNS: Final = (
    "account",
    "promise",
    "per step",
    "worst case",
    "free",
    "verdict",
)
COMPOSITION_COLUMNS: Final = ("method", "  epsilon", "what the figure is worth")
RESERVATION_COLUMNS: Final = (
    "request",
    "mechanism",
    "state",
    "steps",
    "units",
    "share",
)
_BAR_WIDTH: Final = 21
_WHOLE: Final = 100
_NOTE_WIDTH: Final = 66


def account_name(text: str) -> str:
    """Return the resource name; `accounts/` may be left out."""
    return text if text.startswith("accounts/") else f"accounts/{text}"


def short(number: float) -> str:
    """Return a number in few letters: 6, 0.5, 1e-6."""
    return f"{number:g}".replace("e-0", "e-")


def dataset_name(text: str) -> str:
    """Return the resource name; `datasets/` may be left out."""
    return text if text.startswith("datasets/") else f"datasets/{text}"


def policy_name(text: str) -> str:
    """Return the resource name; `policies/` may be left out."""
    return text if text.startswith("policies/") else f"policies/{text}"


def heading(account: pb.Account) -> str:
    """Return the name, what it belongs to and what its limit promises."""
    return f"{account.name}: {kind(account)}, {promise(account)}"


def account_row(account: pb.Account) -> tuple[object, ...]:
    """Return one account as a row under ACCOUNT_COLUMNS."""
    return (
        account.name,
        promise(account),
        bar(
            account.spent_units,
            account.held_units,
            account.limit_units,
            width=_BAR_WIDTH,
        ),
        account.spent_epsilon,
        account.epsilon,
        short(account.delta),
        renewal_day(account),
        state(account),
    )


def promise(account: pb.Account) -> str:
    """Return `guarantee` or `quota`."""
    return "guarantee" if is_guarantee(account) else "quota"


def is_guarantee(account: pb.Account) -> bool:
    """Return whether the limit bounds what is told about a record."""
    return account.promise == pb.Account.PROMISE_GUARANTEE


def kind(account: pb.Account) -> str:
    """Return what the account belongs to, as people say it."""
    word = pb.Account.Kind.Name(account.kind).removeprefix("KIND_").lower()
    return "data set" if word == "dataset" else word


def state(account: pb.Account) -> str:
    """Return whether requests can be charged, and if not, why not."""
    if account.HasField("close_time"):
        return "closed"
    if account.free_units > 0:
        return "open"
    return "lifetime spent" if lifetime_binds(account) else "nothing free"


def lifetime_binds(account: pb.Account) -> bool:
    """Return whether the lifetime cap leaves less than the window does."""
    spent_or_held = account.spent_units + account.held_units
    return account.free_units < account.limit_units - spent_or_held


def renewal_day(account: pb.Account) -> str:
    """Return the date of the next window in the account's zone, or `-`."""
    if account.HasField("renew_time"):
        return f"{local_time(account.renew_time, account.time_zone):%Y-%m-%d}"
    on_new_data = account.renewal == pb.Account.RENEWAL_ON_NEW_DATA
    return "on new data" if on_new_data else "-"


def reservation_row(one: pb.Reservation, *, of_units: int) -> tuple[object, ...]:
    """Return one request as a row under RESERVATION_COLUMNS."""
    held = one.state == pb.Reservation.STATE_HELD
    units = one.reserved_units if held else one.charged_units
    return (
        one.name.removeprefix("reservations/"),
        mechanism(one.event),
        pb.Reservation.State.Name(one.state).removeprefix("STATE_").lower(),
        one.steps,
        units,
        share(units, of_units),
    )


def composition_rows(one: pb.Composition) -> list[tuple[object, ...]]:
    """Return one theorem's figure as rows under COMPOSITION_COLUMNS.

    A note takes as many rows as it needs.
    """
    epsilon = f"{one.epsilon:.3f}" if one.HasField("epsilon") else "-"
    first, *rest = textwrap.wrap(one.note, _NOTE_WIDTH) or [""]
    return [
        (one.method, epsilon.rjust(len(COMPOSITION_COLUMNS[1])), first),
        *(("", "", line) for line in rest),
    ]


def mechanism(event: str) -> str:
    """Return the mechanism and the policy that an event names, `?` where it is none."""
    try:
        document = json.loads(event)
    except ValueError:
        return "?"
    if not isinstance(document, dict):
        return "?"
    policy = str(document.get("policy", "")).removeprefix("policies/")
    name = str(document.get("mechanism", "?"))
    return f"{name} ({policy})" if policy else name


def price_row(one: pb.AccountPrice) -> tuple[object, ...]:
    """Return one account's price as a row under PRICE_COLUMNS."""
    return (
        one.account,
        promise_of_name(one.account),
        one.step_units,
        one.worst_case_units,
        one.free_units,
        "fits" if fits(one) else "does not fit",
    )


def price_verdict(price: pb.PriceEventResponse, *, as_client: bool) -> str:
    """Return the price in epsilon, whether it would be admitted, what is left out."""
    epsilon = f"At most epsilon {price.worst_case_epsilon:.3f} for this request alone"
    lacking = [one for one in price.accounts if not fits(one)]
    lines = [f"{epsilon}, at the data set's delta."]
    lines += [_shortfall(one) for one in lacking]
    lines.append("It would be refused now." if lacking else "It would be admitted now.")
    if not as_client:
        lines.append("Quotas of whoever asks come on top; --as-client shows them.")
    return "\n".join(lines)


def _shortfall(one: pb.AccountPrice) -> str:
    lacking = f"{one.account} lacks {one.worst_case_units - one.free_units:,} units"
    if one.free_units:
        return f"{lacking}."
    return f"{lacking}; nothing is free, or it is closed."


def fits(one: pb.AccountPrice) -> bool:
    """Return whether the account could cover the worst case now."""
    return one.worst_case_units <= one.free_units


def counted(count: int, noun: str) -> str:
    """Return a number and its noun: 1 request, 2 requests."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` in percent; only nothing is 0 and only all is 100."""
    if whole <= 0 or part <= 0:
        return "0%"
    if part >= whole:
        return "100%"
    percent = round(_WHOLE * part / whole)
    if percent == 0:
        return "<1%"
    return ">99%" if percent == _WHOLE else f"{percent}%"


def promise_of_name(name: str) -> str:
    """Return what an account of this name promises: `guarantee` or `quota`."""
    quota = name.startswith(("accounts/user-", "accounts/department-"))
    return "quota" if quota else "guarantee"
