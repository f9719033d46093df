"""Private answers that were paid for are served again for nothing."""

import asyncio
from pathlib import Path

import grpc
import pytest

from federated_router.api.v1 import inference_pb2 as pb
from federated_router.kit import errors
from federated_router.kit.grpc_client import translated_errors
from tests.support.fix_pki import Pki
from tests.support.fix_router import (
    TOKEN_UNITS,
    RouterSetting,
    private,
    router_in,
)
from tests.support.scripted_node import Events, chunk, finished, started


async def complete(
    router: RouterSetting, message: pb.Generation, *, user: str = "alice"
) -> pb.CompleteResponse:
    """Ask as a client, with errors translated."""
    stub = await router.inference(user)
    async with translated_errors():
        response: pb.CompleteResponse = await stub.Complete(
            pb.CompleteRequest(generation=message), timeout=30
        )
    return response


def versioned(request_id: str, text: bytes = b"text") -> pb.Generation:
    """Return a private request about a known version of the data set."""
    message = private(request_id)
    message.private_context.dataset_version = "7"
    for record in message.private_context.records:
        record.text = text
    return message


async def test_same_request_again_gets_its_answer_for_nothing(
    router: RouterSetting,
) -> None:
    """A lost reply must not cost a second release, nor another answer."""
    node = await router.node("n1")
    await router.open_dataset()
    first = await complete(router, private())

    again = await complete(router, private())

    assert again.text == first.text
    assert again.started.source == pb.ANSWER_SOURCE_REPLAY
    assert again.finished.reason == first.finished.reason
    assert again.finished.HasField("charge")
    assert (again.finished.charge.units, list(again.finished.charge.accounts)) == (
        0,
        [],
    )
    assert len(node.requests) == 1
    assert (await router.account()).spent_units == 2 * TOKEN_UNITS


async def test_stored_answer_needs_no_node_and_survives_a_restart(
    pki: Pki, tmp_path: Path
) -> None:
    """The answer is kept with its charge, in one transaction."""
    async with router_in(pki, tmp_path) as router:
        await router.node("n1")
        await router.open_dataset()
        first = await complete(router, private())

    async with router_in(pki, tmp_path) as router:
        again = await complete(router, private())

    assert again.text == first.text


async def test_same_question_about_the_same_version_is_answered_from_the_cache(
    router: RouterSetting,
) -> None:
    """Another id, and other record texts: only public facts count."""
    node = await router.node("n1")
    await router.open_dataset()
    first = await complete(router, versioned("p-1"))

    again = await complete(router, versioned("p-2", text=b"changed"))

    assert again.text == first.text
    assert again.started.source == pb.ANSWER_SOURCE_CACHE
    assert again.finished.charge.units == 0
    assert len(node.requests) == 1


@pytest.mark.parametrize("why", ["version", "fresh", "user", "unversioned"])
async def test_other_questions_are_sampled_and_charged(
    router: RouterSetting, why: str
) -> None:
    """Another version, another user, or the wish for a fresh answer."""
    node = await router.node("n1")
    await router.open_dataset()
    await complete(router, versioned("p-1"))
    message = versioned("p-2")
    if why == "version":
        message.private_context.dataset_version = "8"
    elif why == "fresh":
        message.private_context.fresh = True
    elif why == "unversioned":
        message.private_context.dataset_version = ""

    answer = await complete(router, message, user="bob" if why == "user" else "alice")

    assert answer.started.source == pb.ANSWER_SOURCE_UNSPECIFIED
    assert answer.finished.charge.units == 2 * TOKEN_UNITS
    assert len(node.requests) == 2


async def test_same_id_with_another_body_gets_no_stored_answer(
    router: RouterSetting,
) -> None:
    """An id names one request for ever, also where the cache knows the question."""
    await router.node("n1")
    await router.open_dataset()
    await complete(router, versioned("p-1"))

    with pytest.raises(errors.RequestIdReused):
        await complete(router, versioned("p-1", text=b"changed"))


async def test_repetition_while_it_runs_is_told_to_wait(router: RouterSetting) -> None:
    """Two samples for one charge would be one release too many."""
    node = await router.node("n1")
    await router.open_dataset()
    go_on = asyncio.Event()

    async def slow(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk("a")
        await go_on.wait()
        yield finished(2)

    node.script = slow
    stub = await router.inference()
    call = stub.Generate(pb.GenerateRequest(generation=private()), timeout=30)
    await call.read()

    with pytest.raises(errors.RequestAlreadyServed) as caught:
        await complete(router, private())
    go_on.set()
    await call.read()
    last = await call.read()

    assert caught.value.metadata["state"] == "reserved"
    assert last.finished.charge.units == 2 * TOKEN_UNITS
    assert (await complete(router, private())).text == "a"


async def test_answer_whose_sampling_failed_is_not_served_again(
    router: RouterSetting,
) -> None:
    """What was granted was charged, and there is nothing whole to repeat."""
    node = await router.node("n1")
    await router.open_dataset()

    async def breaks(_: pb.Generation, __: grpc.aio.ServicerContext) -> Events:
        yield started()
        yield chunk("a")
        raise errors.Internal("broken")

    node.script = breaks
    with pytest.raises(errors.FederationError):
        await complete(router, private())

    with pytest.raises(errors.RequestAlreadyServed) as caught:
        await complete(router, private())

    assert caught.value.metadata["state"] == "committed"
