"""What the round benchmark makes of its measurements: medians, shares, growth."""

import socket
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import round_growth
from tests.bench.figures import Sheet
from tests.bench.round_growth import growth, plot
from tests.bench.round_measured import Cost, RoundCost
from tests.bench.round_plan import VALUES_MAX, Plan, catalogue
from tests.bench.rounds import record
from tests.bench.socket_bytes import transported

ACKNOWLEDGED_S = 5.0
STATE_S = {"joining": 1.0}


def _round(
    seconds: float, *, sent: int = 0, begin: int = 100, peak: int = 150
) -> RoundCost:
    return RoundCost(
        seconds=seconds,
        coordinator_cpu_s=1.0,
        members_cpu_s=2.0,
        sent_bytes=sent,
        received_bytes=0,
        coordinator_begin_bytes=begin,
        coordinator_peak_bytes=peak,
        states_s=STATE_S,
    )


def _cost(*rounds: RoundCost, size: int = 10) -> Cost:
    return Cost(
        plan=Plan(Path("nowhere"), size, 2),
        rounds=rounds,
        coordinator_idle_bytes=100,
        member_vault_bytes=7,
        member_rss_bytes=0.0,
    )


def test_the_first_round_is_told_apart_and_the_median_of_the_others_counts() -> None:
    """It opens connections and verifies strangers; a later one is what recurs."""
    cost = _cost(_round(90.0), _round(3.0), _round(1.0), _round(2.0))

    assert cost.first.seconds == 90.0
    assert cost.seconds == 2.0


def test_a_single_round_counts_itself() -> None:
    """Otherwise a quick run would have no figure at all."""
    assert _cost(_round(4.0)).seconds == 4.0


def test_bytes_are_a_members_part_of_what_all_connections_carried() -> None:
    """Members' processes count their connections together."""
    cost = _cost(_round(1.0), _round(1.0, sent=5_000), size=10)

    assert cost.sent_per_member == 500.0


def test_memory_is_counted_above_what_the_idle_coordinator_holds() -> None:
    """Imports are no part of a round; what stays after it is told apart."""
    first, later = _round(1.0), _round(1.0, begin=130, peak=170)

    assert _cost(first).coordinator_rss_bytes == 50
    assert _cost(first, later).coordinator_rss_bytes == 40
    assert _cost(first, later).coordinator_kept_bytes == 30


def test_figures_are_recorded_under_the_number_of_members() -> None:
    """The names are what the table, the plot and the issue speak of."""
    sheet = Sheet()

    first, later = _round(9.0, sent=70, peak=2_000_100), _round(4.0, peak=3_000_100)
    record(sheet, _cost(first, later, size=10))

    found = dict(sheet)
    assert found["round.seconds.10"].value == 4.0
    assert found["round.seconds_first.10"].value == 9.0
    assert found["round.bytes_per_member_first.10"].value == 7.0
    assert found["round.coordinator_rss_first_mb.10"].value == 2.0
    assert found["round.coordinator_rss_mb.10"].value == 3.0
    assert found["round.coordinator_kept_mb.10"].value == 0.0
    assert found["round.step_ms.joining.10"].value == 1_000.0


def test_growth_is_ordered_by_members_and_takes_no_other_figure() -> None:
    """A plot that joined `seconds` and `seconds_first` would show neither."""
    figures = {
        "round.seconds.100": 3.0,
        "round.seconds.32": 2.0,
        "round.seconds_first.10": 9.0,
        "round.seconds.10": 1.0,
        "round.seconds.simulated.7": 8.0,
    }

    assert growth(figures, "seconds") == [(10, 1.0), (32, 2.0), (100, 3.0)]


def test_the_plot_is_drawn_even_where_a_panel_has_no_figures(tmp_path: Path) -> None:
    """A first run of one size must not fail for the others."""
    path = tmp_path / "new" / "growth.png"

    plot({"round.seconds.10": 1.0}, path)

    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_measured_vector_fills_one_ciphertext_and_no_second() -> None:
    """Peers get VALUES_MAX values; ours may not be the smaller job by much."""
    length = catalogue().catalogue().vector_length

    assert 0.9 * VALUES_MAX <= length <= VALUES_MAX


def test_workers_share_all_members_and_a_plan_survives_its_file(tmp_path: Path) -> None:
    """A member in no worker would be waited for until the deadline."""
    plan = Plan(tmp_path, 7, 3, simulated=True)

    assert Plan.load(plan.save()) == plan
    parts = [member for worker in range(3) for member in plan.part(worker)]
    assert sorted(parts) == sorted(plan.member_ids)


@pytest.mark.parametrize("size", [1, 100_000])
def test_transported_counts_the_bytes_of_connections_to_that_port(size: int) -> None:
    """The kernel's counters, both directions, and no other connection's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_server(("127.0.0.1", 0)) as other,
        socket.create_connection(server.getsockname()) as client,
        socket.create_connection(other.getsockname()) as stranger,
    ):
        port = server.getsockname()[1]
        accepted, _ = server.accept()
        with accepted:
            before = transported(port)
            stranger.sendall(bytes(size))
            _send_and_read(client, accepted, size)
            _send_and_read(accepted, client, 10)

            end_s = time.monotonic() + ACKNOWLEDGED_S
            while (carried := transported(port).since(before)).sent != size:
                # The last segment is acknowledged late.
                assert time.monotonic() < end_s
                time.sleep(0.01)

    assert carried.received == 10


def _send_and_read(sender: socket.socket, receiver: socket.socket, size: int) -> None:
    sender.sendall(bytes(size))
    read = 0
    while read < size:
        read += len(receiver.recv(size - read))


def test_the_plot_compares_first_rounds_of_all_sizes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later round of ten beside a first one of a thousand would show no growth."""
    drawn: dict[str, float] = {}

    async def short(plan: Plan, *, rounds: int) -> Cost:
        plan.folder.mkdir(parents=True)
        later = [_round(1.0)] * rounds
        return replace(_cost(_round(float(plan.size)), *later), plan=plan)

    monkeypatch.setattr(round_growth, "measured", short)
    monkeypatch.setattr(round_growth, "plot", lambda known, _: drawn.update(known))
    sheet = Sheet()

    round_growth.measure(sheet, tmp_path)

    firsts = [(size, float(size)) for size in (10, 32, 100, 316, 1_000)]
    assert growth(drawn, "seconds_first") == firsts
    for panel in ("bytes_per_member_first", "coordinator_rss_first_mb"):
        assert len(growth(drawn, panel)) == len(firsts)
    assert growth(dict.fromkeys(dict(sheet), 1.0), "seconds") == [(316, 1), (1_000, 1)]
