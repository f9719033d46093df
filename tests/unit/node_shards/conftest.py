"""Tiny random models to be split, made once for all tests of shards."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.support.split_models import build_split_model

SplitModel = Callable[[str], Path]


@pytest.fixture(scope="session")
def split_model(tmp_path_factory: pytest.TempPathFactory) -> SplitModel:
    """Return what gives the directory of a model of an architecture."""
    directory = tmp_path_factory.mktemp("split")

    @cache
    def made(model_type: str) -> Path:
        return build_split_model(directory / model_type, model_type)

    return made
