"""What is told of an answer, and summed for its tenant."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.footprint.footprints import OTHER, Footprints
from federated_router.footprint.intensities import Intensities
from federated_router.footprint.settings import CarbonSettings, FootprintSettings
from federated_router.footprint.totals import OTHERS, TenantTotal
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid
from federated_router.registry.membership import NO_TARIFF, Tariff

TARIFF = Tariff(prompt_joules=100.0, completion_joules=900.0, completion_cost=4.0)


def footprints(*, tenants_max: int = 1000, labels_max: int = 1024) -> Footprints:
    """Return sums of a router that knows one region."""
    settings = FootprintSettings(
        carbon=CarbonSettings(intensities={"eu-west": 360.0}),
        tenants_max=tenants_max,
        labels_max=labels_max,
    )
    return Footprints(settings, Intensities(settings.carbon, clock=ManualClock()))


def answer(
    sums: Footprints, region: str = "eu-west", tokens: int = 1000
) -> pb.Footprint:
    """Return what an answer of so many tokens took."""
    return sums.of(
        region,
        TARIFF,
        prompt_tokens=0,
        prompt_tokens_cached=0,
        completion_tokens=tokens,
    )


def page(sums: Footprints, tenant: str | None = None) -> dict[str, TenantTotal]:
    """Return all sums by tenant."""
    found, _ = sums.page(tenant=tenant, size=1000, token="")
    return {total.tenant: total for total in found}


def test_an_answers_footprint_says_where_its_figures_come_from() -> None:
    """Joules, grams, cost, basis and intensity, as the contract has them."""
    taken = answer(footprints())

    assert taken.joules == 900.0
    assert taken.co2e_mg == pytest.approx(90.0)
    assert taken.cost == 4.0
    assert taken.energy_basis == pb.ENERGY_BASIS_MODELLED
    assert taken.carbon_intensity == 360.0


def test_nothing_known_is_told_as_absent() -> None:
    """An absent field is no zero."""
    sums = footprints()
    nowhere = answer(sums, region="nowhere")
    unknown = sums.of(
        "eu-west",
        NO_TARIFF,
        prompt_tokens=1,
        prompt_tokens_cached=0,
        completion_tokens=1,
    )

    assert not nowhere.HasField("co2e_mg")
    assert not nowhere.HasField("carbon_intensity")
    assert not unknown.HasField("co2e_mg")
    assert unknown.energy_basis == pb.ENERGY_BASIS_UNSPECIFIED


def test_a_tenants_sums_keep_apart_what_has_no_intensity() -> None:
    """Grams are of the energy whose intensity was known; the rest is told beside."""
    sums = footprints()
    sums.add("ana", answer(sums))
    sums.add("ana", answer(sums, region="nowhere"))
    sums.add_cached("ana")

    mine = page(sums)["ana"]

    assert (mine.answers, mine.answers_cached) == (2, 1)
    assert (mine.joules, mine.joules_without_intensity) == (1800.0, 900.0)
    assert mine.co2e_mg == pytest.approx(90.0)
    assert mine.cost == 8.0


@given(
    st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.integers(0, 5000))),
    st.integers(1, 12),
)
def test_the_sums_of_tenants_are_the_sum_of_answers(
    answers: list[tuple[int, bool, int]], tenants_max: int
) -> None:
    """However few tenants are remembered by name, nothing is lost."""
    sums, joules, grams = footprints(tenants_max=tenants_max), 0.0, 0.0
    for tenant, known, tokens in answers:
        taken = answer(sums, "eu-west" if known else "nowhere", tokens)
        joules, grams = joules + taken.joules, grams + taken.co2e_mg
        sums.add(f"t{tenant}", taken)

    told = page(sums)

    assert len(told.keys() - {OTHERS}) <= tenants_max
    assert sum(one.answers for one in told.values()) == len(answers)
    assert sum(one.joules for one in told.values()) == pytest.approx(joules)
    assert sum(one.co2e_mg for one in told.values()) == pytest.approx(grams)


def test_the_tenant_that_was_longest_idle_is_joined_to_the_others() -> None:
    """Activity, not the name, decides who is remembered."""
    sums = footprints(tenants_max=2)
    for tenant in ("ana", "bo", "ana", "cy"):
        sums.add(tenant, answer(sums))

    told = page(sums)

    assert {tenant: one.answers for tenant, one in told.items()} == {
        OTHERS: 1, "ana": 2, "cy": 1,
    }  # fmt: skip


def test_pages_are_in_order_and_a_tenant_sees_itself_alone() -> None:
    """A page's token is the last tenant before it."""
    sums = footprints()
    for tenant in ("cy", "ana", "bo"):
        sums.add(tenant, answer(sums))

    first, token = sums.page(tenant=None, size=2, token="")
    rest, end = sums.page(tenant=None, size=2, token=token)

    names = [one.tenant for one in (*first, *rest)]
    assert names == ["ana", "bo", "cy"]
    assert all(one < other for one, other in pairwise(names))
    assert end == ""
    assert list(page(sums, "bo")) == ["bo"]
    assert page(sums, "nobody") == {}
    with pytest.raises(FieldInvalid):
        sums.page(tenant=None, size=-1, token="")


def test_metrics_have_a_bounded_number_of_labels() -> None:
    """Models beyond the limit are counted together."""
    sums = footprints(labels_max=1)

    def joules(model: str, region: str) -> float:
        labels = {"model": model, "region": region}
        name = "router_answer_energy_joules_total"
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = joules(OTHER, OTHER)
    for model in ("models/a", "models/b", "models/c"):
        sums.add("ana", answer(sums), model=model, region="eu-west")

    assert joules("models/a", "eu-west") == 900.0
    assert joules(OTHER, OTHER) - before == 1800.0
    assert joules("models/b", "eu-west") == 0.0
