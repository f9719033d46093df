"""Granting, renewing and closing do what was asked, by whom it takes."""

import json

import pytest

from federated_router.kit.errors import (
    AccountExists,
    BlockUnknown,
    ProposalUnknown,
    SecondPersonNeeded,
)
from tests.support.budget_desk import Desk

WARD = ("grant", "dataset-ward", "--epsilon", "6")
TOKEN_UNITS = 488_281_250


def granted(desk: Desk, *more: str) -> None:
    """Open the ward's account."""
    desk.output(*WARD, *more)


def account(desk: Desk, name: str) -> dict[str, object]:
    """Return an account as `show --json` tells it."""
    told: dict[str, object] = json.loads(desk.output("show", name, "--json"))["account"]
    return told


def test_grant_opens_the_account_that_was_asked_for(desk: Desk) -> None:
    """Every option reaches the terms, which never change afterwards."""
    granted(
        desk,
        *("--delta", "1e-7", "--renewal", "weekly", "--zone", "Europe/Berlin"),
        *("--lifetime-epsilon", "20", "--accounting", "rdp"),
        *("--blocks", "bucket:8", "--block-epsilon", "2"),
    )

    told = account(desk, "dataset-ward")
    assert told["kind"] == "KIND_DATASET"
    assert told["promise"] == "PROMISE_GUARANTEE"
    assert told["epsilon"] == pytest.approx(6, abs=1e-5)
    assert told["delta"] == 1e-7
    assert (told["renewal"], told["timeZone"]) == ("RENEWAL_WEEKLY", "Europe/Berlin")
    assert told["lifetimeEpsilon"] == pytest.approx(20, abs=1e-5)
    assert told["accounting"] == "ACCOUNTING_RDP"
    blocks = told["blocks"]
    assert isinstance(blocks, dict)
    assert (blocks["scheme"], blocks["bucketCount"]) == ("SCHEME_BUCKET", 8)
    assert blocks["epsilon"] == pytest.approx(2, abs=1e-5)


def test_grant_says_what_the_limit_means(desk: Desk) -> None:
    """At the moment of granting, in a sentence, and for quotas that it is none."""
    data = desk.output(*WARD)
    user = desk.output("grant", "user-bob", "--epsilon", "2")

    assert "accounts/dataset-ward: data set, guarantee" in data
    assert "A guarantee: whatever is asked of this data set" in data
    assert "accounts/user-bob: user, quota" in user
    assert "A quota, NO guarantee" in user


def test_granting_again_changes_nothing_and_other_terms_are_refused(
    desk: Desk,
) -> None:
    """Terms are agreed once; a larger limit is another account."""
    granted(desk)
    desk.spend("r-1", 10)

    again = desk.output(*WARD)
    other = desk.run("grant", "dataset-ward", "--epsilon", "60")

    assert f"{10 * TOKEN_UNITS:,} spent" in again
    assert isinstance(other.exception, AccountExists)


def test_operators_files_go_together(desk: Desk) -> None:
    """A certificate without its key is nobody."""
    files = desk.files("operator-2")

    assert desk.run(*WARD, "--operator-cert", files["cert"]).exit_code == 2
    assert desk.run(*WARD, "--operator-key", files["key"]).exit_code == 2
    assert desk.run(*WARD, "--operator-cert", "missing.crt").exit_code == 2


def test_price_of_a_closed_account_says_what_may_be(desk: Desk) -> None:
    """A price has no state, so the line names both reasons for nothing free."""
    granted(desk)
    desk.output("close", "dataset-ward", "--reason", "study ended")

    text = desk.output("price", "ward", "standard")

    assert "units; nothing is free, or it is closed." in text
    assert "It would be refused now." in text


def test_batches_are_opened_before_they_are_priced(desk: Desk) -> None:
    """A batch that nobody opened has no limit, so nothing may be charged to it."""
    granted(desk, "--blocks", "batch", "--block-epsilon", "3")
    ask = ("price", "ward", "standard", "--record", "anna", "--batch", "2026-10")

    early = desk.run(*ask)
    opened = desk.output("open-block", "ward", "2026-10")
    late = desk.output(*ask)

    assert isinstance(early.exception, BlockUnknown)
    assert "accounts/block-ward.2026-10: block, guarantee" in opened
    assert "accounts/block-ward.2026-10  guarantee" in late
    assert desk.output("price", "ward", "standard", "--batch", "2026-10") == late


def test_early_renewal_takes_a_second_operator(desk: Desk) -> None:
    """One person alone could renew a budget away; the lifetime stays in any case."""
    granted(desk)
    desk.spend("r-1", 40)
    told = json.loads(
        desk.output("renew", "dataset-ward", "--reason", "ethics vote", "--json")
    )
    approve = ("renew", "dataset-ward", "--approve", str(told["proposal"]))

    alone = desk.run(*approve)
    other = desk.run("renew", "dataset-ward", "--approve", "0" * 16, *desk.as_second())
    both = desk.output(*approve, *desk.as_second())

    assert isinstance(alone.exception, SecondPersonNeeded)
    assert isinstance(other.exception, ProposalUnknown)
    assert desk.callers[-3:] == ["operator", "operator-2", "operator-2"]
    assert "0 spent, 0 held" in both
    assert "epsilon 0.889 spent over all windows" in both
    assert account(desk, "dataset-ward")["lifetimeUnits"] == str(40 * TOKEN_UNITS)


def test_proposal_tells_the_second_operators_command(desk: Desk) -> None:
    """It is pasted, so it must run as it stands, with the second one's files."""
    granted(desk)

    text = desk.output("renew", "dataset-ward", "--reason", "ethics vote")

    command = text.splitlines()[-1].strip()
    words = command.split()
    assert words[:4] == ["federated-router", "budget", "renew", "accounts/dataset-ward"]
    assert words[words.index("--operator-cert") + 1] == desk.files("operator-2")["cert"]
    proposal = words[words.index("--approve") + 1]
    renewed = desk.output(
        "renew", "dataset-ward", "--approve", proposal, *desk.as_second()
    )
    assert "accounts/dataset-ward: data set, guarantee" in renewed


def test_closed_account_says_since_when(desk: Desk) -> None:
    """Closing is final, and every screen shows it."""
    granted(desk)

    text = desk.output("close", "dataset-ward", "--reason", "study ended")

    assert "state     closed for ever since 2026-10-14 17:46 UTC" in text
    assert "  closed\n" in desk.output("list")
