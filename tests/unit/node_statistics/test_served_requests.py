"""What a node shows of its requests: to its operator, and as metrics."""

import pytest
from prometheus_client import REGISTRY

from federated_router.api.v1 import ops_pb2
from federated_router.federation.records import FailureCause
from federated_router.federation.statistics import Statistics
from federated_router.kit.clock import ManualClock
from node.engine.pieces import FinishReason
from node.statistics.costs import ModelCosts
from node.statistics.endings import Ending, TokenCounts
from node.statistics.energy_shares import EnergyShares
from node.statistics.energy_sources import EnergySource
from node.statistics.recorder import RequestRecorder
from node.statistics.served import ServedRequests

RAPL = EnergySource.MEASURED_RAPL
REGION = "served-test"
CELL = {"model": "models/a", "region": REGION, "tier": "premium"}


class Setting:
    """A recorder of two models: one that runs here, one that another server runs."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.statistics = Statistics()
        self.served = ServedRequests()
        self.shares = EnergyShares(waiting_max=8)
        self.recorder = RequestRecorder(
            region=REGION,
            statistics=self.statistics,
            clock=self.clock,
            costs={
                "models/a": ModelCosts("premium", token_price=0.01, power_w=40.0),
                "models/upstream": ModelCosts(power_w=10.0, runs_here=False),
            },
            carbon_g_per_kwh=360.0,
            served=self.served,
            shares=self.shares,
        )

    async def answer(self, model: str = "models/a", *, private: bool = False) -> None:
        """Answer with five tokens: the first after 1 s, the rest in 2 s."""
        timing = self.recorder.begin(model, private=private)
        if private:
            timing.rows_laid_out(rows=3, row_tokens=8)
        await self.clock.advance(1.0)
        timing.progress(TokenCounts(prompt=6, cached=2, output=1))
        await self.clock.advance(2.0)
        timing.progress(
            TokenCounts(prompt=6, cached=2, output=5), finish=FinishReason.END
        )
        timing.answer()


@pytest.fixture
def setting() -> Setting:
    """Return a node that has served nothing."""
    return Setting()


def endings(shown: ops_pb2.ServedRequests) -> dict[str, int]:
    """Return how many requests ended how."""
    return {one.ending: one.requests for one in shown.endings}


async def test_every_figure_of_an_answer_is_shown(setting: Setting) -> None:
    """40 W for 3 s are 120 J, which at 360 g/kWh are 0.012 g."""
    await setting.answer()

    (shown,) = setting.served.messages()

    assert {"model": shown.model, "region": shown.region, "tier": shown.tier} == CELL
    assert endings(shown) == {"end": 1}
    assert (shown.prompt_tokens, shown.prompt_tokens_cached) == (6, 2)
    assert shown.output_tokens == 5
    assert shown.cost == pytest.approx(0.05)
    assert [(one.source, one.energy_j) for one in shown.energy] == [("modelled", 120.0)]
    assert shown.co2e_g == pytest.approx(0.012)
    assert shown.time_to_first_token_mean_ms == pytest.approx(1000)
    assert shown.time_per_output_token_mean_ms == pytest.approx(500)
    assert shown.duration_mean_ms == pytest.approx(3000)


async def test_every_ending_is_shown_and_few_are_summed_by_rounds(
    setting: Setting,
) -> None:
    """Cancelled and refused requests say nothing about the node: rounds leave them."""
    for end in (
        lambda timing: timing.fail(FailureCause.OVERLOAD),
        lambda timing: timing.cancel(),
        lambda timing: timing.refuse(),
        lambda timing: timing.refuse(),
    ):
        end(setting.recorder.begin("models/a"))
    await setting.answer()

    (shown,) = setting.served.messages()

    assert endings(shown) == {"end": 1, "overload": 1, "cancelled": 1, "refused": 2}
    assert setting.statistics.pending().requests == 2


async def test_measured_energy_takes_the_place_of_the_model(setting: Setting) -> None:
    """And it is labelled so, for the operator, for metrics, and in what rounds sum."""
    setting.shares.use(RAPL)
    await setting.answer()
    assert setting.served.messages() == []

    setting.shares.take({RAPL: 16.0})

    (shown,) = setting.served.messages()
    (counts,) = setting.statistics.pending().cells.values()
    assert [(one.source, one.energy_j) for one in shown.energy] == [
        ("measured_rapl", 16.0)
    ]
    assert counts.energy == 2


async def test_other_servers_energy_is_never_on_this_machines_meter(
    setting: Setting,
) -> None:
    """It is modelled at once, while the meter counts for the models that run here."""
    setting.shares.use(RAPL)

    await setting.answer("models/upstream")

    (shown,) = setting.served.messages()
    assert [(one.source, one.energy_j) for one in shown.energy] == [("modelled", 30.0)]


async def test_private_requests_are_a_cell_of_their_own(setting: Setting) -> None:
    """With no figure that a record's length could move."""
    await setting.answer(private=True)

    (shown,) = setting.served.messages()
    assert shown.tier == "private"
    assert shown.prompt_tokens == 6


