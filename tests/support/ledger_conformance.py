"""What every ledger store must do; each implementation inherits these tests.

A subclass provides the fixture `store`, which uses the fixture `clock` of this class.
"""

from collections.abc import AsyncIterator

import pytest

from federated_router.budget.port import LedgerStore
from federated_router.kit.clock import ManualClock
from tests.support.ledger_accounts_conformance import AccountsConformance
from tests.support.ledger_bounds_conformance import BoundsConformance
from tests.support.ledger_records_conformance import RecordsConformance
from tests.support.ledger_reserve_conformance import ReserveConformance
from tests.support.ledger_settle_conformance import SettleConformance
from tests.support.ledger_terms_conformance import TermsConformance
from tests.support.ledger_windows_conformance import WindowsConformance
from tests.support.ledger_world import NOON_S, assert_chained


class LedgerConformance(
    TermsConformance,
    AccountsConformance,
    ReserveConformance,
    SettleConformance,
    BoundsConformance,
    WindowsConformance,
    RecordsConformance,
):
    """The promises of `LedgerStore`."""

    __test__ = False

    @pytest.fixture
    def clock(self) -> ManualClock:
        """Return a clock that stands at noon."""
        return ManualClock(NOON_S)

    @pytest.fixture(autouse=True)
    async def chain_holds(self, store: LedgerStore) -> AsyncIterator[None]:
        """Verify the whole chain after each test: whatever happened is in it."""
        yield
        await assert_chained(store)
