"""What the command prints is readable, exact, and never markup by accident."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from federated_router.api.v1 import budget_pb2, registry_pb2, routing_pb2
from federated_router.cli import screen
from federated_router.cli.budget_text import account_row
from federated_router.cli.main import say_error
from federated_router.cli.node_text import node_row
from federated_router.cli.route_text import candidate_table
from federated_router.cli.screen import bar
from federated_router.kit.errors import BudgetExhausted

AMOUNTS = st.integers(min_value=0, max_value=2**63)


@given(spent=AMOUNTS, held=AMOUNTS, limit=AMOUNTS, width=st.integers(1, 80))
def test_bar_has_its_width_for_any_amounts(
    spent: int, held: int, limit: int, width: int
) -> None:
    """Overspent by a crash, empty or huge: the column stays a column."""
    drawn = bar(spent, held, limit, width)

    assert len(drawn) == width
    assert drawn == "#" * drawn.count("#") + "=" * drawn.count("=") + "." * drawn.count(
        "."
    )


@pytest.mark.parametrize(
    ("spent", "held", "limit", "drawn"),
    [
        (0, 0, 100, ".........."),
        (50, 0, 100, "#####....."),
        (50, 30, 100, "#####===.."),
        (100, 0, 100, "##########"),
        (100, 50, 100, "##########"),
        (0, 100, 100, "=========="),
        (0, 0, 0, ".........."),
    ],
)
def test_bar_shows_spent_held_and_free(
    spent: int, held: int, limit: int, drawn: str
) -> None:
    """In that order, to scale."""
    assert bar(spent, held, limit, width=10) == drawn


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> Console:
    """Return a console that keeps what is printed."""
    console = Console(record=True, width=200, highlight=False, soft_wrap=True)
    monkeypatch.setattr(screen, "out", console)
    return console


def test_json_is_json_and_nothing_else(printed: Console) -> None:
    """Programs read it; brackets are no markup."""
    value = {"text": "[bold]not bold[/bold]", "units": 2**60, "list": [1, "ü"]}

    screen.print_json(value)

    assert json.loads(printed.export_text()) == value


def test_table_aligns_and_groups_numbers(printed: Console) -> None:
    """Units are long; thousands are grouped."""
    screen.table(("what", "units"), [("spent", 1_234_567), ("free", 89)])

    lines = printed.export_text().splitlines()
    assert lines[1].endswith("1,234,567")
    assert lines[2].rstrip().endswith(" 89")


def test_text_of_others_is_not_markup(printed: Console) -> None:
    """A model that answers with brackets must not colour the terminal, nor crash it."""
    screen.quote("[/bold] [red]alarm")
    screen.table(("node",), [("[/nodes]",)])

    text = printed.export_text()
    assert "[/bold] [red]alarm" in text
    assert "[/nodes]" in text


def test_error_is_reason_message_and_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """What a program reads from metadata, a person reads here."""
    say_error(
        BudgetExhausted("Wait.", metadata={"needed_units": "12", "free_units": "3"})
    )

    shown = capsys.readouterr().err
    assert shown.splitlines() == [
        "BUDGET_EXHAUSTED: Wait.",
        "  free_units: 3",
        "  needed_units: 12",
    ]


def test_account_row_says_when_it_renews() -> None:
    """Or that it never does."""
    account = budget_pb2.Account(
        name="accounts/dataset-d", epsilon=6, delta=1e-6, limit_units=10, spent_units=5
    )
    never = account_row(account)
    account.renew_time.FromJsonString("2030-02-01T00:00:00Z")

    sometimes = account_row(account)

    assert (never[0], never[-2]) == ("accounts/dataset-d", "-")
    assert sometimes[-2] == "2030-02-01"
    assert len(str(never[2])) == 21


def test_node_row_speaks_peoples_words() -> None:
    """Enum prefixes are for programs."""
    node = registry_pb2.Node(
        name="nodes/n1",
        region="north",
        state=registry_pb2.Node.STATE_DRAINING,
        models=[registry_pb2.ModelOffer(model="models/m")],
    )

    assert node_row(node)[2:5] == ("draining", 0, "m")


def test_candidates_that_were_rejected_keep_their_columns() -> None:
    """A row without scores is as long as one with them."""
    scored = routing_pb2.RouteCandidate(
        node="nodes/a",
        scores=[routing_pb2.RouteScore(scorer=name, score=0.5) for name in "xy"],
    )
    rejected = routing_pb2.RouteCandidate(node="nodes/b", rejected_by="not_draining")

    headings, rows = candidate_table([scored, rejected])

    assert {len(row) for row in rows} == {len(headings)}
    assert rows[1][-1] == "not_draining"
    assert candidate_table([]) == (["node", "model", "score", "rejected by"], [])
