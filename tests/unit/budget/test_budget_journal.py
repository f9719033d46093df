"""Entries that are put together by hand are the canonical JSON that they claim."""

import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from federated_router.budget.accounts import AccountName
from federated_router.budget.chain import entry_hash, genesis, head_after, link
from federated_router.budget.entries import Entry, EntryKind, bounded, transition
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
    Reservation,
    ReservationState,
    commit,
    expire,
    release,
)

texts = st.text(st.characters(codec="utf-8"), max_size=30)
costs = st.integers(min_value=1, max_value=2**60)
events = st.dictionaries(
    texts, st.floats(allow_nan=False, allow_infinity=False) | texts
)


def canonical(value: object) -> str:
    """Return canonical JSON by the general encoder."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@st.composite
def reservations(draw: st.DrawFn) -> Reservation:
    """Draw a hold on some accounts."""
    charged = draw(st.dictionaries(texts, costs, min_size=1, max_size=4))
    steps_max = draw(st.integers(min_value=1, max_value=10**6))
    return Reservation(
        request_id=RequestId(draw(texts)),
        body_digest=bytes(32),
        owner=Owner(draw(texts), draw(texts)),
        charges=tuple(
            Charge(AccountName(name), units) for name, units in sorted(charged.items())
        ),
        steps_max=steps_max,
        steps_bound=draw(st.integers(1, steps_max) | st.just(steps_max)),
        event=json.dumps(draw(events)),
        reserved_time_s=0.0,
        lease_expires_s=draw(st.floats(min_value=0, max_value=1e12)),
    )


@given(hold=reservations())
def test_entry_of_a_hold_is_canonical_json(hold: Reservation) -> None:
    """A digest of an entry means something, whoever encodes what it says."""
    told = transition(hold, now_s=1.0)

    assert told.kind is EntryKind.RESERVED
    assert told.detail == canonical(
        {
            "event": json.loads(hold.event),
            "held_units": {
                charge.account: charge.units_per_step * hold.steps_max
                for charge in hold.charges
            },
            "lease_expires_s": hold.lease_expires_s,
            "owner": {"boot": hold.owner.boot, "instance": hold.owner.instance},
            **(
                {"steps_bound": hold.steps_bound}
                if hold.steps_bound < hold.steps_max
                else {}
            ),
            "steps_max": hold.steps_max,
        }
    )


@given(hold=reservations())
def test_entry_of_a_bound_is_canonical_json(hold: Reservation) -> None:
    """An auditor reads how many steps were allowed, and when."""
    told = bounded(hold, now_s=1.0)

    assert told.kind is EntryKind.BOUNDED
    assert told.detail == canonical({"steps_bound": hold.steps_bound})


@given(hold=reservations(), end=st.sampled_from(["commit", "release", "expire"]))
def test_entry_of_an_end_is_canonical_json(hold: Reservation, end: str) -> None:
    """What was charged to whom, why, and how many steps."""
    owner = hold.owner
    if end == "commit":
        after = commit(hold, owner=owner, steps=1, now_s=2.0)
    elif end == "release":
        cause = ReleaseCause.QUEUE_FULL
        after = release(hold, owner=owner, cause=cause, now_s=2.0)
    else:
        after = expire(hold, now_s=2.0)

    told = transition(after, now_s=2.0)

    assert told.kind.value == after.state.value
    assert told.detail == canonical(
        {
            "cause": after.cause,
            "charged_units": {
                charge.account: charge.units_per_step * after.steps_charged
                for charge in hold.charges
            },
            "steps": after.steps_charged,
        }
    )


@given(
    entry=st.builds(
        Entry,
        kind=st.sampled_from(EntryKind),
        time_s=st.floats(min_value=0, max_value=1e10),
        account=st.none() | texts,
        request_id=st.none() | texts,
        detail=texts,
    ),
    before=st.binary(min_size=32, max_size=32),
    sequence=st.integers(min_value=1, max_value=2**62),
)
def test_hash_covers_a_json_list(entry: Entry, before: bytes, sequence: int) -> None:
    """Another program verifies the chain from the page that describes it."""
    told = [
        sequence,
        round(entry.time_s * 1_000_000),
        entry.kind.value,
        entry.account,
        entry.request_id,
        entry.detail,
    ]

    expected = hashlib.sha256(
        b"federated-router entry 1\0" + before + canonical(told).encode()
    ).digest()

    assert entry_hash(before, sequence, entry) == expected


def test_states_of_a_reservation_are_kinds_of_entries() -> None:
    """Every transition has its entry."""
    kinds = {kind.value for kind in EntryKind}

    assert {state.value for state in ReservationState} <= kinds


def test_each_entry_is_chained_to_the_one_before() -> None:
    """The same entry at another place, or in another ledger, has another hash."""
    entry = Entry(kind=EntryKind.RESERVED, time_s=1.0, detail="{}")
    head = genesis(bytes(16))
    first = link(head, entry)
    second = link(head_after(head, first), entry)
    foreign = link(genesis(b"another ledger.."), entry)

    assert (first.sequence, second.sequence) == (1, 2)
    assert len({first.hash, second.hash, foreign.hash}) == 3
