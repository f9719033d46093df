"""What `top` shows: every line fits, what matters most stays, text is exact."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.api.v1 import budget_pb2, registry_pb2
from federated_router.api.v1 import load_pb2 as pb
from federated_router.cli.narrow_table import Column, cut, table_lines
from federated_router.cli.top_text import (
    account_lines,
    footprint_lines,
    screen_lines,
    silence_line,
)
from federated_router.cli.top_view import Silence, View

AT = datetime(2026, 11, 22, 13, 30, tzinfo=UTC)


def node(name: str, **figures: float) -> pb.NodeActivity:
    """Return a node that does something."""
    one = pb.NodeActivity(
        node=f"nodes/{name}",
        state=registry_pb2.Node.STATE_READY,
        breaker=pb.NodeActivity.BREAKER_CLOSED,
        requests_in_flight=3,
        slots=8,
        requests_per_second=1.25,
        tokens_per_second=310.4,
        failure_ratio=0.02,
    )
    for field, value in figures.items():
        setattr(one, field, value)
    return one


def view(nodes: int = 2, **lists: object) -> View:
    """Return a look at a router."""
    load = pb.GetLoadResponse(
        strategy="power_of_two",
        priors_revision=4,
        nodes=[
            node(f"n{n}", first_token_ms_p50=120, first_token_ms_p99=1900)
            for n in range(nodes)
        ],
        admission=pb.AdmissionActivity(
            requests_running=6, requests_waiting=2, saturation=0.38, requests_shed=1200
        ),
        cache=pb.CacheActivity(
            tiers=[pb.CacheTier(name="memory", bytes=3 * 2**20, bytes_max=2**30)],
            hits=30,
            misses=70,
        ),
    )
    load.window.FromSeconds(60)
    return View(
        router="127.0.0.1:7443",
        at=AT,
        load=load,
        advice=tuple(lists.get("advice", ())),  # type: ignore[arg-type]
        footprints=tuple(lists.get("footprints", ())),  # type: ignore[arg-type]
        accounts=tuple(lists.get("accounts", ())),  # type: ignore[arg-type]
    )


def account(name: str, spent: int, **more: object) -> budget_pb2.Account:
    """Return an account that carries a guarantee."""
    return budget_pb2.Account(
        name=f"accounts/{name}",
        kind=more.get("kind", budget_pb2.Account.KIND_DATASET),  # type: ignore[arg-type]
        promise=more.get("promise", budget_pb2.Account.PROMISE_GUARANTEE),  # type: ignore[arg-type]
        epsilon=6,
        spent_epsilon=spent / 10,
        limit_units=100,
        spent_units=spent,
        free_units=100 - spent,
    )


def test_wide_terminal_shows_every_figure() -> None:
    """Strategy, queue, cache, and each node's columns."""
    lines = screen_lines(view(), width=160)

    assert "router 127.0.0.1:7443  strategy power_of_two  priors 4" in lines[0]
    assert lines[1].startswith(
        "requests: 6 run, 2 wait, 38% full; refused 1,200 for room, 0 for rate"
    )
    assert lines[2] == "cache: 30 of 100 requests (30%); memory 3.0 MiB of 1.0 GiB"
    assert lines[4] == "nodes, over the last 60 s"
    assert lines[5].split() == [
        *("node", "state", "breaker", "run/slots", "req/s", "tok/s", "failed"),
        *("first", "ms", "p50", "p99", "cached"),
    ]
    assert lines[6].split() == [
        *("n0", "ready", "closed", "3/8", "1.2", "310", "2.0%", "120", "1,900", "-"),
    ]


def test_narrow_terminal_keeps_load_and_slowest_answers() -> None:
    """Queue and tail are why somebody looks."""
    lines = screen_lines(view(), width=30)

    assert all(len(line) <= 30 for line in lines)
    assert lines[5] == "  node  run/slots    p99"


def test_low_terminal_counts_what_it_does_not_show() -> None:
    """And never scrolls the nodes away."""
    lines = screen_lines(view(nodes=40), width=80, height=12)

    assert len(lines) == 12
    assert lines[4] == "nodes, over the last 60 s"
    assert lines[-1] == f"... {46 - 11} lines more"


@given(width=st.integers(1, 200), height=st.integers(1, 60), nodes=st.integers(0, 30))
def test_screen_never_exceeds_the_terminal(width: int, height: int, nodes: int) -> None:
    """Else a live view flickers and scrolls."""
    lines = screen_lines(view(nodes), width=width, height=height)

    assert len(lines) <= height
    assert all(len(line) <= width for line in lines)


def test_only_advice_that_changes_something_is_shown() -> None:
    """With its reason."""
    calm = pb.ScalingAdvice(model="models/a", nodes=2, reason="Within bounds.")
    more = pb.ScalingAdvice(model="models/b", nodes_to_add=2, reason="Above 80%.")

    assert "scaling: no change advised" in screen_lines(view(advice=[calm]), width=80)
    lines = screen_lines(view(advice=[calm, more]), width=80)
    assert "  b +2: Above 80%." in lines
    assert not any("Within bounds" in line for line in lines)


def test_budgets_show_the_fullest_guarantees_first() -> None:
    """Quotas and single blocks would hide them."""
    accounts = [
        account("dataset-x", 10),
        account("dataset-y", 90),
        account("user-u", 100, promise=budget_pb2.Account.PROMISE_QUOTA),
        account("block-x.1", 100, kind=budget_pb2.Account.KIND_BLOCK),
    ]

    assert account_lines(accounts, width=80) == [
        "budgets",
        "  account    spent # held = free .  epsilon",
        "  dataset-y  ##################..   9.000/6",
        "  dataset-x  ##..................   1.000/6",
    ]


def test_footprints_show_who_took_most() -> None:
    """And count the rest."""
    footprints = [
        pb.TenantFootprint(tenant=f"t{n}", answers=n, joules=1000 * n, co2e_mg=500 * n)
        for n in range(11)
    ]

    lines = footprint_lines(footprints, width=80)

    assert lines[2].split() == ["t10", "10", "0", "10.00", "5.000", "0.0000"]
    assert lines[-1] == "  and 3 more"
    assert footprint_lines([], width=80) == []


def test_silence_says_whom_and_since_when() -> None:
    """In the terminal's own time."""
    line = silence_line(Silence("127.0.0.1:1", AT))

    assert line.startswith("127.0.0.1:1 does not answer since ")
    assert line.endswith(f"{AT.astimezone():%H:%M:%S}; trying again.")


@pytest.mark.parametrize(
    ("width", "names"),
    [(40, "a bb cc"), (10, "a bb"), (7, "a"), (1, "")],
)
def test_columns_go_by_rank(width: int, names: str) -> None:
    """The highest rank first, the first column never."""
    columns = [
        Column("a", ("xx",), 9),
        Column("bb", ("yyy",), 1),
        Column("cc", ("zzzz",), 2),
    ]

    heading = table_lines(columns, width=width)[0]

    assert heading.replace("…", "").split() == names.split()


@given(st.text(alphabet="ab ", max_size=20), st.integers(0, 25))
def test_cut_line_fits(line: str, width: int) -> None:
    """Whatever the line; one that fits is left as it is."""
    shown = cut(line, width)

    assert len(shown) <= width
    assert shown == line.rstrip() or shown.endswith("…") or not width
