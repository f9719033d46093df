"""What an operator writes under [catalogue], and what is refused in those words."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from coordinator.priors.settings import CatalogueSettings
from federated_router.kit.config import ConfigurationError, load
from federated_router.priors import features, limits, patterns
from federated_router.priors.blocks import Block


def test_smallest_section_sums_performance_with_a_minimum_sample_size() -> None:
    """Defaults are the stated ones; models are named as resources."""
    found = CatalogueSettings(models=("small",), regions=("eu",)).catalogue()

    assert found.models == ("models/small",)
    assert found.blocks == (Block.PERFORMANCE,)
    assert found.tiers == ("standard",)
    assert (found.samples_min, found.requests_per_user_max) == (100, 0)
    assert found.patterns == ()
    assert found.features_version == found.patterns_version == 0


def test_patterns_and_features_are_those_that_members_compute() -> None:
    """An operator chooses the block, and the program says what it means."""
    found = CatalogueSettings(
        models=("small",),
        regions=("eu",),
        blocks=("performance", "patterns", "bandit"),  # type: ignore[arg-type]
    ).catalogue()

    assert found.patterns == patterns.PATTERNS
    assert found.patterns_version == patterns.PATTERNS_VERSION
    assert found.features_version == features.FEATURES_VERSION
    assert found.features == features.FEATURE_COUNT
    assert found.feature_norm_squared == features.FEATURE_NORM**2
    assert found.reward_max == features.REWARD_MAX


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ('models = ["a"]\nregions = ["eu"]\nblocks = ["weather"]', "blocks"),
        ('models = ["a"]\nregions = ["eu"]\nblocks = ["tokens"]', "blocks: "),
        ('models = ["a", "a"]\nregions = ["eu"]', "models: "),
        ('models = ["a"]\nregions = ["eu"]\ntiers = ["x", "x"]', "tiers: "),
        ('models = ["a"]\nregions = ["eu"]\nsamples_min = -1', "samples_min"),
        ('models = ["a"]\nregions = ["eu"]\ntoken_unit = 0.0', "token_unit"),
        ('models = ["a"]\nregions = ["eu"]\nlatency_bounds_ms = [2.0, 1.0]', "rising"),
    ],
)
def test_section_that_is_no_layout_is_refused_in_its_words(
    tmp_path: Path, section: str, said: str
) -> None:
    """Before anything is opened, and with the key that is to change."""
    path = tmp_path / "catalogue.toml"
    path.write_text(section)

    with pytest.raises(ConfigurationError, match=said):
        load(path, CatalogueSettings)


def test_catalogue_that_does_not_fit_names_its_longest_axis() -> None:
    """Five thousand models are refused as models, with the limit."""
    models = tuple(f"model-{number}" for number in range(5000))

    with pytest.raises(ValidationError, match=rf"models: .*{limits.CELLS_MAX}"):
        CatalogueSettings(models=models, regions=("eu",))
