"""What an operator asks is answered from the ledger, in words that tell what to do."""

import json

import pytest

from federated_router.kit.errors import (
    AccountUnknown,
    DatasetUnknown,
    PolicyUnknown,
)
from tests.support.budget_desk import Desk

WARD = ("grant", "dataset-ward", "--epsilon", "6")
TOKEN_UNITS = 488_281_250


def granted(desk: Desk, *more: str) -> None:
    """Open the ward's account."""
    desk.output(*WARD, *more)


def test_list_tells_guarantees_from_quotas(desk: Desk) -> None:
    """Whoever reads a quota as a guarantee promises patients what nobody keeps."""
    granted(desk, "--renewal", "monthly")
    desk.spend("r-1", 40)
    desk.hold("r-2")

    assert desk.output("list") == (
        "account                         promise    spent # held = free ."
        "  epsilon      of  delta  renews      state\n"
        "accounts/dataset-ward           guarantee  #=..................."
        "    0.889   6.000  1e-6   2026-11-01  open\n"
        "accounts/department-cardiology  quota      #=..................."
        "    0.889  15.000  1e-6   -           open\n"
        "accounts/user-alice             quota      #=..................."
        "    0.889  20.000  1e-6   -           open\n"
        "\n"
        "guarantee: bounds what all answers together tell about any one record.\n"
        "quota: limits how fast somebody learns, and is NO guarantee about any record."
        "\n"
    )


def test_blocks_are_counted_unless_they_are_meant(desk: Desk) -> None:
    """A data set may have a hundred thousand of them."""
    granted(desk, "--blocks", "record", "--block-epsilon", "3")
    desk.spend("r-1", 4, records=("anna", "bert"))

    plain = desk.output("list")
    meant = [
        desk.output("list", *options)
        for options in (
            ("--blocks",),
            ("--kind", "block"),
            ("--prefix", "block-ward."),
        )
    ]

    assert "accounts/block-" not in plain
    assert "2 blocks not listed; --blocks lists them." in plain
    assert all("accounts/block-ward.anna " in text for text in meant)
    assert all("not listed" not in text for text in meant)


def test_list_narrows_by_kind_and_by_prefix(desk: Desk) -> None:
    """Both together too; a name without its collection is understood."""
    for name in ("dataset-ward", "dataset-lab", "user-bob", "department-lab"):
        desk.output("grant", name, "--epsilon", "2")

    def listed(*options: str) -> list[str]:
        told = json.loads(desk.output("list", *options, "--json"))
        return [str(one["name"]) for one in told["accounts"]]

    assert listed("--kind", "user") == ["accounts/user-bob"]
    assert listed("--prefix", "dataset-l") == ["accounts/dataset-lab"]
    assert listed("--prefix", "accounts/d") == [
        "accounts/dataset-lab",
        "accounts/dataset-ward",
        "accounts/department-lab",
    ]
    assert listed("--kind", "user", "--prefix", "dataset-") == []
    assert "There is no such account." in desk.output("list", "--prefix", "user-z")


@pytest.mark.parametrize(
    "words",
    [
        ("grant", "ward", "--epsilon", "6"),
        (*WARD, "--blocks", "bucket", "--block-epsilon", "1"),
        (*WARD, "--blocks", "record:3", "--block-epsilon", "1"),
        (*WARD, "--blocks", "record"),
        (*WARD, "--block-epsilon", "1"),
        (*WARD, "--renewal", "hourly"),
        ("renew", "dataset-ward"),
        ("renew", "dataset-ward", "--reason", "a", "--approve", "b"),
        ("close", "dataset-ward"),
        ("report", "dataset-ward", "--top", "21"),
        ("price", "ward", "standard", "--tokens", "-1"),
        ("list", "--kind", "router"),
    ],
)
def test_words_that_cannot_be_meant_are_refused_before_any_call(
    desk: Desk, words: tuple[str, ...]
) -> None:
    """Exit status 2 is the shell's word for a wrong command line."""
    result = desk.run(*words)

    assert result.exit_code == 2
    assert desk.callers == []


def test_show_names_the_requests_that_hold(desk: Desk) -> None:
    """Whoever waits for budget asks who has it."""
    granted(desk)
    desk.spend("r-1", 40)
    desk.hold("r-2")

    text = desk.output("show", "dataset-ward")

    held = f"{100 * TOKEN_UNITS:,}"
    assert "alice.r-1" not in text
    assert text.splitlines()[-3:] == [
        "Requests that hold now:",
        "  request    mechanism                   state  steps           units  share",
        f"  alice.r-2  token_selection (standard)  held       0  {held}  8%",
    ]


