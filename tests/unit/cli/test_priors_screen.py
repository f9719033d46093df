"""What people read of published priors."""

from federated_router.api.v1 import routing_pb2 as pb
from federated_router.cli.priors_screen import cell_table, kept_row
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell, CellCounts, Contents
from federated_router.priors.publication import Priors

CATALOGUE = Catalogue(
    version=1,
    models=("models/m",),
    regions=("eu", "us"),
    latency_bounds_ms=(1.0, 10.0, 100.0),
    slot_max=10_000,
    samples_min=0,
)


def published(noise: float) -> Priors:
    """Return priors in which one region was busy and the other was not."""
    busy = CellCounts(latency_counts=(0, 9_000, 900, 0), failures=100)
    idle = CellCounts(latency_counts=(0, 3, 0, 0), failures=0)
    return Priors(
        revision=4,
        round_name="rounds/r4",
        create_time_s=1_700_000_000.0,
        catalogue=CATALOGUE,
        members=3,
        noise_standard_deviation=noise,
        contents=Contents(
            performance={Cell("models/m", "eu"): busy, Cell("models/m", "us"): idle}
        ),
    )


def test_cell_that_says_something_shows_ratio_and_latencies() -> None:
    """Ninety-nine of a hundred succeeded, and most took a few milliseconds a token."""
    columns, rows = cell_table(published(noise=5.0))

    row = dict(zip(columns, rows[0], strict=True))

    assert (row["region"], row["requests"], row["success"]) == ("eu", 10_000, "0.990")
    assert str(row["p50"]).endswith(" ms")
    assert row["weight"] == "1.00"


def test_cell_that_noise_hides_shows_dashes_instead_of_figures() -> None:
    """A reader must not take noise for a finding."""
    columns, rows = cell_table(published(noise=5.0))

    row = dict(zip(columns, rows[1], strict=True))

    assert [row[name] for name in ("success", "p50", "p95", "p99")] == ["-"] * 4
    assert row["weight"] == "0.00"


def test_revision_in_use_has_a_star() -> None:
    """And only that one."""
    kept = pb.KeptPriors(revision=4, round="rounds/r4", members=3)

    assert kept_row(kept, in_use=4)[0] == "*"
    assert kept_row(kept, in_use=3)[0] == ""
