"""What an answer took, by the tariffs of all nodes that made it."""

from dataclasses import replace

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.proxy.bill import Bill
from federated_router.registry.membership import Tariff
from tests.unit.proxy.proxy_fakes import FakeFootprints
from tests.unit.proxy.test_recording import CANDIDATE

CHEAP = replace(CANDIDATE, tariff=Tariff(completion_joules=1.0))
DEAR = replace(CANDIDATE, tariff=Tariff(completion_joules=10.0))


def finished() -> pb.Finished:
    """Return the end of an answer of nine tokens to five, of which two were kept."""
    return pb.Finished(prompt_tokens=5, prompt_tokens_cached=2, completion_tokens=9)


def test_answer_of_one_node_is_reckoned_by_its_tariff() -> None:
    """Said in the last event, and counted for the tenant."""
    footprints, ending = FakeFootprints(), finished()

    Bill(footprints, "alice").close(DEAR, ending, tokens=9)

    assert ending.footprint.joules == 120
    assert footprints.added == [("alice", 120)]


def test_each_node_of_a_resumed_answer_is_reckoned_by_its_own() -> None:
    """The prompt was read by both, and what was kept helped one of them."""
    footprints, ending = FakeFootprints(), finished()
    bill = Bill(footprints, "alice")
    bill.lost_part(CHEAP, 4)

    bill.close(DEAR, ending, tokens=5)

    assert ending.footprint.joules == 10 * (3 + 5) + 1 * (5 + 4)
    assert ending.footprint.co2e_mg == 3 + 5 + 5 + 4
    assert ending.footprint.energy_basis == pb.ENERGY_BASIS_MEASURED


def test_unknown_part_makes_the_whole_unknown() -> None:
    """A sum of what is known would be too little."""
    footprints, ending = FakeFootprints(), finished()
    bill = Bill(footprints, "alice")
    bill.lost_part(replace(CHEAP, region="nowhere"), 4)

    bill.close(DEAR, ending, tokens=5)

    assert not ending.footprint.HasField("co2e_mg")
    assert not ending.footprint.HasField("carbon_intensity")
    assert ending.footprint.joules > 0


def test_router_that_reckons_nothing_says_nothing() -> None:
    """An absent footprint is not one of nothing."""
    ending = finished()
    bill = Bill(None, "alice")
    bill.lost_part(CHEAP, 4)

    bill.close(DEAR, ending, tokens=5)

    assert not ending.HasField("footprint")
