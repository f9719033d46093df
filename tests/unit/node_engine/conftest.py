"""A tiny random model, made once for all tests of the engine."""

from pathlib import Path

import pytest

from tests.support.tiny_model import build_tiny_model


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Hugging Face directory with a model of a few thousand parameters."""
    return build_tiny_model(tmp_path_factory.mktemp("tiny") / "model")
