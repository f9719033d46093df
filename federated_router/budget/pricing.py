"""What a release charges: which accounts, and how many units of each one's measure.

Decides accounts and charges from public facts alone: data set, mechanism, public
record names, user. Refuses to know balances. Terms of an account never change, so they
are read once and kept.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from federated_router.budget.accounts import AccountName, AccountTerms, BlockScheme
from federated_router.budget.blocks import RecordKey, block_terms, blocks_touched
from federated_router.budget.ledger import CHARGES_MAX
from federated_router.budget.port import LedgerStore
from federated_router.budget.quotas import Quotas
from federated_router.budget.reservation import Charge
from federated_router.kit.errors import (
    AccountUnknown,
    DatasetUnknown,
    FieldInvalid,
    NotPrivatelyServable,
)
from federated_router.privacy.measure import Measure, step_units
from federated_router.privacy.step import Step
from federated_router.privacy.step_text import step_text

BLOCKS_MAX: Final = CHARGES_MAX - 3
_TERMS_KEPT_MAX: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What somebody wants to publish, by its public facts.

    `records` name what is read, for data sets with blocks; None where they were chosen
    by content, so that naming them would tell something. `policy` is for the record.
    `user` is None for a price that nobody in particular asks.
    """

    dataset: str
    step: Step
    user: str | None
    records: tuple[RecordKey, ...] | None
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Price:
    """What a step charges, terms of accounts to open on the way, the stored event."""

    step: Step
    dataset: AccountTerms
    charges: tuple[Charge, ...]
    opens: tuple[AccountTerms, ...]
    event: str

    @property
    def accounts(self) -> tuple[AccountName, ...]:
        """The accounts charged."""
        return tuple(charge.account for charge in self.charges)

    @property
    def dataset_step_units(self) -> int:
        """Charge of one step to the data set's account."""
        return next(
            charge.units_per_step
            for charge in self.charges
            if charge.account == self.dataset.name
        )


class Pricer:
    """Prices releases against the accounts of one ledger."""

    def __init__(self, ledger: LedgerStore, quotas: Quotas) -> None:
        self._ledger = ledger
        self._quotas = quotas
        self._kept: OrderedDict[AccountName, AccountTerms] = OrderedDict()

    async def price(self, release: Release) -> Price:
        """Return what the release charges.

        Raises:
            DatasetUnknown: the data set has no account.
            NotPrivatelyServable: records chosen by content from a data set with blocks.
            FieldInvalid: a record without the name that decides its block, or too many.
        """
        dataset = await self._dataset(release.dataset)
        blocks = tuple(
            block_terms(dataset, name) for name in _blocks_read(dataset, release)
        )
        return await self._priced(release, dataset, blocks)

    async def price_undivided(self, release: Release) -> Price:
        """Return what the release charges but for blocks, which its caller charges.

        For a release in parts that read different records. Raises DatasetUnknown.
        """
        dataset = await self._dataset(release.dataset)
        return await self._priced(release, dataset, ())

    async def _priced(
        self, release: Release, dataset: AccountTerms, blocks: tuple[AccountTerms, ...]
    ) -> Price:
        quotas = [await self._existing(one) for one in self._quotas_of(release.user)]
        charged = (dataset, *blocks, *quotas)
        charges = tuple(
            Charge(terms.name, step_units(release.step, Measure(terms.order)))
            for terms in charged
        )
        batches = (
            dataset.blocks is not None and dataset.blocks.scheme is BlockScheme.BATCH
        )
        opens = (*(() if batches else blocks), *quotas)
        return Price(release.step, dataset, charges, opens, event_text(release))

    def _quotas_of(self, user: str | None) -> tuple[AccountTerms, ...]:
        return () if user is None else self._quotas.of(user)

    async def _dataset(self, dataset: str) -> AccountTerms:
        try:
            return await self._terms(dataset_account(dataset))
        except AccountUnknown as error:
            raise DatasetUnknown(
                "This data set has no budget account; an operator creates one.",
                metadata={"dataset": f"datasets/{dataset}"},
            ) from error

    async def _existing(self, terms: AccountTerms) -> AccountTerms:
        """Return the terms that the account has, or `terms` if it is yet to be opened.

        An operator may have opened the account with limits of its own.
        """
        try:
            return await self._terms(terms.name)
        except AccountUnknown:
            return terms

    async def _terms(self, name: AccountName) -> AccountTerms:
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
            return kept
        found = (await self._ledger.get_account(name)).terms
        self._kept[name] = found
        if len(self._kept) > _TERMS_KEPT_MAX:
            self._kept.popitem(last=False)
        return found


def _blocks_read(dataset: AccountTerms, release: Release) -> tuple[AccountName, ...]:
    """Return the blocks that the release reads; none where there are no blocks."""
    if dataset.blocks is None:
        return ()
    if release.records is None:
        raise NotPrivatelyServable(
            "This data set is charged by blocks. Records chosen by their content "
            "would touch every block; choose them by public ids.",
            field="selection",
        )
    if not release.records:
        raise FieldInvalid(
            "Name the records, or blocks, that are read.", field="records"
        )
    names = blocks_touched(dataset, release.records)
    if len(names) > BLOCKS_MAX:
        raise FieldInvalid(
            f"A release reads at most {BLOCKS_MAX} blocks.", field="records"
        )
    return names


def event_text(release: Release) -> str:
    """Return the mechanism, data set and policy as the ledger stores them."""
    context = {"dataset": f"datasets/{release.dataset}"}
    if release.policy:
        context["policy"] = release.policy
    return step_text(release.step, context=context)


def dataset_account(dataset: str) -> AccountName:
    """Return the account of a data set, given its id."""
    return AccountName(f"accounts/dataset-{dataset}")
