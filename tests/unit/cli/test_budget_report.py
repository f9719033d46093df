"""The report names the theorem, the estimates, and who spent most."""

import json

from federated_router.api.v1 import budget_pb2 as pb
from federated_router.cli.budget_report import span
from tests.support.budget_desk import Desk
from tests.support.told_accounts import dataset

BEGINNING = """\
accounts/dataset-ward: data set, guarantee
  The window since 2026-10-14 17:46 UTC; limit epsilon 6.
  3 requests, 31,738,281,250 units charged.

method      epsilon  what the figure is worth
zcdp          1.152  what the gate adds up, every charge included; the theorem is the
                     limit, epsilon 6 over a window; spent so far is an estimate
"""
END = """\
The requests that spent most:
request    mechanism                   state      steps           units  share
alice.r-2  token_selection (standard)  committed     50  24,414,062,500  77%
alice.r-1  token_selection (standard)  committed     10   4,882,812,500  15%
"""


def spent(desk: Desk) -> Desk:
    """Make three private requests of different sizes."""
    desk.output("grant", "dataset-ward", "--epsilon", "6")
    for number, tokens in enumerate((10, 50, 5), start=1):
        desk.spend(f"r-{number}", tokens)
    return desk


def test_report_as_it_must_stand(desk: Desk) -> None:
    """The account's own figure first, the dearest requests last."""
    text = spent(desk).output("report", "dataset-ward", "--top", "2")

    assert text.startswith(BEGINNING)
    assert text.endswith(END)
    for method in ("rdp", "pld", "basic", "advanced"):
        assert f"\n{method} " in text


def test_top_says_how_many_requests_are_named(desk: Desk) -> None:
    """In JSON too; none at all for 0."""
    spent(desk)

    def named(*options: str) -> int:
        told = json.loads(desk.output("report", "dataset-ward", "--json", *options))
        return len(told["topReservations"])

    assert [named(), named("--top", "1"), named("--top", "0")] == [3, 1, 0]
    assert "spent most" not in desk.output("report", "dataset-ward", "--top", "0")


def test_lifetime_reaches_the_router(desk: Desk) -> None:
    """All windows have another limit, or none, and the line above says which."""
    text = spent(desk).output("report", "dataset-ward", "--lifetime")

    assert "All windows since the account was opened; no cap." in text
    assert "no lifetime cap, so no theorem bounds it" in " ".join(text.split())


def test_span_names_the_limit_that_holds() -> None:
    """A window's limit says nothing about a lifetime."""
    capped = dataset(lifetime_epsilon=12, renewal=pb.Account.RENEWAL_DAILY)

    assert span(capped, lifetime=True).endswith("at most epsilon 12.")
    assert span(capped, lifetime=False).endswith("limit epsilon 6.")
