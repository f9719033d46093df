"""Whole rounds with real cryptography and real members, without a network."""

import hashlib
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace

import pytest
import structlog
from prometheus_client import REGISTRY
from sqlalchemy import text

from coordinator.rounds import upload
from coordinator.validation import inspection
from coordinator.validation.judgement import judge
from federated_router.api.v1 import aggregation_pb2 as pb2
from federated_router.api.v1 import priors_pb2
from federated_router.crypto import signing
from federated_router.crypto.body import CIPHERTEXT_BYTES
from federated_router.crypto.transcript import RosterHash
from federated_router.federation import statements
from federated_router.federation.batch import Batch
from federated_router.federation.priors_wire import priors_from_message
from federated_router.federation.round_view import Contribution
from federated_router.federation.verification import Promise
from federated_router.federation.wire import round_from_message
from federated_router.kit.errors import (
    CiphertextMalformed,
    FieldInvalid,
    NotOnRoster,
    RosterMismatch,
    RoundStateWrong,
    ShareConflict,
    SignatureInvalid,
)
from federated_router.kit.identity import set_current_identity
from federated_router.priors.publication import Priors
from tests.support.coordinator_world import (
    CELL,
    CONTEXT,
    CoordinatorWorld,
    header_of,
    identity,
)
from tests.support.round_member import RunningMember

STATE = pb2.Round.State
Part = pb2.SubmitContributionRequest


async def act(world: CoordinatorWorld, members: Iterable[RunningMember]) -> None:
    """Let each of `members` do its step in the newest round."""
    for running in members:
        await running.member.act(round_from_message(await world.newest()))


async def reach(
    world: CoordinatorWorld, members: list[RunningMember], state: str
) -> pb2.Round:
    """Drive the newest round until it stands in `state`."""
    for _ in range(12):
        round_ = await world.newest()
        if STATE.Name(round_.state) == f"STATE_{state}":
            return round_
        if round_.state not in (STATE.STATE_SUMMING, STATE.STATE_VALIDATING):
            await act(world, members)
        await world.work()
    raise AssertionError(f"{STATE.Name(round_.state)}: {round_.end_cause}")


async def published(world: CoordinatorWorld) -> Priors:
    """Return the newest priors as a router reads them."""
    set_current_identity(identity("router/router-1"))
    request = priors_pb2.GetPriorsRequest()
    response = await world.core.priors.GetPriors(request, CONTEXT)
    return priors_from_message(response.priors)


async def contribution(running: RunningMember, name: str) -> Contribution:
    """Return what the member has stored for a round and sends again if need be."""
    record = await running.vault.find(name)
    assert record is not None
    assert record.contribution is not None
    return record.contribution


async def signed_by(
    running: RunningMember, sent: Contribution, body: bytes
) -> Contribution:
    """Return another body under the member's own valid signature."""
    record = await running.vault.find(sent.round_name)
    assert record is not None
    digest = hashlib.sha256(body).digest()
    statement = statements.contribution_statement(
        sent.round_name,
        running.member.name,
        roster_hash=sent.roster_hash,
        body_sha256=digest,
    )
    signature = signing.sign(statement, record.held.keys)
    return replace(sent, body=body, sha256=digest, signature=signature)


async def answer_of(
    running: RunningMember, round_: pb2.Round, *, add: int
) -> tuple[bytes, bytes]:
    """Return the member's answer with `add` added to each element, and a signature."""
    record = await running.vault.find(round_.name)
    assert record is not None
    assert record.answer is not None
    words = bytearray(record.answer.share_sum)
    words[0] = (words[0] + add) % 251
    share_sum = bytes(words)
    statement = statements.opening_statement(
        round_.name,
        running.member.name,
        roster_hash=record.contribution.roster_hash,  # type: ignore[union-attr]
        share_sum=share_sum,
    )
    return share_sum, signing.sign(statement, record.held.keys)


