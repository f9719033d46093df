"""What a coordinator may be told, and what it refuses at its start."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from coordinator.app import build
from coordinator.config import CoordinatorSettings
from federated_router.kit.config import ConfigurationError, load
from federated_router.priors.buckets import LATENCY_BOUNDS_MS
from tests.support.round_member import Certificates

TEMPLATE = """
[tls]
certificate = "{certificate}"
private_key = "{private_key}"
authority = "{authority}"

[store]
url = "sqlite+aiosqlite:///{directory}/coordinator.sqlite"

[catalogue]
models = ["small", "large"]
regions = ["eu", "us"]

[rounds]
noise_scale = 4.0
{more}
"""


def written(
    directory: Path,
    certificates: Certificates,
    *,
    name: str = "coordinator/main",
    more: str = "",
) -> Path:
    """Write a configuration with what has no default, and `more`."""
    files = certificates.issue(name)
    path = directory / "coordinator.toml"
    content = TEMPLATE.format(
        certificate=files.certificate,
        private_key=files.private_key,
        authority=files.authority,
        directory=directory,
        more=more,
    )
    path.write_text(content)
    return path


def test_smallest_configuration_gives_terms(
    directory: Path, certificates: Certificates
) -> None:
    """Models are named as resources; everything else has a stated default."""
    settings = load(written(directory, certificates), CoordinatorSettings)

    terms = settings.terms()

    assert terms.catalogue.models == ("models/small", "models/large")
    assert terms.catalogue.latency_bounds_ms == LATENCY_BOUNDS_MS
    assert (terms.participation_min, terms.members_min) == (0.8, 3)
    assert terms.colluders_max is None


@pytest.mark.parametrize(
    "more",
    [
        "unknown = 1",
        "participation_min = 0.0",
        "members_min = 2",
        "members_max = 2000",
        "[watch]\nsign_of_life_s = 60",
    ],
)
def test_value_out_of_range_is_refused(
    directory: Path, certificates: Certificates, more: str
) -> None:
    """Unknown keys too: a misspelt limit is no limit."""
    with pytest.raises(ConfigurationError):
        load(written(directory, certificates, more=more), CoordinatorSettings)


async def test_terms_that_no_round_can_keep_stop_the_start(
    directory: Path, certificates: Certificates
) -> None:
    """Headroom is checked before anybody joins: noise of this size would wrap."""
    content = written(directory, certificates).read_text()
    path = directory / "noisy.toml"
    path.write_text(content.replace("noise_scale = 4.0", "noise_scale = 1e8"))

    with pytest.raises(ConfigurationError, match="wrap"):
        await build(load(path, CoordinatorSettings))


async def test_certificate_of_another_role_stops_the_start(
    directory: Path, certificates: Certificates
) -> None:
    """Members would refuse its signature under every survivor set."""
    path = written(directory, certificates, name="node/node-1")

    with pytest.raises(ConfigurationError, match="coordinator"):
        await build(load(path, CoordinatorSettings))


def test_settings_are_frozen(directory: Path, certificates: Certificates) -> None:
    """Configuration is data."""
    settings = load(written(directory, certificates), CoordinatorSettings)

    with pytest.raises(ValidationError):
        settings.rounds.noise_scale = 0.0