async def test_cells_beyond_the_limit_are_counted_nowhere(setting: Setting) -> None:
    """Memory and the number of labels are bounded, whoever names the models."""
    setting.served = ServedRequests(cells_max=1)
    recorder = RequestRecorder(
        region=REGION,
        statistics=Statistics(),
        clock=setting.clock,
        served=setting.served,
    )
    for name in ("models/first", "models/second"):
        recorder.begin(name).cancel()

    assert [shown.model for shown in setting.served.messages()] == ["models/first"]
    labels = {"model": "models/second", "region": REGION, "tier": "standard"}
    assert sample("node_requests_total", labels | {"ending": "cancelled"}) == 0.0


def test_co2e_is_absent_where_the_intensity_is_unknown() -> None:
    """None is not nothing."""
    served = ServedRequests()
    RequestRecorder(
        region=REGION, statistics=Statistics(), clock=ManualClock(), served=served
    ).begin("models/a").refuse()

    (shown,) = served.messages()

    assert not shown.HasField("co2e_g")


def sample(name: str, labels: dict[str, str]) -> float:
    """Return a figure of the process's metrics; 0 before it was counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("name", "labels", "rise"),
    [
        ("node_requests_total", {"ending": "end"}, 1.0),
        ("node_request_prompt_tokens_total", {}, 6.0),
        ("node_request_prompt_tokens_cached_total", {}, 2.0),
        ("node_request_output_tokens_total", {}, 5.0),
        ("node_request_cost_total", {}, 0.05),
        ("node_request_energy_joules_total", {"source": "modelled"}, 120.0),
        ("node_request_co2e_grams_total", {}, 0.012),
        ("node_time_to_first_token_seconds_sum", {}, 1.0),
        ("node_time_per_output_token_seconds_sum", {}, 0.5),
        ("node_request_duration_seconds_sum", {}, 3.0),
        ("node_request_duration_seconds_count", {}, 1.0),
    ],
)
async def test_answer_raises_every_metric(
    setting: Setting, name: str, labels: dict[str, str], rise: float
) -> None:
    """A dashboard needs no more than the scraper's certificate."""
    before = sample(name, CELL | labels)

    await setting.answer()

    assert sample(name, CELL | labels) - before == pytest.approx(rise)


async def test_failure_has_no_duration_of_an_answer(setting: Setting) -> None:
    """Timeouts would be the longest answers of all."""
    name = "node_request_duration_seconds_count"
    before = sample(name, CELL)

    setting.recorder.begin("models/a").fail(FailureCause.DEADLINE)

    assert sample(name, CELL) == before


def test_every_cause_of_an_ending_has_its_name() -> None:
    """A new cause must not break the counting of the request that meets it."""
    for cause in (*FailureCause, *FinishReason):
        assert Ending.of(cause).value == cause.value
