"""An encoder's directory, made once."""

from pathlib import Path

import pytest

from tests.unit.choice.tiny_encoder import save


@pytest.fixture(scope="session")
def encoder_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a small encoder that knows two kinds of words."""
    return save(tmp_path_factory.mktemp("encoder"))
