"""Who may get requests of which level, and where such requests may go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.sensitivity.levels import Sensitivity
from federated_router.sensitivity.settings import ResidencySettings, TrustSettings
from federated_router.sensitivity.trust import Residency, Trust

REGIONS = ("eu-west", "eu-north", "us-east")
some_regions = st.lists(st.sampled_from(REGIONS), unique=True).map(tuple)
levels = st.sampled_from(Sensitivity)


def may_go(settings: ResidencySettings, level: Sensitivity) -> set[str]:
    """Return the regions that a request of a level may go to."""
    residency = Residency(settings)
    return {region for region in REGIONS if residency.up_to(region) >= level}


def test_a_node_is_trusted_as_the_configuration_says_and_else_by_default() -> None:
    """Names are the node's certificate's; nothing that it says of itself counts."""
    trust = Trust(
        TrustSettings.model_validate(
            {"default": "public", "sensitive": ["nodes/a"], "internal": ["nodes/b"]}
        )
    )

    assert trust.of("nodes/a") is Sensitivity.SENSITIVE
    assert trust.of("nodes/b") is Sensitivity.INTERNAL
    assert trust.of("nodes/c") is trust.default is Sensitivity.PUBLIC
    assert set(trust.by_node) == {"nodes/a", "nodes/b"}


def test_by_default_nobody_is_trusted_with_personal_requests() -> None:
    """Trust is given by name."""
    assert Trust(TrustSettings()).of("nodes/a") is Sensitivity.INTERNAL


@pytest.mark.parametrize(
    "bad",
    [
        {"sensitive": ["a"]},
        {"sensitive": ["nodes/A B"]},
        {"sensitive": ["models/a"]},
        {"sensitive": ["nodes/a", "nodes/a"]},
        {"sensitive": ["nodes/a"], "public": ["nodes/a"]},
        {"default": "all"},
        {"secret": ["nodes/a"]},
    ],
)
def test_trust_that_could_be_misread_is_refused_at_the_start(
    bad: dict[str, object],
) -> None:
    """A node under two levels, or one that no certificate can name, is a mistake."""
    with pytest.raises(ValueError, match="validation error"):
        TrustSettings.model_validate(bad)


def test_without_lists_every_request_may_go_everywhere() -> None:
    """Empty stands for all regions."""
    for level in Sensitivity:
        assert may_go(ResidencySettings(), level) == set(REGIONS)


def test_a_list_keeps_requests_of_its_level_within_its_regions() -> None:
    """Those below it go where they like; nothing is said of them."""
    settings = ResidencySettings(sensitive=("eu-west",))

    assert may_go(settings, Sensitivity.SENSITIVE) == {"eu-west"}
    assert may_go(settings, Sensitivity.INTERNAL) == set(REGIONS)


def test_a_region_that_no_public_request_may_go_to_gets_none() -> None:
    """0 is below every level."""
    residency = Residency(ResidencySettings(public=("eu-west",)))
    assert residency.up_to("us-east") == 0 < min(Sensitivity)


@given(some_regions, some_regions, some_regions, levels)
def test_a_level_goes_where_its_list_and_all_below_it_admit(
    public: tuple[str, ...],
    internal: tuple[str, ...],
    sensitive: tuple[str, ...],
    level: Sensitivity,
) -> None:
    """So more sensitivity never admits more regions."""
    lists = (public, internal, sensitive)
    admitted = set(REGIONS)
    for regions in lists[:level]:
        admitted &= set(regions or REGIONS)

    settings = ResidencySettings(public=public, internal=internal, sensitive=sensitive)

    assert may_go(settings, level) == admitted
