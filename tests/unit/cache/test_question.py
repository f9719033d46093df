"""Which requests ask the same: a wrong hit is an answer to another question."""

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.question import canonical, is_repeatable, is_servable
from federated_router.sensitivity.levels import Sensitivity
from tests.support.cache_world import PUBLIC, question

OTHER = {
    "another text": pb.Generation(
        messages=[pb.Message(role=pb.ROLE_USER, content="Why?")]
    ),
    "one more turn": pb.Generation(
        messages=[pb.Message(role=pb.ROLE_ASSISTANT, content="")]
    ),
    "another model": pb.Generation(model="models/large"),
    "another length": pb.Generation(sampling=pb.Sampling(tokens_max=9)),
    "a stop string": pb.Generation(sampling=pb.Sampling(stop=["."])),
    "a penalty": pb.Generation(sampling=pb.Sampling(repetition_penalty=1.1)),
    "log probabilities": pb.Generation(sampling=pb.Sampling(logprobs=2)),
    "drawn, not greedy": pb.Generation(sampling=pb.Sampling(temperature=0.7, seed=1)),
    "a region": pb.Generation(wishes=pb.RouteWishes(regions=["north"])),
    "a floor of quality": pb.Generation(wishes=pb.RouteWishes(quality_min=0.5)),
}
SAME = {
    "another id": pb.Generation(request_id="r2"),
    "a priority": pb.Generation(priority=pb.PRIORITY_HIGH),
    "freshness": pb.Generation(fresh=True),
    "a seed that greedy answers ignore": pb.Generation(sampling=pb.Sampling(seed=5)),
    "a nucleus of no effect": pb.Generation(sampling=pb.Sampling(top_p=0.5)),
    "one answer, said": pb.Generation(sampling=pb.Sampling(answers=1, beams=1)),
    "ceilings, which a stored answer meets": pb.Generation(
        wishes=pb.RouteWishes(
            models=["models/x"],
            cost_max=1.0,
            co2e_mg_max=1.0,
            latency_ms_max=1.0,
            steady=True,
        )
    ),
}


def _with(change: pb.Generation, **also: str) -> pb.Generation:
    changed = question()
    changed.MergeFrom(change)
    for field, value in also.items():
        setattr(changed, field, value)
    return changed


@pytest.mark.parametrize("change", OTHER.values(), ids=OTHER)
def test_what_changes_the_answer_is_another_question(change: pb.Generation) -> None:
    """Each of these could be answered otherwise."""
    assert canonical(_with(change), PUBLIC) != canonical(question(), PUBLIC)


@pytest.mark.parametrize("change", SAME.values(), ids=SAME)
def test_what_does_not_change_the_answer_is_the_same_question(
    change: pb.Generation,
) -> None:
    """Each of these would only cost hits."""
    assert canonical(_with(change), PUBLIC) == canonical(question(), PUBLIC)


def test_seeds_tell_drawn_answers_apart() -> None:
    """Under a temperature, the seed is the answer."""
    one, two = (question(temperature=0.5, seed=seed) for seed in (1, 2))
    assert canonical(one, PUBLIC) != canonical(two, PUBLIC)


def test_every_wish_counts_where_the_router_chooses_the_model() -> None:
    """A ceiling may decide for a weaker model; its answer must not serve without it."""
    auto = canonical(_with(pb.Generation(model="models/auto")), PUBLIC)
    for name in pb.RouteWishes.DESCRIPTOR.fields_by_name:
        wished = _with(pb.Generation(model="models/auto"))
        wishes = wished.wishes
        if name in {"models", "regions"}:
            getattr(wishes, name).append("models/x")
        else:
            setattr(wishes, name, 1 if name != "steady" else True)
        assert canonical(wished, PUBLIC) != auto, name


def test_the_order_of_names_does_not_matter_and_that_of_messages_does() -> None:
    """Stop strings and regions are sets; a conversation is a sequence."""
    one, two = question(), question()
    one.sampling.stop.extend(["a", "b"])
    two.sampling.stop.extend(["b", "a", "b"])
    assert canonical(one, PUBLIC) == canonical(two, PUBLIC)
    two.messages.add(role=pb.ROLE_USER, content="And?")
    three = question("And?")
    three.sampling.stop.extend(["a", "b"])
    three.messages.add(role=pb.ROLE_USER, content="What is metformin for?")
    assert canonical(two, PUBLIC) != canonical(three, PUBLIC)


def test_how_personal_a_request_is_belongs_to_the_question() -> None:
    """An answer to a public request did not have to come from a trusted node."""
    assert canonical(question(), PUBLIC) != canonical(question(), Sensitivity.INTERNAL)


def test_a_field_of_a_later_contract_counts() -> None:
    """What is unknown here may decide the answer: a miss, never a wrong hit."""
    later = pb.Generation.FromString(question().SerializeToString() + b"\xf2\x7f\x01x")
    assert canonical(later, PUBLIC) != canonical(question(), PUBLIC)


def test_asking_does_not_change_the_request() -> None:
    """The request goes on to a node afterwards."""
    asked = _with(OTHER["a stop string"])
    before = asked.SerializeToString()
    canonical(asked, PUBLIC)
    assert asked.SerializeToString() == before


def test_only_greedy_and_seeded_requests_repeat() -> None:
    """The node's default temperature is not known here."""
    assert is_repeatable(pb.Sampling(temperature=0.0))
    assert is_repeatable(pb.Sampling(temperature=1.0, top_k=1))
    assert is_repeatable(pb.Sampling(temperature=1.0, seed=0))
    assert not is_repeatable(pb.Sampling(temperature=1.0))
    assert not is_repeatable(pb.Sampling())


def test_private_and_continued_requests_are_never_servable() -> None:
    """The first are the ledger's; the second are half an answer."""
    assert is_servable(question())
    assert not is_servable(_with(pb.Generation(private_context=pb.PrivateContext())))
    assert not is_servable(_with(pb.Generation(continuation=pb.Continuation())))
