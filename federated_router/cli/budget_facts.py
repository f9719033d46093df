"""Everything that is to be known of one account, in sentences.

Pure: messages of the contract and the time come in, text goes out.
"""

from datetime import datetime

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_text import (
    is_guarantee,
    kind,
    lifetime_binds,
    share,
    short,
    state,
)
from federated_router.cli.budget_time import local_time, moment, remaining
from federated_router.cli.screen import bar
from federated_router.privacy.measure import Measure, epsilon_of

Facts = list[tuple[str, str]]


def account_facts(account: pb.Account, *, now: datetime) -> Facts:
    """Return labels and what is said of each."""
    facts = [
        *_balance(account),
        ("lifetime", _lifetime(account)),
        ("began", moment(account.window_time, account.time_zone)),
        ("renews", _renewal(account, now=now)),
        ("measure", _measure(account)),
    ]
    if account.HasField("blocks"):
        facts.append(("blocks", block_terms(account.blocks, account.delta)))
    facts.append(("state", _state_in_full(account)))
    facts.append(("meaning", meaning(account)))
    return facts


def meaning(account: pb.Account) -> str:
    """Return in one sentence what the limit promises, or that it promises nothing."""
    limit = f"epsilon {short(account.epsilon)} at delta {short(account.delta)}"
    if not is_guarantee(account):
        whose = "the department" if kind(account) == "department" else "the user"
        return (
            f"A quota, NO guarantee: {whose} may spend at most {limit} in a window, "
            "which bounds nothing about any record."
        )
    if kind(account) == "federation":
        return (
            "A guarantee: all rounds of one window together tell about any one person "
            f"whose requests one member counts at most what {limit} allows"
            f"{_over_windows(account)}."
        )
    of = "this block" if kind(account) == "block" else "this data set"
    return (
        f"A guarantee: whatever is asked of {of}, all answers of one window together "
        f"tell about any one record at most what {limit} allows"
        f"{_within_block(account)}{_over_windows(account)}."
    )


def block_terms(blocks: pb.BlockTerms, delta: float) -> str:
    """Return what makes a block, and what each may spend."""
    schemes = {
        pb.BlockTerms.SCHEME_RECORD: "one per record id",
        pb.BlockTerms.SCHEME_BUCKET: f"record ids hashed into {blocks.bucket_count:,}",
        pb.BlockTerms.SCHEME_BATCH: "one per batch, opened by an operator",
    }
    scheme = schemes.get(blocks.scheme, "of a scheme not known here")
    return f"{scheme}; epsilon {short(blocks.epsilon)} at delta {short(delta)} each"


def _within_block(account: pb.Account) -> str:
    if not account.HasField("blocks"):
        return ""
    return (
        f"; its block's limit of epsilon {short(account.blocks.epsilon)} bounds it too"
    )


def _over_windows(account: pb.Account) -> str:
    """Return what a new window on the same records means; nothing if there is none."""
    if account.renewal == pb.Account.RENEWAL_NONE:
        return ""
    if account.renewal == pb.Account.RENEWAL_ON_NEW_DATA:
        return (
            "; each new batch begins a new window, and over all of them a record is "
            "bounded by its own block's limit"
        )
    again = "; a new window on the same records adds as much again"
    if not account.HasField("lifetime_epsilon"):
        return again
    return f"{again}, up to epsilon {short(account.lifetime_epsilon)} over all windows"


def _balance(account: pb.Account) -> Facts:
    spent, held, free = account.spent_units, account.held_units, account.free_units
    limit = account.limit_units
    drawn = bar(spent, held, limit)
    shares = (
        f"spent {share(spent, limit)}, held {share(held, limit)}, "
        f"free {share(free, limit)}"
    )
    epsilon = (
        f"{account.spent_epsilon:.3f} spent of {short(account.epsilon)} "
        f"at delta {short(account.delta)}"
    )
    units = f"{spent:,} spent, {held:,} held, {free:,} free of {limit:,}"
    return [("window", f"{drawn}  {shares}"), ("epsilon", epsilon), ("units", units)]


def _lifetime(account: pb.Account) -> str:
    spent = f"epsilon {account.lifetime_spent_epsilon:.3f} spent over all windows"
    if not account.HasField("lifetime_epsilon"):
        fixed = (pb.Account.RENEWAL_NONE, pb.Account.RENEWAL_ON_NEW_DATA)
        more = "" if account.renewal in fixed else ", and every window adds its limit"
        return f"{spent}; no cap{more}"
    binds = ", which leaves less than the window" if lifetime_binds(account) else ""
    return f"{spent}, at most {short(account.lifetime_epsilon)}{binds}"


def _renewal(account: pb.Account, *, now: datetime) -> str:
    policy = pb.Account.Renewal.Name(account.renewal).removeprefix("RENEWAL_").lower()
    if account.HasField("renew_time"):
        at = local_time(account.renew_time, account.time_zone)
        wait = remaining((at - now).total_seconds())
        when = moment(account.renew_time, account.time_zone)
        return f"in {wait}, at {when}; {policy}"
    if account.renewal == pb.Account.RENEWAL_ON_NEW_DATA:
        return "when a new batch is opened"
    return "never"


def _measure(account: pb.Account) -> str:
    if account.accounting == pb.Account.ACCOUNTING_RDP:
        least = epsilon_of(1, Measure(account.rdp_order), delta=account.delta)
        return (
            f"Renyi DP at the frozen order {account.rdp_order:.3f}; a unit is 1e-12 of "
            f"its loss; its epsilon begins at {least:.3f} with the first unit, and "
            "`budget report` estimates closer"
        )
    return "zero-concentrated DP (zCDP); a unit is 1e-12 of rho"


def _state_in_full(account: pb.Account) -> str:
    if not account.HasField("close_time"):
        return state(account)
    at = moment(account.close_time, account.time_zone)
    return f"closed for ever since {at}; nothing new is reserved"
