"""PriorsService hands out what was published, and makes a message once for all."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import grpc
import pytest

from coordinator.newest import Newest, WatchLimits
from coordinator.priors import service
from coordinator.priors.messages import priors_message
from coordinator.priors.service import PriorsServicer
from coordinator.priors.store import PriorsStore
from federated_router.api.v1 import priors_pb2
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import FieldInvalid, PriorsUnknown
from federated_router.priors.contents import Contents
from federated_router.priors.publication import Priors
from tests.unit.priors.worlds import priors_of

CONTEXT = cast("grpc.aio.ServicerContext", None)
LIMITS = WatchLimits(watchers_max=50, progress_s=1.0, sign_of_life_s=15.0)


@dataclass
class Shelf:
    """A store of what was published, newest last."""

    kept: list[Priors] = field(default_factory=list)

    async def newest(self) -> Priors | None:
        """Return the newest one."""
        return self.kept[-1] if self.kept else None

    async def of_revision(self, revision: int) -> Priors:
        """Return one revision."""
        return self.kept[revision - 1]


@pytest.fixture
def shelf() -> Shelf:
    """Return a store with two revisions."""
    return Shelf([priors_of(Contents(), revision=revision) for revision in (1, 2)])


@pytest.fixture
def newest() -> Newest[Priors]:
    """Return what everybody watches, still without a value."""
    return Newest(LIMITS, ManualClock())


def serving(shelf: Shelf, newest: Newest[Priors]) -> PriorsServicer:
    """Return the service over both."""
    return PriorsServicer(store=cast("PriorsStore", shelf), newest=newest)


async def get(servicer: PriorsServicer, revision: int = 0) -> priors_pb2.Priors:
    """Return what GetPriors answers."""
    request = priors_pb2.GetPriorsRequest(revision=revision)
    response = await servicer.GetPriors(request, CONTEXT)
    return response.priors


async def test_zero_is_the_newest_revision(
    shelf: Shelf, newest: Newest[Priors]
) -> None:
    """And any other number is that revision."""
    servicer = serving(shelf, newest)

    assert (await get(servicer)).revision == 2
    assert (await get(servicer, 1)).revision == 1


async def test_nothing_published_and_no_such_number_have_their_own_errors(
    newest: Newest[Priors],
) -> None:
    """A caller must tell 'not yet' from 'never'."""
    servicer = serving(Shelf(), newest)

    with pytest.raises(PriorsUnknown):
        await get(servicer)
    with pytest.raises(FieldInvalid):
        await get(servicer, -1)


async def test_watchers_share_one_message(
    shelf: Shelf, newest: Newest[Priors], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand members watch; a large message made for each would take a minute."""
    made: list[int] = []

    def counted(priors: Priors) -> priors_pb2.Priors:
        made.append(priors.revision)
        return priors_message(priors)

    monkeypatch.setattr(service, "priors_message", counted)
    servicer = serving(shelf, newest)
    told: list[list[int]] = [[] for _ in range(20)]

    async def watch(own: list[int]) -> None:
        request = priors_pb2.WatchPriorsRequest()
        async for response in servicer.WatchPriors(request, CONTEXT):
            own.append(response.priors.revision)
            if len(own) == 2:
                return

    watchers = [asyncio.create_task(watch(own)) for own in told]
    async with asyncio.timeout(30):
        newest.put(shelf.kept[0])
        while not all(told):
            await asyncio.sleep(0)
        newest.put(shelf.kept[1])
        await asyncio.gather(*watchers)

    assert told == [[1, 2]] * 20
    assert made == [1, 2]


async def test_watcher_that_leaves_takes_no_message_from_the_others(
    shelf: Shelf, newest: Newest[Priors]
) -> None:
    """What is shared must survive whoever asked for it first."""
    servicer = serving(shelf, newest)
    newest.put(shelf.kept[1])
    request = priors_pb2.WatchPriorsRequest()

    leaving = asyncio.create_task(anext(servicer.WatchPriors(request, CONTEXT)))
    staying = asyncio.create_task(anext(servicer.WatchPriors(request, CONTEXT)))
    await asyncio.sleep(0)
    leaving.cancel()
    response = await asyncio.wait_for(staying, timeout=30)

    assert response.priors.revision == 2
