"""One account in sentences: what its limit promises, and what it does not."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_facts import account_facts, meaning
from federated_router.cli.screen import LINE_LENGTH, fact_lines
from tests.support.told_accounts import dataset, stamp

NOW = datetime(2026, 10, 14, 17, 46, tzinfo=UTC)

GUARANTEE = """\
  window    ##########===.................  spent 33%, held 11%, free 56%
  epsilon   2.250 spent of 6 at delta 1e-6
  units     3,000 spent, 1,000 held, 5,000 free of 9,000
  lifetime  epsilon 2.250 spent over all windows, at most 12
  began     2026-10-01 00:00 Europe/Berlin
  renews    in 17 days 5 hours, at 2026-11-01 00:00 Europe/Berlin; monthly
  measure   zero-concentrated DP (zCDP); a unit is 1e-12 of rho
  blocks    record ids hashed into 1,024; epsilon 2 at delta 1e-6 each
  state     open
  meaning   A guarantee: whatever is asked of this data set, all answers of one window
            together tell about any one record at most what epsilon 6 at delta 1e-6
            allows; its block's limit of epsilon 2 bounds it too; a new window on the
            same records adds as much again, up to epsilon 12 over all windows."""


def test_facts_of_a_guarantee() -> None:
    """The whole screen, as it must stand."""
    account = dataset(
        renewal=pb.Account.RENEWAL_MONTHLY,
        time_zone="Europe/Berlin",
        lifetime_epsilon=12,
        renew_time=stamp("2026-10-31T23:00:00Z"),
        blocks=pb.BlockTerms(
            scheme=pb.BlockTerms.SCHEME_BUCKET, bucket_count=1024, epsilon=2
        ),
    )

    assert "\n".join(fact_lines(account_facts(account, now=NOW))) == GUARANTEE


def test_new_batches_do_not_add_up_for_the_records_of_old_ones() -> None:
    """Their block's limit does not renew; a calendar's windows do add up."""
    blocks = pb.BlockTerms(scheme=pb.BlockTerms.SCHEME_BATCH, epsilon=2)
    batches = dataset(renewal=pb.Account.RENEWAL_ON_NEW_DATA, blocks=blocks)
    calendar = dataset(renewal=pb.Account.RENEWAL_DAILY)

    assert meaning(batches).endswith(
        "each new batch begins a new window, and over all of them a record is bounded "
        "by its own block's limit."
    )
    assert dict(account_facts(batches, now=NOW))["lifetime"].endswith("; no cap")
    assert meaning(calendar).endswith("adds as much again.")
    assert dict(account_facts(calendar, now=NOW))["lifetime"].endswith(
        "no cap, and every window adds its limit"
    )


def test_facts_of_a_quota_promise_nothing() -> None:
    """No accounting per person is sound once people talk to each other."""
    account = dataset(
        name="accounts/user-alice",
        kind=pb.Account.KIND_USER,
        promise=pb.Account.PROMISE_QUOTA,
    )

    text = meaning(account)

    assert text == (
        "A quota, NO guarantee: the user may spend at most epsilon 6 at delta 1e-6 in "
        "a window, which bounds nothing about any record."
    )


def test_frozen_order_explains_the_epsilon_it_begins_with() -> None:
    """Else 2% spent beside an epsilon of 2.7 looks like a defect."""
    account = dataset(accounting=pb.Account.ACCOUNTING_RDP, rdp_order=5.359)

    measure = dict(account_facts(account, now=NOW))["measure"]

    assert "at the frozen order 5.359" in measure
    assert "begins at 2.578 with the first unit" in measure


@given(
    label=st.text(st.characters(categories=["L"]), min_size=1, max_size=10),
    text=st.lists(st.text("abcdefgh", min_size=1, max_size=12), min_size=1),
)
def test_long_facts_are_wrapped_beside_their_label(label: str, text: list[str]) -> None:
    """Nothing is lost, and no line is longer than a page is wide."""
    lines = fact_lines([(label, " ".join(text))])

    assert max(len(line) for line in lines) <= LINE_LENGTH
    assert " ".join(lines).split() == [label, *text]
    assert len({len(line) - len(line.lstrip()) for line in lines[1:]}) <= 1
