"""The way back: which revision a router decides by, and what it keeps."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from federated_router.kit.errors import PriorsUnknown
from federated_router.priors.catalogue import Catalogue
from federated_router.priors.contents import Cell, CellCounts, Contents
from federated_router.priors.publication import Priors
from federated_router.routing.applied_priors import AppliedPriors
from federated_router.routing.priors_view import PriorsView
from tests.support.some_priors import some_priors

CATALOGUE = Catalogue(
    version=1, models=("models/m",), regions=("eu",), slot_max=10_000, samples_min=0
)


def published(revision: int, *, requests: int = 0, withdrawn: int = 0) -> Priors:
    """Return priors of a revision, in which so many requests took a millisecond."""
    counts = [0] * (len(CATALOGUE.latency_bounds_ms) + 1)
    counts[4] = requests
    cell = Cell("models/m", "eu")
    return replace(
        some_priors(CATALOGUE, revision=revision),
        contents=Contents(performance={cell: CellCounts(tuple(counts), 0)}),
        withdrawn_revision=withdrawn,
    )


class Uses:
    """A router as priors see it, with what it was given."""

    def __init__(self, kept_max: int = 3) -> None:
        self.given: list[int] = []
        self.views: list[PriorsView] = []
        self.priors = AppliedPriors(self._use, kept_max=kept_max, half_life_s=100.0)

    def _use(self, view: PriorsView) -> None:
        self.views.append(view)
        self.given.append(view.revision)

    async def receive(self, *revisions: int, requests: int = 0) -> "Uses":
        """Let revisions arrive."""
        for revision in revisions:
            await self.priors.receive(published(revision, requests=requests))
        return self


async def test_newest_revision_is_used_as_it_comes() -> None:
    """Nobody has to do anything for priors to be used."""
    uses = await Uses().receive(1, 2, 3)

    assert (uses.given, uses.priors.revision, uses.priors.pinned) == (
        [1, 2, 3],
        3,
        False,
    )


async def test_chosen_revision_stays_when_newer_ones_come() -> None:
    """Who rolled back has a reason, and the next round must not undo it."""
    uses = await Uses().receive(1, 2)
    await uses.priors.choose(1)
    await uses.receive(3)

    assert (uses.given, uses.priors.revision, uses.priors.pinned) == (
        [1, 2, 1],
        1,
        True,
    )


async def test_following_again_uses_the_newest_at_once() -> None:
    """Without waiting for the next round."""
    uses = await Uses().receive(1, 2)
    await uses.priors.choose(1)
    await uses.receive(3)
    await uses.priors.choose(0)

    assert (uses.given[-1], uses.priors.pinned) == (3, False)


async def test_revision_in_use_is_kept_beyond_the_limit() -> None:
    """The limit never takes away what decisions rest on."""
    uses = await Uses(kept_max=2).receive(1, 2)
    await uses.priors.choose(1)
    await uses.receive(3, 4, 5)

    assert [one.revision for one in uses.priors.kept] == [5, 4, 1]


async def test_revision_that_is_not_kept_is_refused_and_nothing_changes() -> None:
    """The message names those that could be chosen."""
    uses = await Uses(kept_max=2).receive(1, 2, 3)

    with pytest.raises(PriorsUnknown, match="3, 2"):
        await uses.priors.choose(1)

    assert (uses.priors.revision, uses.priors.pinned) == (3, False)


async def test_nothing_is_used_before_the_first_revision() -> None:
    """Following is what a router does anyway."""
    uses = Uses()
    await uses.priors.choose(0)

    assert (uses.given, uses.priors.revision) == ([], 0)


async def test_revisions_add_up_and_the_older_count_less() -> None:
    """Each round counts new requests only, so a router that forgot would know less."""
    uses = await Uses().receive(1, requests=1_000)
    await uses.receive(2, requests=1_000)

    seen = uses.views[-1].performance("models/m", "eu")

    assert seen is not None
    assert 1_900 < seen.sample_count < 2_000


async def test_going_back_takes_away_what_came_since() -> None:
    """The revision that was wrong is in nothing that is used."""
    uses = await Uses().receive(1, requests=1_000)
    await uses.receive(2, requests=9_000)
    await uses.priors.choose(1)

    seen = uses.views[-1].performance("models/m", "eu")

    assert seen is not None
    assert seen.sample_count == 1_000


async def test_withdrawn_revision_is_in_nothing_that_is_used() -> None:
    """Members' own requests spoke against it; what came before it stays."""
    uses = await Uses().receive(1, requests=1_000)
    await uses.receive(2, requests=9_000)
    await uses.priors.receive(published(3, requests=500, withdrawn=2))

    seen = uses.views[-1].performance("models/m", "eu")

    assert [one.revision for one in uses.priors.kept] == [3, 1]
    assert seen is not None
    assert 1_400 < seen.sample_count <= 1_500


async def test_withdrawal_does_not_overrule_an_operator() -> None:
    """Who chose a revision by hand keeps it, but what follows is without it."""
    uses = await Uses().receive(1, 2, requests=1_000)
    await uses.priors.choose(2)
    await uses.priors.receive(published(3, requests=500, withdrawn=2))

    assert (uses.priors.revision, uses.priors.pinned) == (2, True)

    await uses.priors.choose(0)
    seen = uses.views[-1].performance("models/m", "eu")

    assert seen is not None
    assert seen.sample_count <= 1_500


@given(
    steps=st.lists(st.one_of(st.none(), st.integers(0, 6)), max_size=30),
    kept_max=st.integers(1, 4),
)
def test_whatever_happens_the_revision_in_use_is_kept_and_was_given(
    steps: list[int | None], kept_max: int
) -> None:
    """None is an arrival, a number a choice; memory stays within the limit and one."""

    async def story() -> None:
        uses, newest = Uses(kept_max), 0
        for step in steps:
            if step is None:
                newest += 1
                await uses.receive(newest)
            elif step == 0 or step in {one.revision for one in uses.priors.kept}:
                await uses.priors.choose(step)

            kept = [one.revision for one in uses.priors.kept]
            assert len(kept) <= kept_max + 1
            assert not newest or newest in kept
            assert (uses.given[-1] if uses.given else 0) == uses.priors.revision

    asyncio.run(story())
