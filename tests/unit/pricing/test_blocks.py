"""To which block a record belongs, and on which terms a block opens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.budget.accounts import (
    AccountKind,
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
    account_kind,
)
from federated_router.budget.blocks import (
    RecordKey,
    block_name,
    block_terms,
    blocks_touched,
)
from federated_router.kit.errors import FieldInvalid
from federated_router.privacy.renewal import RenewalPolicy

WARD = AccountName("accounts/dataset-ward")
KEYS = st.text(min_size=1, max_size=80)
DATASETS = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)


def dataset(
    scheme: BlockScheme,
    *,
    bucket_count: int = 0,
    renewal: RenewalPolicy = RenewalPolicy.NONE,
) -> AccountTerms:
    """Return the terms of a data set with blocks."""
    return AccountTerms(
        name=WARD,
        limit_units=1000,
        delta=1e-6,
        renewal=renewal,
        zone="Europe/Berlin",
        order=4.0,
        blocks=BlockTerms(
            scheme=scheme, limit_units=100, bucket_count=bucket_count, order=9.0
        ),
    )


def touched(terms: AccountTerms, *records: tuple[str, str]) -> list[str]:
    """Return the blocks of records given as id and batch."""
    keys = [RecordKey(record_id, batch) for record_id, batch in records]
    return [
        name.removeprefix("accounts/block-") for name in blocks_touched(terms, keys)
    ]


def test_each_record_is_a_block_of_its_own() -> None:
    """The finest key, so that disjoint records share nothing."""
    terms = dataset(BlockScheme.RECORD)

    assert touched(terms, ("b", ""), ("a", ""), ("b", "")) == ["ward.a", "ward.b"]


def test_records_of_a_batch_share_its_block() -> None:
    """What came together is charged together."""
    terms = dataset(BlockScheme.BATCH)

    assert touched(terms, ("a", "may"), ("b", "may"), ("c", "june")) == [
        "ward.june",
        "ward.may",
    ]


@given(ids=st.lists(st.text(min_size=1, max_size=20), min_size=1, max_size=50))
def test_buckets_are_as_many_as_agreed_and_stay(ids: list[str]) -> None:
    """A record never moves to another bucket, which would forget its charges."""
    terms = dataset(BlockScheme.BUCKET, bucket_count=4)
    records = [(record_id, "") for record_id in ids]

    first = touched(terms, *records)

    assert set(first) <= {f"ward.bucket-{number}" for number in range(4)}
    assert first == touched(terms, *reversed(records))


def test_bucket_of_a_record_is_fixed_for_ever() -> None:
    """Known answer: another hash would give every record a fresh budget."""
    terms = dataset(BlockScheme.BUCKET, bucket_count=1000)

    assert touched(terms, ("patient-1", "")) == ["ward.bucket-203"]


@given(one=st.tuples(DATASETS, KEYS), other=st.tuples(DATASETS, KEYS))
def test_two_blocks_never_share_a_name(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    """A name that two blocks had would charge one for the other."""
    names = [
        block_name(AccountName(f"accounts/dataset-{dataset_id}"), key)
        for dataset_id, key in (one, other)
    ]

    assert (names[0] == names[1]) is (one == other)
    assert {account_kind(name) for name in names} == {AccountKind.BLOCK}


@pytest.mark.parametrize(
    ("dataset_id", "key", "other_id", "other_key"),
    [("a.b", "c", "a", "b.c"), ("x-1", "2", "x", "1.2"), ("a", "B", "a", "b")],
)
def test_dots_and_letters_do_not_confuse_blocks(
    dataset_id: str, key: str, other_id: str, other_key: str
) -> None:
    """Data set and key are joined by a dot that either may hold."""
    one = block_name(AccountName(f"accounts/dataset-{dataset_id}"), key)
    other = block_name(AccountName(f"accounts/dataset-{other_id}"), other_key)

    assert one != other


@pytest.mark.parametrize(
    ("scheme", "record", "field"),
    [
        (BlockScheme.RECORD, ("", "may"), "records.id"),
        (BlockScheme.BATCH, ("a", ""), "records.batch"),
        (BlockScheme.RECORD, ("a" * 1025, ""), "records"),
    ],
)
def test_record_without_its_block_is_refused(
    scheme: BlockScheme, record: tuple[str, str], field: str
) -> None:
    """Nobody could say who pays."""
    with pytest.raises(FieldInvalid) as caught:
        touched(dataset(scheme), record)

    assert caught.value.metadata["field"] == field


def test_block_opens_on_the_data_sets_terms() -> None:
    """Delta, calendar and zone are shared; limit and order are the block's own."""
    terms = dataset(BlockScheme.RECORD, renewal=RenewalPolicy.MONTHLY)

    block = block_terms(terms, block_name(WARD, "a"))

    assert (block.limit_units, block.order) == (100, 9.0)
    assert (block.delta, block.renewal, block.zone) == (
        1e-6,
        RenewalPolicy.MONTHLY,
        "Europe/Berlin",
    )


def test_batch_never_renews() -> None:
    """New data is a new block; an old one keeps what it spent."""
    terms = dataset(BlockScheme.BATCH, renewal=RenewalPolicy.ON_NEW_DATA)

    assert block_terms(terms, block_name(WARD, "may")).renewal is RenewalPolicy.NONE


def test_undivided_data_set_has_no_blocks() -> None:
    """Its account alone is charged."""
    plain = AccountTerms(name=WARD, limit_units=1, delta=1e-6)

    assert blocks_touched(plain, [RecordKey("a")]) == ()
