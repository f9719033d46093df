"""What every database under `RoundStore` must do alike."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import delete, text

from coordinator import schema
from coordinator.app import MIGRATIONS
from coordinator.priors.store import PriorsStore
from coordinator.rounds import events, lifecycle, share_rows
from coordinator.rounds.contents import NOTHING, Contents
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.rounds.store import Request, RoundStore
from coordinator.rounds.upload import Body
from federated_router.crypto.body_layout import BodyLayout
from federated_router.crypto.packed_shamir import Thresholds
from federated_router.kit.database import Database
from federated_router.kit.errors import (
    PriorsUnknown,
    RequestIdReused,
    RoundStateWrong,
    RoundUnknown,
    StoreUnavailable,
)
from federated_router.priors.publication import Priors
from tests.support import round_script as script

REQUEST = Request("request-1", b"digest")


@dataclass
class OpenStores:
    """Stores on one database."""

    database: Database
    rounds: RoundStore
    priors: PriorsStore

    @classmethod
    async def open(cls, url: str) -> "OpenStores":
        """Open the database at `url`."""
        database = await Database.open(url, migrations=MIGRATIONS)
        return cls(database, RoundStore(database), PriorsStore(database))

    async def play(self, *events_: events.Event) -> Round:
        """Create a round and store a transition for each event."""
        round_ = await self.rounds.create(script.new_round(), REQUEST)
        for event in events_:
            round_ = await self.step(round_, event)
        return round_

    async def step(self, before: Round, event: events.Event) -> Round:
        """Store one transition with what belongs to it."""
        after = lifecycle.advance(before, event, script.START_S)
        assert after is not before
        contents, priors = NOTHING, None
        if isinstance(event, events.Contributed):
            index = int(event.member.rpartition("-")[2])
            contents = Contents(bodies=[Body(event.member, script.body(index))])
        if isinstance(event, events.Checked):
            contents = Contents(checks={event.member: event.combinations})
        if isinstance(event, events.Released):
            priors = published(event.revision)
        return await self.rounds.save(before, after, contents=contents, priors=priors)


def published(revision: int) -> Priors:
    """Return priors of the scripted round."""
    catalogue = script.TERMS.catalogue
    sums = [value - 3 for value in range(catalogue.statistic_slots)]
    return Priors(
        revision=revision,
        round_name=script.NAME,
        create_time_s=script.START_S,
        catalogue=catalogue,
        members=4,
        noise_standard_deviation=5.5,
        contents=catalogue.decode(sums),
    )


def path_to(state: State) -> list[events.Event]:
    """Return the events that lead a new round into `state`."""
    if state is State.ABORTED:
        return [*path_to(State.OPENING), events.AbortRequested("enough")]
    if state is State.REJECTED:
        return [*path_to(State.VALIDATING), events.Refused("wrong")]
    path: list[events.Event] = []
    for reached, steps in script.STEPS.items():
        if reached is state:
            return path
        path += steps
    return path


class RoundStoreConformance:
    """Subclassed once for each database, with a fixture `url`."""

    __test__ = False

    @pytest.fixture
    async def stores(self, url: str) -> AsyncIterator[OpenStores]:
        """Return open stores on an empty database."""
        opened = await OpenStores.open(url)
        yield opened
        await opened.database.close()

    @pytest.mark.parametrize("state", list(State))
    async def test_round_is_read_back_whole_in_every_state(
        self, stores: OpenStores, url: str, state: State
    ) -> None:
        """What a killed coordinator finds is what it had committed, to the byte."""
        held = await stores.play(*path_to(state))
        await stores.database.close()

        reopened = await OpenStores.open(url)

        assert held.state is state
        assert await reopened.rounds.newest() == held
        assert await reopened.rounds.load(script.NAME) == held
        await reopened.database.close()

    async def test_partial_states_are_read_back_too(self, stores: OpenStores) -> None:
        """One member of four has sent something when the coordinator dies."""
        held = await stores.play()

        for event in path_to(State.PUBLISHED):
            held = await stores.step(held, event)

            assert await stores.rounds.load(script.NAME) == held

    async def test_bodies_are_read_in_parts(self, stores: OpenStores) -> None:
        """A holder gets its share of each survivor; nobody loads whole bodies."""
        held = await stores.play(*path_to(State.OPENING))

        shares = await stores.rounds.sealed_shares(held, script.member(2))
        ciphertext = await stores.rounds.ciphertext(held, script.member(4))

        dealt = [held.layout.sealed_for(script.body(i), 2) for i in (1, 2, 3, 4)]
        assert shares == b"".join(dealt)
        assert ciphertext == script.body(4)[: held.ciphertext_bytes]

    @pytest.mark.parametrize("shares_in_a_row", [1, 2, 3, 4])
    async def test_each_holder_finds_its_own_shares_in_any_row(
        self,
        stores: OpenStores,
        monkeypatch: pytest.MonkeyPatch,
        shares_in_a_row: int,
    ) -> None:
        """How many holders share a row changes speed, not whose share it is."""
        thresholds = Thresholds.for_roster(script.MEMBERS)
        size = BodyLayout(1, thresholds).sealed_bytes(script.MEMBERS)
        monkeypatch.setattr(share_rows, "ROW_BYTES", shares_in_a_row * size)
        held = await stores.play(*path_to(State.CHECKING))

        for place, holder in enumerate(held.roster):
            found = await stores.rounds.sealed_shares(held, holder)
            dealt = [
                held.layout.sealed_for(script.body(index), place + 1)
                for index in (1, 2, 3, 4)
            ]
            assert found == b"".join(dealt)

    async def test_holder_gets_all_contributors_shares_or_none(
        self, stores: OpenStores
    ) -> None:
        """A body of which one dealer is missing would open under wrong numbers."""
        held = await stores.play(*path_to(State.CHECKING))
        table = schema.sealed_shares
        async with stores.database.transaction("lose") as connection:
            await connection.execute(
                delete(table).where(table.c.member == script.member(3))
            )

        with pytest.raises(StoreUnavailable):
            await stores.rounds.sealed_shares(held, script.member(2))

    @pytest.mark.parametrize("state", [State.PUBLISHED, State.REJECTED, State.ABORTED])
    async def test_ended_round_keeps_no_body_no_check_and_no_answer(
        self, stores: OpenStores, state: State
    ) -> None:
        """What could be opened later is deleted in the transaction that ends it."""
        held = await stores.play(*path_to(state))

        async with stores.database.read("look") as connection:
            bodies = await connection.execute(
                text("SELECT body FROM round_contributions")
            )
            assert set(bodies.scalars()) == {None}
            for table in ("round_checks", "round_answers", "round_sealed_shares"):
                said = await connection.execute(text(f"SELECT * FROM {table}"))  # noqa: S608 - one of three names.
                assert said.all() == []
        with pytest.raises(StoreUnavailable):
            await stores.rounds.ciphertext(held, script.member(1))

    async def test_what_was_judged_about_members_is_read_back(
        self, stores: OpenStores
    ) -> None:
        """Names, marks and times outlive the round: an operator asks for them later."""
        collecting = await stores.play(*path_to(State.COLLECTING))
        checking = collecting
        for event in script.STEPS[State.COLLECTING]:
            checking = await stores.step(checking, event)
        checking = await stores.step(checking, events.Expelled(script.member(4)))
        for event in script.STEPS[State.CHECKING][:3]:
            checking = await stores.step(checking, event)
        judged = await stores.step(
            checking,
            events.Judged(
                inconsistent=(script.member(1),),
                liars=(script.member(2),),
                disputed=(script.member(3),),
            ),
        )

        found = await stores.rounds.load(script.NAME)

        assert found == judged
        assert found.inconsistent == (script.member(1),)
        assert found.liars == (script.member(2),)
        assert found.disputed == (script.member(3),)
        assert found.contributors == tuple(map(script.member, (1, 2, 3, 4)))
        assert found.survivors == tuple(map(script.member, (2, 3, 4)))
        assert found.members[script.member(4)].expelled
        assert found.members[script.member(1)].progress.check_s == script.START_S
        assert found.members[script.member(4)].progress.check_s is None

    async def test_contribution_of_an_expelled_member_is_deleted(
        self, stores: OpenStores
    ) -> None:
        """Revoked while members still contribute, it is in no sum."""
        held = await stores.play(*path_to(State.COLLECTING), script.contributed(1))
        held = await stores.step(held, events.Expelled(script.member(1)))

        found = await stores.rounds.load(script.NAME)

        assert found == held
        assert not found.contributions
        with pytest.raises(StoreUnavailable):
            await stores.rounds.ciphertext(held, script.member(1))

    async def test_priors_come_with_the_state_that_publishes_them(
        self, stores: OpenStores
    ) -> None:
        """A failed transaction publishes neither; a good one both."""
        validating = await stores.play(*path_to(State.VALIDATING))
        await stores.step(validating, events.Released(1))

        with pytest.raises(StoreUnavailable):
            await stores.step(validating, events.Released(2))

        assert await stores.priors.newest() == published(1)
        assert await stores.priors.newest_revision() == 1
        assert await stores.priors.of_revision(1) == published(1)
        with pytest.raises(PriorsUnknown):
            await stores.priors.of_revision(2)

    async def test_second_coordinator_on_the_same_round_is_stopped(
        self, stores: OpenStores
    ) -> None:
        """Two of them could fix two survivor sets; the version lets one through."""
        before = await stores.play()
        await stores.step(before, script.joined(1))

        with pytest.raises(StoreUnavailable, match="Another coordinator"):
            await stores.step(before, script.joined(2))

        found = await stores.rounds.load(script.NAME)
        assert set(found.members) == {script.member(1)}

    async def test_one_request_makes_one_round(self, stores: OpenStores) -> None:
        """A repeated request gets the round it made, however far that has come."""
        held = await stores.play(script.joined(1))
        other = replace(script.new_round(), name=RoundName("rounds/r2"))

        assert await stores.rounds.create(other, REQUEST) == held
        assert await stores.rounds.of_request(REQUEST) == held
        with pytest.raises(RequestIdReused):
            await stores.rounds.create(other, Request("request-1", b"other"))

    async def test_one_round_runs_at_a_time(self, stores: OpenStores) -> None:
        """The next one opens when the last has ended, and not before."""
        held = await stores.play(script.joined(1))
        other = replace(script.new_round(), name=RoundName("rounds/r2"))

        with pytest.raises(RoundStateWrong):
            await stores.rounds.create(other, Request("request-2", b""))
        await stores.step(held, events.AbortRequested("enough"))
        await stores.rounds.create(other, Request(None, b""))

        assert (await stores.rounds.newest()) == other

    async def test_pages_run_from_the_newest_to_the_oldest(
        self, stores: OpenStores
    ) -> None:
        """Each round is on one page."""
        for number in range(5):
            name = RoundName(f"rounds/r{number}")
            made = replace(script.new_round(), name=name)
            round_ = await stores.rounds.create(made, Request(None, b""))
            await stores.step(round_, events.AbortRequested("enough"))

        seen, before = [], 0
        while True:
            page = await stores.rounds.page(size=2, before=before)
            seen += [round_.name for _, round_ in page.rounds]
            before = page.rounds[-1][0]
            if not page.more:
                break

        assert seen == [f"rounds/r{number}" for number in (4, 3, 2, 1, 0)]

    async def test_unknown_round_is_unknown(self, stores: OpenStores) -> None:
        """Nothing is made up."""
        assert await stores.rounds.newest() is None
        assert await stores.priors.newest() is None
        with pytest.raises(RoundUnknown):
            await stores.rounds.load(RoundName("rounds/none"))
