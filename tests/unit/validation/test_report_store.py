"""Reports: as JSON, as a message, and in SQLite."""

from pathlib import Path

import pytest

from coordinator.validation.messages import report_message
from coordinator.validation.report import from_json, to_json
from tests.support.report_store_conformance import REPORT, ReportStoreConformance


def test_report_survives_its_way_through_json() -> None:
    """Nothing is lost, and tuples come back as tuples."""
    assert from_json(to_json(REPORT)) == REPORT


def test_message_says_what_the_report_says() -> None:
    """Every field of the contract is filled from the report."""
    message = report_message(REPORT)

    filled = {field.name for field, _ in message.ListFields()}
    assert filled == {field.name for field in message.DESCRIPTOR.fields}
    assert message.quality == 0.625
    assert message.holdout.conclusive
    assert [cohort.survivors for cohort in message.cohorts] == [4, 5, 0]
    assert [cohort.outlier for cohort in message.cohorts] == [False, True, False]
    assert message.dip.samples == 50
    assert list(message.failed_checks) == ["stability"]


class TestReportStoreOnSqlite(ReportStoreConformance):
    """The default."""

    __test__ = True

    @pytest.fixture
    def url(self, directory: Path) -> str:
        """Return an address of no file yet."""
        return f"sqlite+aiosqlite:///{directory}/rounds.sqlite"
