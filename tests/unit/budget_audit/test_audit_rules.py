"""A journal that its own key holder wrote against the rules is found and named.

Chain and signatures hold in all of these: only reading the entries as an auditor does
finds what is wrong.
"""

from collections.abc import Callable

import pytest

from federated_router.budget.audit.findings import Fault
from federated_router.budget.checkpoint import CheckpointSigner
from tests.support.audit_story import (
    CLOSED,
    COMMITTED,
    EXPIRED,
    OPEN,
    PROPOSED,
    RELEASED,
    RENYI,
    RESERVED,
    RESERVED_FOUR,
    RESERVED_TWO,
    USER,
    WARD,
    Told,
    audited,
    change,
    entry,
    fact,
    faults,
)


def test_story_made_anew_without_a_change_is_good(
    told: Told, key: CheckpointSigner
) -> None:
    """The tests below find what they change, and not how they change it."""
    report = audited(told, key)

    assert faults(report) == []
    assert report.replayed == OPEN


def _charge_otherwise(told: Told) -> None:
    change(told, COMMITTED, charged_units={"accounts/dataset-ward": 1})


def _charge_one_account_less(told: Told) -> None:
    charged = fact(told, COMMITTED, "charged_units")
    charged["accounts/user-ada"] -= 1
    change(told, COMMITTED, charged_units=charged)


def _commit_more_than_was_held(told: Told) -> None:
    charged = fact(told, COMMITTED, "charged_units")
    twice = {name: units * 2 for name, units in charged.items()}
    change(told, COMMITTED, charged_units=twice, steps=6)


def _commit_nothing(told: Told) -> None:
    charged = fact(told, COMMITTED, "charged_units")
    nothing = dict.fromkeys(charged, 0)
    change(told, COMMITTED, charged_units=nothing, steps=0)


