"""Whatever stands in an entry, the auditor reads on and names what is not clear."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federated_router.budget.audit.findings import FINDINGS_MAX, Fault
from federated_router.budget.checkpoint import CheckpointSigner
from federated_router.budget.entries import EntryKind
from tests.support.audit_story import (
    BATCHED,
    BLOCK,
    CALENDAR,
    CLOSED,
    COMMITTED,
    COMMITTED_FOUR,
    HOUR_US,
    NEW_DATA,
    OPEN,
    RESERVED,
    RESERVED_FOUR,
    USER,
    WARD,
    Told,
    audited,
    change,
    entry,
    faults,
)
from tests.support.audit_world import LIMIT, documents

NAMES = [
    *("limit_units", "lifetime_cap_units", "order", "renewal", "zone", "blocks"),
    *("window_start_s", "event", "held_units", "steps_max", "charged_units", "steps"),
    *("cause", "spent_units", "approved_by", "proposed_by", "reason", "block"),
    *("expires_time_s", "closed_by", "restored_by"),
]
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["daily", "early", "new_data", "accounts/dataset-ward"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["accounts/dataset-ward", "mechanism", "scheme", "x"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@pytest.mark.parametrize("sequence", range(1, OPEN + 1))
@pytest.mark.parametrize("detail", ["", "{}", "[]", '{"limit_units":true}', "[" * 9999])
def test_entry_without_its_facts_is_named_and_the_rest_is_read(
    told: Told, key: CheckpointSigner, sequence: int, detail: str
) -> None:
    """Whatever stands in an entry, the verifier says where and goes on."""
    entry(told, sequence)["detail"] = detail

    report = audited(told, key)

    assert sequence in {place for _, place in faults(report)}
    assert report.replayed == OPEN


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.tuples(st.integers(1, OPEN), st.sampled_from(NAMES)),
    kind=st.sampled_from(EntryKind),
    fact=ANYTHING,
)
def test_no_fact_of_any_form_ends_the_verification(
    lines: list[bytes],
    key: CheckpointSigner,
    place: tuple[int, str],
    kind: EntryKind,
    fact: object,
) -> None:
    """A verifier that can be made to crash can be made to say nothing."""
    told = documents(lines)
    sequence, name = place
    change(told, sequence, **{name: fact})
    entry(told, sequence)["kind"] = kind.value

    report = audited(told, key)

    assert report.replayed == OPEN


def test_unknown_kind_is_named(told: Told, key: CheckpointSigner) -> None:
    """What is not understood is not approved."""
    entry(told, CLOSED)["kind"] = "account_forgiven"

    assert faults(audited(told, key)) == [(Fault.ENTRY_UNREADABLE, CLOSED)]


@pytest.mark.parametrize("units", [-1, 2**63, True, 1.5, "1"])
def test_amount_that_no_ledger_holds_is_named(
    told: Told, key: CheckpointSigner, units: object
) -> None:
    """A negative charge would be a refund nobody allowed."""
    change(told, RESERVED, held_units={"accounts/dataset-ward": units})

    assert (Fault.ENTRY_UNREADABLE, RESERVED) in faults(audited(told, key))


def test_entries_of_the_first_revision_are_read(
    told: Told, key: CheckpointSigner
) -> None:
    """Ledgers older than the chain call steps tokens, and know no orders and causes."""
    for sequence in (WARD, BATCHED, USER, BLOCK, CALENDAR):
        found = entry(told, sequence)
        detail = json.loads(found["detail"])
        for name in ("order", "cause", "blocks"):
            detail.pop(name, None)
        if sequence == BATCHED:
            detail["renewal"] = "none"
        found["detail"] = json.dumps(detail)
    for sequence in (RESERVED, COMMITTED, RESERVED_FOUR, COMMITTED_FOUR):
        found = entry(told, sequence)
        found["detail"] = found["detail"].replace('"steps', '"tokens')
    told.remove(entry(told, NEW_DATA))

    assert faults(audited(told, key)) == []


def test_restored_ledger_is_told_to_the_reader(
    told: Told, key: CheckpointSigner
) -> None:
    """A restore is allowed and forgets charges, so nobody may overlook it."""
    told.insert(
        -1,
        {
            "record": "entry",
            "sequence": 0,
            "time_us": entry(told, OPEN)["time_us"],
            "kind": "ledger_restored",
            "account": None,
            "request_id": None,
            "detail": '{"reason":"disk died","restored_by":"operators/eve"}',
            "hash": "00" * 32,
        },
    )

    report = audited(told, key)

    assert report.is_good
    assert [note.partition(":")[0] for note in report.notes] == [f"Entry {OPEN + 1}"]


def test_clock_that_went_back_is_told_to_the_reader(
    told: Told, key: CheckpointSigner
) -> None:
    """A clock set forward and back renews early; the reader judges by the size."""
    entry(told, OPEN)["time_us"] -= 2 * HOUR_US

    report = audited(told, key)

    assert report.is_good
    assert "7200.000 seconds" in report.notes[0]


def test_broken_log_keeps_a_bounded_number_of_findings(
    told: Told, key: CheckpointSigner
) -> None:
    """A log in which everything is wrong does not fill the reader's memory."""
    settled = dict(entry(told, COMMITTED))
    content = [*told[:-1], *[dict(settled) for _ in range(FINDINGS_MAX + 50)], told[-1]]

    report = audited(content, key)

    assert report.findings_count == FINDINGS_MAX + 50
    assert len(report.findings) == FINDINGS_MAX


def test_text_from_the_file_reaches_no_terminal_as_it_is(
    told: Told, key: CheckpointSigner
) -> None:
    """A name with control characters could paint over the verdict."""
    entry(told, OPEN)["kind"] = "reserved"
    entry(told, OPEN)["request_id"] = "one\x1b[2J\u202e"
    told.insert(-1, dict(entry(told, OPEN)))

    report = audited(told, key)

    text = report.findings[0].text
    assert text.isascii()
    assert text.isprintable()


def test_books_of_the_auditor_are_the_balances(
    told: Told, key: CheckpointSigner
) -> None:
    """The figures an outsider computes are those of the story."""
    accounts = audited(told, key).accounts

    token = 488_281_250
    ward = accounts["accounts/dataset-ward"]
    assert (ward.spent, ward.held, ward.lifetime) == (token, 4 * token, 4 * token)
    batched = accounts["accounts/dataset-batched"]
    assert (batched.spent, batched.is_closed) == (20_000_000_000, True)
    assert ward.limit == LIMIT
