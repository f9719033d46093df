"""A round that stands in OPENING, made once for all tests that read it."""

from collections.abc import Iterator

import pytest

from tests.unit.aggregation_fuzz.told import Told, tell


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Give a round that stands in OPENING, with a roster that was verified."""
    made = tell(tmp_path_factory.mktemp("told"))
    yield made
    made.stage.close()
