"""Jobs in SQLite."""

from pathlib import Path

import pytest

from tests.support.synthesis_store_conformance import SynthesisStoreConformance


class TestSqliteJobs(SynthesisStoreConformance):
    """A file of the test's own."""

    __test__ = True

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return where the jobs lie."""
        return f"sqlite+aiosqlite:///{tmp_path / 'ledger.sqlite'}"
