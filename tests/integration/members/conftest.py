"""A coordinator that takes enrolled members only, for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from tests.support.fix_pki import Pki
from tests.support.members_world import MembersWorld, members_world


@pytest_asyncio.fixture
async def world(pki: Pki, tmp_path: Path) -> AsyncIterator[MembersWorld]:
    """Run a coordinator that takes enrolled members only."""
    async with members_world(pki, tmp_path, enrolment="required") as made:
        yield made
