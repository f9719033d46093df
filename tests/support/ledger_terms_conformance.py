"""What every ledger store must promise of an account's terms."""

import pytest

from federated_router.budget.accounts import UNITS_MAX, AccountName
from federated_router.budget.port import LedgerStore
from federated_router.kit.errors import (
    AccountExists,
    AccountUnknown,
    FieldInvalid,
)
from tests.support.ledger_world import (
    BOTH,
    DATASET,
    USER,
    Balance,
    balance,
    request,
    terms,
)


class TermsConformance:
    """The promises about terms."""

    async def test_new_account_is_empty(self, store: LedgerStore) -> None:
        """Nothing is spent before anything was asked."""
        created = await store.create_account(terms(limit_units=1000))

        assert created == await store.get_account(DATASET)
        assert Balance.of(created) == Balance(0, 0, 0)
        assert created.free_units == 1000

    async def test_same_account_again_is_the_account_as_it_is(
        self, store: LedgerStore
    ) -> None:
        """A deployment may create its accounts at every start."""
        await store.create_account(terms())
        await store.reserve(request())

        again = await store.create_account(terms())

        assert again.reserved_units == 200

    async def test_account_with_other_terms_is_refused(
        self, store: LedgerStore
    ) -> None:
        """A limit never changes by accident."""
        await store.create_account(terms(limit_units=1000))

        with pytest.raises(AccountExists):
            await store.create_account(terms(limit_units=2000))

        assert (await store.get_account(DATASET)).limit_units == 1000

    @pytest.mark.parametrize(
        "wrong",
        [
            terms(AccountName("accounts/ward")),
            terms(AccountName("dataset-ward")),
            terms(limit_units=-1),
            terms(limit_units=UNITS_MAX + 1),
            terms(limit_units=True),
            terms(zone="Mars/Olympus"),
            terms(zone="../etc/passwd"),
            terms(lifetime_cap_units=-1),
        ],
    )
    async def test_impossible_terms_are_refused(
        self, store: LedgerStore, wrong: object
    ) -> None:
        """What cannot be kept is not promised."""
        with pytest.raises(FieldInvalid):
            await store.create_account(wrong)  # type: ignore[arg-type]

    async def test_unknown_account_is_named(self, store: LedgerStore) -> None:
        """A charge to nobody is a mistake of the caller, and holds nothing."""
        await store.create_account(terms())

        with pytest.raises(AccountUnknown) as caught:
            await store.reserve(request(charges=BOTH))
        with pytest.raises(AccountUnknown):
            await store.get_account(USER)

        assert caught.value.metadata == {"account": USER}
        assert await balance(store) == Balance(0, 0, 0)