async def test_noise_free_sum_is_exact(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """One, two, three and four requests of four members are ten, to the integer."""
    name = await world.open_round()

    await reach(world, members, "PUBLISHED")
    await act(world, members)

    priors = await published(world)
    assert (priors.revision, priors.round_name, priors.members) == (1, name, 4)
    assert priors.performance[CELL].requests == 10
    assert sum(running.statistics.balance().published for running in members) == 10


async def test_priors_state_the_noise_that_is_present(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Four shares are in the sum, of which the promise counts on three less one."""
    await world.open_round()

    await reach(world, members, "PUBLISHED")

    noise = (await published(world)).noise_standard_deviation
    assert noise == pytest.approx(4.0 * (4 / (3 - 1)) ** 0.5)


async def test_coordinator_killed_after_every_single_step_finishes_the_round(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """What was answered had been stored: nothing else is needed to go on."""
    await world.open_round()

    for _ in range(7):
        for running in members:
            await running.member.act(round_from_message(await world.newest()))
            await world.restart()
        await world.work()
        await world.restart()

    assert [STATE.Name(entry.state) for entry in (await world.newest()).history] == [
        "STATE_JOINING",
        "STATE_REVEALING",
        "STATE_COLLECTING",
        "STATE_CHECKING",
        "STATE_SUMMING",
        "STATE_OPENING",
        "STATE_VALIDATING",
        "STATE_PUBLISHED",
    ]
    assert (await published(world)).performance[CELL].requests == 10


async def test_two_rounds_publish_two_revisions(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A request counted in the first round is not counted again in the second."""
    await world.open_round()
    await reach(world, members, "PUBLISHED")
    await act(world, members)
    await world.restart()
    await world.open_round()
    members[0].statistics.succeed(CELL, latency_ms_per_token=10.0)

    await reach(world, members, "PUBLISHED")

    priors = await published(world)
    assert priors.revision == 2
    assert priors.performance[CELL].requests == 1


async def test_priors_that_members_requests_speak_against_are_withdrawn(
    world: CoordinatorWorld,
    members: list[RunningMember],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their successor names them, so that routers leave them out."""
    await world.open_round()
    await reach(world, members, "PUBLISHED")
    await act(world, members)
    await world.restart()
    monkeypatch.setattr(
        inspection,
        "judge",
        lambda *args, **named: replace(judge(*args, **named), earlier_harmful=True),
    )
    await world.open_round()

    await reach(world, members, "PUBLISHED")

    assert (await published(world)).withdrawn_revision == 1


async def test_member_that_vanishes_before_contributing_is_carried(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Three of four are 75 %: their sum is opened without the first."""
    await world.open_round()
    await reach(world, members, "COLLECTING")
    await act(world, members[1:])
    await world.clock.advance(121)

    await reach(world, members[1:], "PUBLISHED")

    assert (await published(world)).performance[CELL].requests == 9
    assert list((await world.newest()).survivors) == [
        "node/node-2",
        "node/node-3",
        "router/router-1",
    ]


async def test_member_that_vanishes_before_answering_is_carried(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Three of four holders open a sum that the fourth contributed to."""
    await world.open_round()
    await reach(world, members, "OPENING")

    await act(world, members[1:])
    await reach(world, members[1:], "PUBLISHED")

    assert (await published(world)).performance[CELL].requests == 10


async def test_too_many_vanished_members_abort_with_the_cause(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Nobody waits for ever, and the statistics stay with their members."""
    await world.open_round()
    await reach(world, members, "COLLECTING")
    await act(world, members[2:])
    await world.clock.advance(121)

    ended = await reach(world, [], "ABORTED")
    await act(world, members)

    assert "2 of 4 members contributed; 3 are needed" in ended.end_cause
    assert [running.statistics.pending().requests for running in members] == [
        1,
        2,
        3,
        4,
    ]


async def test_lying_holder_is_named_and_the_sum_is_right(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """One of four lies first; the other three open the sum, and it stands out."""
    await world.open_round()
    round_ = await reach(world, members, "OPENING")
    await act(world, members[:1])
    await world.restart()
    async with world.core.conductor._store._database.transaction("lie") as connection:
        await connection.execute(text("DELETE FROM round_answers"))
    await world.restart()
    share_sum, signature = await answer_of(members[0], round_, add=1)
    await world.client("node/node-1").answer(
        round_.name, share_sum=share_sum, signature=signature
    )

    await act(world, members[1:3])
    await world.work()
    stalled = await world.newest()
    await act(world, members[3:])
    ended = await reach(world, [], "PUBLISHED")

    assert stalled.state == STATE.STATE_OPENING
    assert list(ended.liars) == ["node/node-1"]
    assert (await published(world)).performance[CELL].requests == 10


async def test_second_answer_with_other_bytes_is_a_conflict(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Two answers of one holder could open two sums; there is one, for ever."""
    await world.open_round()
    round_ = await reach(world, members, "OPENING")
    await act(world, members[:1])
    share_sum, signature = await answer_of(members[0], round_, add=1)

    with pytest.raises(ShareConflict):
        await world.client("node/node-1").answer(
            round_.name, share_sum=share_sum, signature=signature
        )
    await act(world, members[:1])

    assert (await world.newest()).state == STATE.STATE_OPENING


async def test_contribution_signed_by_another_member_is_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Identity is the connection's; a body of somebody else's is no body of mine."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    await act(world, members[:1])
    foreign = await contribution(members[0], round_.name)

    with pytest.raises(SignatureInvalid):
        await world.client("node/node-2").contribute(foreign)


async def test_malformed_ciphertext_is_refused_at_upload(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Its own signature does not make bytes a ciphertext; nothing of it is kept."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)
    broken = b"\xff" * CIPHERTEXT_BYTES + sent.body[CIPHERTEXT_BYTES:]

    with pytest.raises(CiphertextMalformed):
        await world.client("node/node-1").contribute(
            await signed_by(members[0], sent, broken)
        )

    roster = (await world.newest(full=True)).roster
    assert [entry.contribution_bytes for entry in roster] == [0, 0, 0, 0]


async def test_wellformed_ciphertext_of_something_else_is_rejected_when_opened(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Its shares belong to another secret: the sum opens to nothing, untold."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    other = await _made(members[1], round_)
    _swap_ciphertext(members[0], other.body[:CIPHERTEXT_BYTES])

    ended = await reach(world, members, "REJECTED")

    assert "plausibility" in ended.end_cause
    assert ended.priors_revision == 0


async def test_late_contribution_gets_round_state_wrong(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The contributors are fixed; who comes after it comes for the next round."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    late = await _made(members[0], round_)
    await act(world, members[1:])
    await world.clock.advance(121)

    with pytest.raises(RoundStateWrong):
        await world.client("node/node-1").contribute(late)

    await reach(world, members[1:], "OPENING")
    summed = await world.newest(full=True)
    assert "node/node-1" not in summed.survivors
    assert len(summed.survivors) == 3


async def test_oversized_upload_is_refused_before_it_is_read(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The size follows from the roster, so that no byte beyond the header is wanted."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)
    header = header_of(sent)
    header.size_bytes += 1
    read: list[Part] = []

    async def parts() -> AsyncIterator[Part]:
        for part in (Part(header=header), Part(chunk=sent.body)):
            read.append(part)
            yield part

    with pytest.raises(FieldInvalid) as caught:
        await world.client("node/node-1").send(parts())

    assert caught.value.metadata == {"field": "size_bytes", "expected": "44208"}
    assert len(read) == 1


async def test_contribution_to_another_roster_is_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Shares sealed under another roster would open for nobody."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)

    with pytest.raises(RosterMismatch):
        await world.client("node/node-1").contribute(
            replace(sent, roster_hash=RosterHash(bytes(32)))
        )


async def test_resent_contribution_is_accepted_and_another_one_is_not(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A lost response is repeated; a second body would be a second secret."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)
    client = world.client("node/node-1")
    await client.contribute(sent)

    await client.contribute(sent)
    with pytest.raises(ShareConflict):
        await client.contribute(
            await signed_by(members[0], sent, sent.body[:-1] + b"x")
        )


async def test_body_that_does_not_match_its_digest_is_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Truncated, altered and oversized streams leave nothing in the store."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)
    client = world.client("node/node-1")

    for body, field in (
        (sent.body[:-1], "size_bytes"),
        (sent.body + b"x", "size_bytes"),
        (sent.body[:-1] + b"x", "sha256"),
    ):
        header = header_of(sent)

        async def parts(
            body: bytes = body, header: pb2.ContributionHeader = header
        ) -> AsyncIterator[Part]:
            yield Part(header=header)
            yield Part(chunk=body)

        with pytest.raises(FieldInvalid) as caught:
            await client.send(parts())
        assert caught.value.metadata["field"] == field

    await client.contribute(sent)


async def test_stream_of_another_shape_is_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Header first, then chunks, none of them empty or too large."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)
    header, large = header_of(sent), b"x" * (upload.CHUNK_BYTES_MAX + 1)

    for shape in (
        [],
        [Part(chunk=sent.body)],
        [Part(header=header), Part(header=header)],
        [Part(header=header), Part(chunk=b"")],
        [Part(header=header), Part(chunk=large)],
    ):

        async def parts(shape: list[Part] = shape) -> AsyncIterator[Part]:
            for part in shape:
                yield part

        with pytest.raises(FieldInvalid):
            await world.client("node/node-1").send(parts())


async def test_shares_are_given_to_the_roster_once_contributors_are_fixed(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Neither too early nor to strangers."""
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    client = world.client("node/node-1")

    with pytest.raises(RoundStateWrong):
        await client.download_shares(round_.name, size_bytes_max=1 << 20)
    await reach(world, members, "CHECKING")
    with pytest.raises(NotOnRoster):
        await world.client("node/node-9").download_shares(
            round_.name, size_bytes_max=1 << 20
        )
    shares = await client.download_shares(round_.name, size_bytes_max=1 << 20)

    assert len(shares.claim.contributors) == 4
    with pytest.raises(RoundStateWrong):
        await client.survivors(round_.name)
    await reach(world, members, "OPENING")
    assert (await client.survivors(round_.name)).survivors == (1, 2, 3, 4)


async def test_join_under_somebody_elses_certificate_is_refused(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """The binding names its member, and the connection says who calls."""
    await world.open_round()
    thief = members[0].member
    thief._client = world.client("node/node-9")

    with pytest.raises(SignatureInvalid):
        await act(world, members[:1])

    assert (await world.newest()).joined_count == 0


async def test_nonces_stay_hidden_until_all_are_fixed(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Whoever saw the others' nonces first could choose whether to reveal."""
    await world.open_round()
    await reach(world, members, "REVEALING")
    await act(world, members[:3])

    hidden = await world.newest(full=True)
    await reach(world, members, "COLLECTING")
    fixed = await world.newest(full=True)

    assert [entry.beacon_nonce for entry in hidden.roster] == [b""] * 4
    assert all(len(entry.beacon_nonce) == 32 for entry in fixed.roster)


async def test_store_keeps_neither_statistics_nor_bodies_after_the_end(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """What could be opened later is gone: only digests, keys and the sum stay."""
    await world.open_round()
    await reach(world, members, "PUBLISHED")

    async with world.core.conductor._store._database.read("look") as connection:
        bodies = await connection.execute(text("SELECT body FROM round_contributions"))
        answers = await connection.execute(text("SELECT * FROM round_answers"))
        assert set(bodies.scalars()) == {None}
        assert answers.all() == []


async def test_log_tells_counts_and_sizes_and_nothing_else(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """One line per transition; a new field has to be thought about here."""
    with structlog.testing.capture_logs() as lines:
        await world.open_round()
        await reach(world, members, "PUBLISHED")

    told = [line for line in lines if line["event"] == "round moved"]

    assert len(told) == 8
    assert set().union(*told) == {
        *("event", "log_level", "source", "round", "state", "joined", "roster"),
        *("contributions", "contribution_bytes", "checks", "answers"),
        *("survivors", "inconsistent", "liars"),
        *("previous_state_s", "end_cause", "priors_revision"),
    }
    assert told[-1]["contribution_bytes"] == 4 * 44208


async def test_metrics_count_rounds_participation_and_refusals(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """Operators see by the known names what happened to members and messages."""
    name = {"method": "SubmitContribution"}
    before = [figure("federation_malformed_messages_total", **name)]
    before.append(figure("federated_rounds_completed_total", state="published"))
    await world.open_round()
    round_ = await reach(world, members, "COLLECTING")
    sent = await _made(members[0], round_)
    with pytest.raises(RosterMismatch):
        await world.client("node/node-1").contribute(
            replace(sent, roster_hash=RosterHash(bytes(32)))
        )

    await reach(world, members, "PUBLISHED")

    assert figure("federation_malformed_messages_total", **name) == before[0] + 1
    completed = figure("federated_rounds_completed_total", state="published")
    assert completed == before[1] + 1
    assert figure("federation_participation_rate") == 1.0
    assert figure("federation_nodes_active") == 4.0


def figure(name: str, **labels: str) -> float:
    """Return a metric's value; 0 before it was ever touched."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_priors_watch_resumes_after_the_revision_seen(
    world: CoordinatorWorld, members: list[RunningMember]
) -> None:
    """A router that saw revision 1 hears a sign of life, and not revision 1 again."""
    await world.open_round()
    await reach(world, members, "PUBLISHED")
    await world.restart()

    for after, revision in ((0, 1), (1, 0), (5, 1)):
        stream = world.core.priors.WatchPriors(
            priors_pb2.WatchPriorsRequest(after_revision=after), CONTEXT
        )
        assert (await anext(stream)).priors.revision == revision
        await stream.aclose()


async def _made(running: RunningMember, round_: pb2.Round) -> Contribution:
    """Let the member make and store its contribution, which is not delivered."""
    client = running.member._client
    sent: list[Contribution] = []

    class Undelivered:
        roster = client.roster

        async def contribute(self, contribution: Contribution) -> None:
            sent.append(contribution)

    running.member._client = Undelivered()  # type: ignore[assignment]
    await running.member.act(round_from_message(round_))
    running.member._client = client
    return sent[0]


def _swap_ciphertext(running: RunningMember, ciphertext: bytes) -> None:
    """Make the member send another ciphertext than the one its shares open."""
    honest = running.vault.store_contribution

    async def store(
        contribution: Contribution, *, batch: Batch, promise: Promise
    ) -> Contribution:
        mixed = ciphertext + contribution.body[CIPHERTEXT_BYTES:]
        sent = await signed_by(running, contribution, mixed)
        return await honest(sent, batch=batch, promise=promise)

    running.vault.store_contribution = store  # type: ignore[method-assign]
