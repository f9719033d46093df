"""Fixtures of the command's tests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from federated_router.cli.connection import Federation
from federated_router.kit.config import TlsSettings
from federated_router.kit.identity import Role
from tests.support.budget_desk import Desk, InProcessChannel


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Return a desk whose command reaches the router in memory."""
    one = Desk(tmp_path)
    one.describe()

    @asynccontextmanager
    async def channel(
        self: Federation,
        role: Role,
        *,
        node: str = "",
        as_client: TlsSettings | None = None,
    ) -> AsyncIterator[InProcessChannel]:
        del role, node
        yield one.channel((as_client or self.operator).certificate)

    monkeypatch.setattr(Federation, "channel", channel)
    return one