def test_show_without_holds_says_nothing_of_them(desk: Desk) -> None:
    """An empty table would look like a failed one."""
    granted(desk)

    assert "hold now" not in desk.output("show", "accounts/dataset-ward")


def test_price_is_told_for_every_account(desk: Desk) -> None:
    """Data set, blocks of the records named, and quotas for whoever asks."""
    granted(desk, "--blocks", "record", "--block-epsilon", "1")

    records = ("--record", "anna", "--record", "bert")
    text = desk.output(
        "price", "ward", "standard", *records, "--tokens", "10", "--as-client"
    )

    unit, worst = f"{TOKEN_UNITS:,}", f"{10 * TOKEN_UNITS:,}"
    assert desk.callers[-1] == "alice"
    rows = {line.split()[0]: line.split()[1:] for line in text.splitlines()[1:6]}
    assert set(rows) == {
        "accounts/dataset-ward",
        "accounts/block-ward.anna",
        "accounts/block-ward.bert",
        "accounts/department-cardiology",
        "accounts/user-alice",
    }
    assert rows["accounts/block-ward.anna"][:3] == ["guarantee", unit, worst]
    assert rows["accounts/user-alice"][:3] == ["quota", unit, worst]
    assert text.count("  fits\n") == 5
    assert text.endswith("It would be admitted now.\n")


def test_price_says_which_account_is_short(desk: Desk) -> None:
    """The fewest words from which somebody can tell what to do."""
    granted(desk, "--blocks", "record", "--block-epsilon", "0.5")

    text = desk.output("price", "ward", "standard", "--record", "anna")

    assert "accounts/dataset-ward     guarantee" in text
    assert "accounts/block-ward.anna lacks" in text
    assert "does not fit" in text
    assert "It would be refused now." in text
    assert "--as-client shows them" in text


def test_price_reserves_nothing(desk: Desk) -> None:
    """A dry run is dry, and opens no block."""
    granted(desk, "--blocks", "record", "--block-epsilon", "1")
    before = desk.output("list", "--json")

    desk.output("price", "ward", "standard", "--record", "anna")

    assert desk.output("list", "--json") == before


def test_price_of_retrieved_records_is_four_times_as_high(desk: Desk) -> None:
    """One record then evicts another; the option reaches the policy."""
    granted(desk)

    def charge(*options: str) -> int:
        told = json.loads(desk.output("price", "ward", "standard", "--json", *options))
        return int(told["tokenChargeUnits"])

    assert charge() == TOKEN_UNITS
    assert charge("--retrieved") == 4 * TOKEN_UNITS


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("show", "dataset-none"), AccountUnknown),
        (("report", "dataset-none"), AccountUnknown),
        (("close", "dataset-none", "--reason", "r"), AccountUnknown),
        (("renew", "dataset-none", "--reason", "r"), AccountUnknown),
        (("open-block", "none", "b"), AccountUnknown),
        (("price", "none", "standard"), DatasetUnknown),
        (("price", "ward", "none"), PolicyUnknown),
    ],
)
def test_what_does_not_exist_is_a_typed_error(
    desk: Desk, words: tuple[str, ...], error: type[Exception]
) -> None:
    """`main` prints it in a line; nothing else may come out."""
    granted(desk)

    result = desk.run(*words)

    assert isinstance(result.exception, error)
    assert result.stdout == ""


def test_every_command_speaks_json(desk: Desk) -> None:
    """Programs read it, zeros included, and nothing stands around it."""
    granted(desk, "--blocks", "batch", "--block-epsilon", "3")
    told = [
        json.loads(desk.output(*words, "--json"))
        for words in (
            (*WARD, "--blocks", "batch", "--block-epsilon", "3"),
            ("open-block", "ward", "b-1"),
            ("list",),
            ("show", "dataset-ward"),
            ("price", "ward", "standard", "--batch", "b-1"),
            ("report", "dataset-ward"),
            ("renew", "dataset-ward", "--reason", "r"),
            ("close", "dataset-ward", "--reason", "r"),
        )
    ]

    assert told[0]["account"]["spentUnits"] == "0"
    assert told[2]["hiddenBlocks"] == 1
    assert told[3]["holds"] == []
    assert told[5]["requests"] == "0"
    assert set(told[6]) == {"proposal", "expireTime"}
    assert "closeTime" in told[7]["account"]
