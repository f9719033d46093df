"""What the cache serves: the same answer, to the same tenant, for its lifetime."""

import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.cache.settings import (
    CacheSettings,
    LifetimeSettings,
    MemorySettings,
)
from federated_router.kit.clock import ManualClock
from federated_router.sensitivity.levels import Sensitivity
from tests.support.cache_world import (
    PUBLIC,
    WHO,
    answer,
    cache,
    found,
    key_of,
    question,
)

INTERNAL, SENSITIVE = Sensitivity.INTERNAL, Sensitivity.SENSITIVE


async def test_a_kept_answer_is_served_again_and_says_so() -> None:
    """Word for word, marked as stored, and as having taken nothing this time."""
    store = cache()
    await store.keep(key_of(store, question()), answer(), PUBLIC)
    again = await found(store, question())
    assert again is not None
    assert again.text == "For diabetes."
    assert again.started.source == pb.ANSWER_SOURCE_CACHE
    assert again.started.sensitivity == pb.SENSITIVITY_PUBLIC
    assert again.started.node == "nodes/n1"
    assert again.finished.completion_tokens == 4
    assert again.finished.prompt_tokens_cached == 0
    assert again.finished.footprint == pb.Footprint(co2e_mg=0.0)


async def test_nobody_gets_what_another_tenant_was_answered() -> None:
    """A hit would tell what the other asked."""
    store = cache()
    await store.keep(key_of(store, question()), answer(), PUBLIC)
    assert await found(store, question(), tenant="other") is None
    assert store.activity().misses == 1


@pytest.mark.parametrize(
    "generation",
    [
        pb.Generation(private_context=pb.PrivateContext(dataset="datasets/d")),
        pb.Generation(continuation=pb.Continuation(token_ids=[1])),
    ],
)
def test_private_and_continued_requests_have_no_key(generation: pb.Generation) -> None:
    """Private answers are the ledger's; half an answer is nobody's."""
    asked = question()
    asked.MergeFrom(generation)
    assert cache().key(asked, tenant=WHO, sensitivity=PUBLIC) is None


async def test_a_private_answer_is_not_kept_even_if_somebody_tries() -> None:
    """The second fence: what was charged or reserved never comes in."""
    store = cache()
    key = key_of(store, question())
    for private in (
        pb.CompleteResponse(finished=pb.Finished(charge=pb.Charge(units=1))),
        pb.CompleteResponse(started=pb.Started(reservation="reservations/r")),
    ):
        whole = answer()
        whole.MergeFrom(private)
        await store.keep(key, whole, PUBLIC)
    assert await store.find(key) is None


async def test_answers_that_would_be_drawn_anew_are_kept_only_if_configured() -> None:
    """A caller who asks for variety gets it by default."""
    drawn = question(temperature=0.8)
    assert cache().key(drawn, tenant=WHO, sensitivity=PUBLIC) is None
    store = cache(CacheSettings(memory=MemorySettings(), keep_sampled=True))
    await store.keep(key_of(store, drawn), answer(), PUBLIC)
    assert await found(store, drawn) is not None


async def test_fresh_is_never_served_and_replaces_what_is_kept() -> None:
    """Who asks for a new answer gets one, and those after it get that one."""
    store = cache()
    await store.keep(key_of(store, question()), answer("old"), PUBLIC)
    asked = question()
    asked.fresh = True
    assert await found(store, asked) is None
    await store.keep(key_of(store, asked), answer("new"), PUBLIC)
    again = await found(store, question())
    assert again is not None
    assert again.text == "new"


async def test_an_answer_is_served_until_its_lifetime_ends() -> None:
    """Not a moment longer, whether or not somebody swept."""
    clock = ManualClock()
    store = cache(clock=clock)
    await store.keep(key_of(store, question()), answer(), PUBLIC)
    await clock.advance(3599.0)
    assert await found(store, question()) is not None
    await clock.advance(1.0)
    assert await found(store, question()) is None


async def test_lifetimes_depend_on_how_personal_a_request_is() -> None:
    """Sensitive answers are not kept at all by default."""
    clock = ManualClock()
    store = cache(clock=clock)
    assert store.key(question(), tenant=WHO, sensitivity=SENSITIVE) is None
    internal = key_of(store, question(), sensitivity=INTERNAL)
    await store.keep(internal, answer(), INTERNAL)
    await clock.advance(601.0)
    assert await store.find(internal) is None


async def test_an_answer_that_turned_out_sensitive_is_not_kept() -> None:
    """The stricter of what the request was taken for and what it turned out to be."""
    store = cache()
    key = key_of(store, question())
    await store.keep(key, answer(), SENSITIVE)
    assert await store.find(key) is None


async def test_a_lifetime_can_be_configured_for_sensitive_answers() -> None:
    """Each level has its own key."""
    settings = CacheSettings(
        memory=MemorySettings(), lifetimes=LifetimeSettings(sensitive_s=60.0)
    )
    store = cache(settings)
    key = key_of(store, question(), sensitivity=SENSITIVE)
    await store.keep(key, answer(), SENSITIVE)
    again = await store.find(key)
    assert again is not None
    assert again.started.sensitivity == pb.SENSITIVITY_SENSITIVE


async def test_answers_without_an_end_or_out_of_a_store_are_not_kept() -> None:
    """Half an answer must not be repeated, nor a lifetime begin anew."""
    store = cache()
    key = key_of(store, question())
    broken, stored = answer(), answer()
    broken.ClearField("finished")
    stored.started.source = pb.ANSWER_SOURCE_CACHE
    for one in (broken, stored):
        await store.keep(key, one, PUBLIC)
    assert await store.find(key) is None


async def test_an_answer_above_its_limit_is_not_kept() -> None:
    """The limit counts the message, not the text alone."""
    settings = CacheSettings(memory=MemorySettings(), answer_bytes_max=1000)
    store = cache(settings)
    key = key_of(store, question())
    await store.keep(key, answer("x" * 1000), PUBLIC)
    assert await store.find(key) is None
    await store.keep(key, answer("x" * 900), PUBLIC)
    assert await store.find(key) is not None


async def test_memory_and_a_tenants_share_of_it_are_bounded() -> None:
    """The oldest go; a tenant's share holds whatever others leave unused."""
    settings = CacheSettings(
        memory=MemorySettings(bytes_max=10_000), tenant_share_max=0.5
    )
    store = cache(settings)
    for number in range(50):
        await store.keep(key_of(store, question(str(number))), answer(), PUBLIC)
    assert 0 < store.activity().bytes_held["memory"] <= 5_000
    assert await found(store, question("0")) is None
    assert await found(store, question("49")) is not None
    for number in range(50):
        key = key_of(store, question(str(number)), tenant=f"t{number}")
        await store.keep(key, answer(), PUBLIC)
    assert 5_000 < store.activity().bytes_held["memory"] <= 10_000


async def test_what_has_expired_leaves_memory_without_being_asked_for() -> None:
    """Answers are gone after their lifetime, not only out of reach."""
    clock = ManualClock()
    store = cache(clock=clock)
    await store.keep(key_of(store, question()), answer(), PUBLIC)
    await clock.advance(3600.0)
    assert store._memory is not None
    store._memory.sweep(now_s=clock.now_s())
    assert store.activity().bytes_held["memory"] == 0


def test_without_a_tier_no_request_has_a_key() -> None:
    """A cache that keeps nothing costs nothing."""
    store = cache(CacheSettings())
    assert store.key(question(), tenant=WHO, sensitivity=PUBLIC) is None
