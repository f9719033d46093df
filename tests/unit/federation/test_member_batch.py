"""A batch in the vault, and read over a catalogue's buckets."""

import json

from hypothesis import given
from hypothesis import strategies as st

from federated_router.federation.batch import Batch
from federated_router.federation.records import (
    FailureCause,
    PatternOutcome,
    Pull,
    RequestRecord,
    Success,
)
from federated_router.federation.statistics import Statistics
from federated_router.priors.blocks import Block
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import (
    BanditSums,
    CarbonSums,
    Cell,
    CellCounts,
    HoldoutSums,
    PatternCell,
    PatternCounts,
)
from federated_router.priors.features import (
    FEATURE_COUNT,
    FEATURE_NORM,
    FEATURES_VERSION,
    REWARD_MAX,
    features_of,
)
from federated_router.priors.patterns import PATTERNS, PATTERNS_VERSION
from federated_router.priors.prompt import prompt_of
from tests.support.some_users import limited, user

EU, US = Cell("models/a", "eu"), Cell("models/a", "us")
FEATURES = features_of(prompt_of(["What is 2+2?"]))

requests = st.builds(
    RequestRecord,
    cell=st.sampled_from([EU, US]),
    user=st.sampled_from([user(1), user(2)]),
    performance=st.none()
    | st.sampled_from(FailureCause)
    | st.builds(
        Success,
        latency_ms_per_token=st.floats(0, 2000),
        tokens=st.integers(0, 64),
        cost=st.integers(0, 64),
        energy=st.integers(0, 64),
    ),
    carbon=st.none() | st.integers(0, 64),
    pattern=st.none()
    | st.builds(PatternOutcome, st.sampled_from(PATTERNS), st.booleans()),
    pull=st.none() | st.builds(Pull, st.just(FEATURES), st.integers(0, REWARD_MAX)),
)


@given(st.lists(requests, max_size=30))
def test_batch_survives_the_vault(recorded: list[RequestRecord]) -> None:
    """What is stored is read back the same, block for block and user for user."""
    statistics = limited(9)
    for record in recorded:
        statistics.record(record)
    batch = statistics.pending()

    assert Batch.from_bytes(batch.to_bytes()) == batch


def test_batch_of_the_first_version_is_still_read() -> None:
    """A member may be upgraded while its contribution waits for the end of a round."""
    stored = json.dumps([[1.0, 2.0], [["models/a", "eu", [3, 0, 1], 2]]]).encode()

    batch = Batch.from_bytes(stored)

    assert batch.requests == 6
    assert batch.cells == {EU: CellCounts((3, 0, 1), 2)}
    assert batch.requests_per_user_max == 0


def test_each_block_sums_over_the_cells_of_its_key() -> None:
    """Patterns and the bandit are by model, carbon by region, the rest by cell."""
    statistics = Statistics(latency_bounds_ms=(1.0, 2.0, 4.0))
    for cell in (EU, US, US):
        statistics.record(
            RequestRecord(
                cell=cell,
                performance=Success(latency_ms_per_token=1.5, tokens=2, energy=1),
                carbon=10,
                pattern=PatternOutcome("code", succeeded=True),
                pull=Pull(FEATURES, reward=3),
            )
        )
    statistics.record(
        RequestRecord(cell=EU, pattern=PatternOutcome("code", succeeded=False))
    )

    contents = statistics.pending().over((2.0,))

    assert contents.performance == {
        EU: CellCounts((1, 0), 0, tokens=2, energy=1),
        US: CellCounts((2, 0), 0, tokens=4, energy=2),
    }
    assert contents.patterns == {PatternCell("code", "models/a"): PatternCounts(3, 1)}
    assert contents.carbon == {"eu": CarbonSums(1, 10), "us": CarbonSums(2, 20)}
    assert contents.bandits == {"models/a": bandit(times=3, reward=3)}
    assert contents.holdout == HoldoutSums(0, 0)


def bandit(*, times: int, reward: int) -> BanditSums:
    """Return the sums of the same pull so many times, by the definition."""
    d = len(FEATURES)
    gram = [FEATURES[i] * FEATURES[j] for i in range(d) for j in range(i, d)]
    return BanditSums(
        tuple(times * value for value in gram),
        tuple(times * reward * value for value in FEATURES),
    )


@given(st.lists(requests, max_size=30))
def test_every_batch_fits_the_widest_catalogue(recorded: list[RequestRecord]) -> None:
    """What is recorded is encoded without being clipped, but for what is left out."""
    statistics = Statistics()
    for record in recorded:
        statistics.record(record)
    catalogue = Catalogue(
        version=1,
        models=("models/a",),
        regions=("eu", "us"),
        slot_max=1000,
        blocks=tuple(Block),
        patterns=PATTERNS,
        patterns_version=PATTERNS_VERSION,
        features_version=FEATURES_VERSION,
        features=FEATURE_COUNT,
        feature_norm_squared=FEATURE_NORM**2,
    )
    statistics.require_fitting(catalogue)

    contents = statistics.pending().over(catalogue.latency_bounds_ms)
    encoding = catalogue.encode(contents)

    assert (encoding.left_out, encoding.clipped) == (0, 0)
    decoded = catalogue.decode(encoding.values)
    for key, counts in contents.patterns.items():
        assert decoded.patterns[key] == counts
    for model, sums in contents.bandits.items():
        assert decoded.bandits[model] == sums
    assert sum(one.requests for one in decoded.performance.values()) == sum(
        one.requests for one in contents.performance.values()
    )