def _expire_for_less(told: Told) -> None:
    charged = fact(told, EXPIRED, "charged_units")
    half = {name: units // 2 for name, units in charged.items()}
    change(told, EXPIRED, charged_units=half, steps=2)


def _refund_for_a_private_reason(told: Told) -> None:
    change(told, RELEASED, cause="the_record_was_long")


def _refund_and_charge(told: Told) -> None:
    change(told, RELEASED, steps=1)


def _release_with_a_charge(told: Told) -> None:
    charged = fact(told, RELEASED, "charged_units")
    change(told, RELEASED, charged_units=dict.fromkeys(charged, 1))


@pytest.mark.parametrize(
    ("wrong", "sequence"),
    [
        (_charge_otherwise, COMMITTED),
        (_charge_one_account_less, COMMITTED),
        (_commit_more_than_was_held, COMMITTED),
        (_commit_nothing, COMMITTED),
        (_expire_for_less, EXPIRED),
        (_refund_for_a_private_reason, RELEASED),
        (_refund_and_charge, RELEASED),
        (_release_with_a_charge, RELEASED),
    ],
)
def test_settlement_against_the_rules_is_named(
    told: Told, key: CheckpointSigner, wrong: Callable[[Told], None], sequence: int
) -> None:
    """A commit is at most the hold, an expired hold is charged, a refund has a cause.

    No other charge is accused; only a later renewal may tell other sums.
    """
    wrong(told)

    found = faults(audited(told, key))

    assert found[0] == (Fault.CHARGE_WRONG, sequence)
    others = {fault for fault, place in found if place != sequence}
    assert others <= {Fault.RENEWAL_WRONG}


def test_reservation_settled_twice_is_named(told: Told, key: CheckpointSigner) -> None:
    """The second settlement would be a second answer to the same question."""
    at = told.index(entry(told, COMMITTED))
    told.insert(at + 1, dict(told[at]))

    report = audited(told, key)

    assert faults(report) == [(Fault.RESERVATION_WRONG, COMMITTED + 1)]
    assert "holds nothing" in report.findings[0].text


def test_settlement_of_what_was_never_reserved_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """A charge that begins nowhere was never admitted."""
    told.remove(entry(told, RESERVED))

    report = audited(told, key)

    assert faults(report)[0] == (Fault.RESERVATION_WRONG, COMMITTED - 1)


def test_request_that_holds_twice_at_once_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """One id is one hold."""
    at = told.index(entry(told, RESERVED))
    told.insert(at + 1, dict(told[at]))

    report = audited(told, key)

    assert faults(report) == [(Fault.RESERVATION_WRONG, RESERVED + 1)]


def test_hold_beyond_the_limit_is_named_with_its_figures(
    told: Told, key: CheckpointSigner
) -> None:
    """One unit over the limit is over the limit."""
    held = fact(told, RESERVED, "held_units")["accounts/user-ada"]
    change(told, USER, limit_units=held - 1)

    report = audited(told, key)

    assert faults(report)[0] == (Fault.OVER_LIMIT, RESERVED)
    assert f"{held:,} held of {held - 1:,}" in report.findings[0].text


def test_hold_of_exactly_the_limit_is_allowed(
    told: Told, key: CheckpointSigner
) -> None:
    """Integers have no last unit that rounding refuses."""
    held = fact(told, RESERVED, "held_units")["accounts/user-ada"]
    change(told, USER, limit_units=held)

    report = audited(told, key)

    assert RESERVED not in {place for _, place in faults(report)}


def test_hold_beyond_the_lifetime_cap_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """Renewals forgive the window and never the lifetime."""
    spent = fact(told, COMMITTED, "charged_units")["accounts/dataset-ward"]
    held = fact(told, RESERVED_FOUR, "held_units")["accounts/dataset-ward"]
    change(told, WARD, lifetime_cap_units=spent + held - 1)

    report = audited(told, key)

    assert faults(report)[0] == (Fault.OVER_LIMIT, RESERVED_FOUR)
    assert "lifetime cap" in report.findings[0].text


def test_charge_below_what_the_event_costs_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """The event is stored, the cost derived: a discount is seen."""
    held = fact(told, OPEN, "held_units")
    cheaper = {name: units - 4 for name, units in held.items()}
    change(told, OPEN, held_units=cheaper)

    report = audited(told, key)

    assert faults(report) == [(Fault.COST_WRONG, OPEN)]
    assert "488,281,250 a step" in report.findings[0].text


def test_cost_in_the_wrong_measure_is_named(told: Told, key: CheckpointSigner) -> None:
    """A Renyi account that is charged rho is charged too little."""
    change(told, RENYI, order=2.5)

    report = audited(told, key)

    assert faults(report) == [(Fault.COST_WRONG, RESERVED_TWO)]


def test_event_from_which_no_cost_follows_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """Who stores something unreadable hides what was released."""
    change(told, OPEN, event={"mechanism": "trust me"})

    report = audited(told, key)

    assert faults(report) == [(Fault.COST_WRONG, OPEN)]


def test_hold_on_a_closed_account_is_named(told: Told, key: CheckpointSigner) -> None:
    """Closed is for ever; what was held before may still settle."""
    told.remove(entry(told, CLOSED))
    at = told.index(entry(told, PROPOSED))
    told.insert(
        at,
        {
            **entry(told, PROPOSED),
            "kind": "account_closed",
            "account": "accounts/dataset-ward",
            "detail": '{"closed_by":"operators/eve","reason":"x"}',
        },
    )

    report = audited(told, key)

    places = [place for fault, place in faults(report) if fault is Fault.ACCOUNT_WRONG]
    assert places == [RESERVED_FOUR + 1, OPEN]


def test_account_opened_twice_or_never_is_named(
    told: Told, key: CheckpointSigner
) -> None:
    """A second opening would empty the books; without one there is no limit."""
    told.remove(entry(told, WARD))
    told.insert(1, dict(entry(told, USER)))

    report = audited(told, key)

    assert (Fault.ACCOUNT_WRONG, 4) in faults(report)
    assert (Fault.ACCOUNT_WRONG, RESERVED) in faults(report)
