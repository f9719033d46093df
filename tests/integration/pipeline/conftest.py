"""A registry and three shard nodes of one tiny model, and leaders on demand."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.fix_pki import Pki
from tests.support.pipeline_world import PipelineWorld, pipeline_world
from tests.support.split_models import LAYERS, build_split_model


@pytest.fixture(scope="session")
def split_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the directory of a model of six layers."""
    return build_split_model(tmp_path_factory.mktemp("split") / "llama", "llama")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(pki: Pki, split_directory: Path) -> AsyncIterator[PipelineWorld]:
    """Run a registry and three nodes that make up the model, for a file."""
    async with pipeline_world(pki) as made:
        for name, layers in (("a", (0, 2)), ("b", (2, 3)), ("c", (3, LAYERS))):
            await made.shard(name, split_directory, layers)
        yield made
