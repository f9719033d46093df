"""Members in a SQLite file."""

from pathlib import Path

import pytest

from tests.support.member_store_conformance import MemberStoreConformance


class TestMemberStoreOnSqlite(MemberStoreConformance):
    """The default of a coordinator."""

    __test__ = True

    @pytest.fixture
    def url(self, tmp_path: Path) -> str:
        """Return the address of a new file."""
        return f"sqlite+aiosqlite:///{tmp_path}/members.sqlite"
