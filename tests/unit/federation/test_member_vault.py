"""What a member must not lose and must not say twice."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from federated_router.crypto.transcript import RosterHash
from federated_router.federation.round_view import Contribution
from federated_router.federation.statements import sha256
from federated_router.federation.statistics import Batch
from federated_router.federation.vault import Vault
from federated_router.federation.vault_rows import (
    Answer,
    Check,
    Contributed,
    RecordState,
)
from federated_router.federation.verification import Promise
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import (
    RosterMismatch,
    RoundStateWrong,
    ShareConflict,
)
from tests.support.round_member import Certificates

ROUND = "rounds/r1"
LIFETIME_S = 1000.0
BATCH = Batch((1.0, 2.0), {})
ROSTER = RosterHash(sha256(b"roster"))
PROMISE = Promise(
    contributors_min=4, survivors_min=3, cohort_size=2, cohort_survivors_min=2
)
WEAKER = Promise(contributors_min=1, survivors_min=1)
CHECK = Check(sha256(b"contributors"), b"combinations", b"signature")


def contribution(body: bytes = b"body", roster: RosterHash = ROSTER) -> Contribution:
    """Return a contribution of any bytes; the vault does not look into them."""
    return Contribution(
        round_name=ROUND,
        roster_hash=roster,
        body=body,
        sha256=sha256(body),
        signature=b"signature",
    )


async def open_vault(
    path: Path, certificates: Certificates, clock: ManualClock
) -> Vault:
    """Open node-1's vault, as every new process of it does."""
    return await Vault.open(
        path,
        credentials=certificates.credentials("node/vault-1"),
        key_lifetime_s=LIFETIME_S,
        clock=clock,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the vault lies."""
    return tmp_path / "member" / "vault.sqlite"


@pytest.fixture
async def vault(
    path: Path, certificates: Certificates, clock: ManualClock
) -> AsyncIterator[Vault]:
    """Open a new vault."""
    opened = await open_vault(path, certificates, clock)
    yield opened
    await opened.close()


async def test_vault_belongs_to_its_owner_alone(vault: Vault, path: Path) -> None:
    """Private keys are in it, and encryption at rest comes later."""
    await vault.join(ROUND)

    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}

    assert set(modes.values()) == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


async def test_nonce_and_keys_survive_a_restart(
    vault: Vault, path: Path, certificates: Certificates, clock: ManualClock
) -> None:
    """Another nonce under the same commitment would throw the member out."""
    first = await vault.join(ROUND)
    await vault.close()

    again = await open_vault(path, certificates, clock)
    second = await again.join(ROUND)

    assert second.nonce == first.nonce
    assert second.held.announcement == first.held.announcement
    await again.close()


async def test_contribution_on_disk_stands_against_a_newer_one(vault: Vault) -> None:
    """Two ciphertexts of one member in one round would be two sums."""
    await vault.join(ROUND)
    first = await vault.store_contribution(
        contribution(b"first"), batch=BATCH, promise=PROMISE
    )

    second = await vault.store_contribution(
        contribution(b"second"), batch=BATCH, promise=WEAKER
    )

    record = await vault.find(ROUND)
    assert first == second == contribution(b"first")
    assert record is not None
    assert record.promise == PROMISE


async def test_contribution_under_another_roster_is_refused(vault: Vault) -> None:
    """One round has one roster for this member, whatever it is shown."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    other = RosterHash(sha256(b"another"))

    with pytest.raises(RosterMismatch):
        await vault.store_contribution(
            contribution(roster=other), batch=BATCH, promise=PROMISE
        )


async def test_same_answer_may_be_stored_again_and_another_may_not(
    vault: Vault,
) -> None:
    """One answer per round, for ever."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.store_check(ROUND, CHECK)
    await vault.store_answer(ROUND, Answer(b"sum", b"signature"))

    again = await vault.store_answer(ROUND, Answer(b"sum", b"other signature"))

    assert again == Answer(b"sum", b"signature")
    with pytest.raises(ShareConflict):
        await vault.store_answer(ROUND, Answer(b"other", b"signature"))


async def test_of_many_answers_at_once_one_stands(vault: Vault) -> None:
    """A race between tasks must not leave two answers on their way."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.store_check(ROUND, CHECK)

    outcomes = await asyncio.gather(
        *(
            vault.store_answer(ROUND, Answer(bytes([number]), b"signature"))
            for number in range(8)
        ),
        return_exceptions=True,
    )

    stored = [outcome for outcome in outcomes if isinstance(outcome, Answer)]
    assert len(stored) == 1
    assert sum(isinstance(outcome, ShareConflict) for outcome in outcomes) == 7


async def test_schema_refuses_a_second_answer_even_past_the_code(
    vault: Vault,
) -> None:
    """A defect above the table must fail a statement and not a promise."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.store_check(ROUND, CHECK)
    await vault.store_answer(ROUND, Answer(b"sum", b"signature"))

    with pytest.raises(IntegrityError):
        async with vault._database.transaction("attack") as connection:
            await connection.execute(
                text("UPDATE member_rounds SET share_sum = :other"), {"other": b"two"}
            )


async def test_who_did_not_contribute_cannot_check_and_who_did_not_check_cannot_answer(
    vault: Vault,
) -> None:
    """A holder helps to open only sums of contributors that it has compared."""
    await vault.join(ROUND)

    with pytest.raises(RoundStateWrong):
        await vault.store_check(ROUND, CHECK)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    with pytest.raises(RoundStateWrong):
        await vault.store_answer(ROUND, Answer(b"sum", b"signature"))


async def test_check_stands_once_and_for_one_contributor_set(vault: Vault) -> None:
    """The same check may be sent again; another one, or of another set, may not."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.store_check(ROUND, CHECK)

    assert await vault.store_check(ROUND, replace(CHECK, signature=b"new")) == CHECK
    with pytest.raises(ShareConflict):
        await vault.store_check(ROUND, replace(CHECK, combinations=b"other"))
    with pytest.raises(ShareConflict):
        await vault.store_check(ROUND, replace(CHECK, contributors_sha256=b"other"))


@pytest.mark.parametrize("column", ["combinations", "contributors_sha256"])
async def test_database_itself_refuses_a_second_check(
    vault: Vault, column: str
) -> None:
    """A defect above the table must fail a statement and not a promise."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.store_check(ROUND, CHECK)

    with pytest.raises(IntegrityError):
        async with vault._database.transaction("attack") as connection:
            await connection.execute(
                text(f"UPDATE member_rounds SET {column} = :other"),  # noqa: S608 - one of two names.
                {"other": b"two"},
            )


async def test_answer_remembers_whether_its_own_contribution_is_summed(
    vault: Vault,
) -> None:
    """Settlement needs it after a restart."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.store_check(ROUND, CHECK)
    answer = Answer(b"sum", b"signature", own_summed=False)
    await vault.store_answer(ROUND, answer)

    record = await vault.find(ROUND)

    assert record is not None
    assert record.check == CHECK
    assert record.answer == answer


async def test_ended_round_loses_its_content_and_keeps_its_name(
    vault: Vault, path: Path
) -> None:
    """What is over can neither be read nor be entered again."""
    marker = b"plain-content-marker" * 8
    await vault.join(ROUND)
    await vault.store_contribution(contribution(marker), batch=BATCH, promise=PROMISE)

    await vault.end(ROUND)
    await vault.close()

    assert marker not in await asyncio.to_thread(path.read_bytes)


async def test_ended_round_cannot_be_joined(vault: Vault) -> None:
    """A coordinator may repeat a round's name; the member does not."""
    await vault.join(ROUND)
    await vault.end(ROUND)

    with pytest.raises(RoundStateWrong):
        await vault.join(ROUND)


async def test_unfinished_rounds_are_found_after_a_restart(vault: Vault) -> None:
    """What was begun must be settled; what has ended is not asked about."""
    for name in ("rounds/1", "rounds/2", "rounds/3"):
        await vault.join(name)
    await vault.end("rounds/2")

    found = await vault.unfinished()

    assert [record.round_name for record in found] == ["rounds/1", "rounds/3"]
    assert {record.state for record in found} == {RecordState.JOINED}


async def test_small_record_knows_that_and_to_what_this_member_contributed(
    vault: Vault,
) -> None:
    """A step reads it each time; batch and body are read to be sent or taken back."""
    joined = await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)

    small, whole = await vault.find_small(ROUND), await vault.find(ROUND)

    assert joined.contributed is None
    assert small is not None
    assert whole is not None
    assert small.contributed == Contributed(ROSTER, sha256(b"body"), b"signature")
    assert small.promise == PROMISE
    assert (small.batch, small.contribution) == (None, None)
    assert (whole.batch, whole.contribution) == (BATCH, contribution())
    assert (whole.contributed, whole.nonce) == (small.contributed, small.nonce)
    (unfinished,) = await vault.unfinished()
    assert unfinished.contributed == small.contributed
    assert (unfinished.batch, unfinished.contribution) == (None, None)
    assert await vault.batches() == ((ROUND, BATCH),)


async def test_batch_of_an_ended_round_is_not_taken_back(vault: Vault) -> None:
    """Counts that may have been told once would be told twice."""
    await vault.join(ROUND)
    await vault.store_contribution(contribution(), batch=BATCH, promise=PROMISE)
    await vault.end(ROUND)

    assert await vault.batches() == ()
    with pytest.raises(RoundStateWrong):
        await vault.find_small(ROUND)


async def test_keys_rotate_before_they_expire(vault: Vault, clock: ManualClock) -> None:
    """A round must not outlive the keys that it began with."""
    first = await vault.join("rounds/1")
    await clock.advance(LIFETIME_S * 0.5)
    second = await vault.join("rounds/2")

    await clock.advance(LIFETIME_S * 0.3)
    third = await vault.join("rounds/3")

    assert first.held.announcement == second.held.announcement
    assert third.held.announcement != first.held.announcement


async def test_expired_keys_are_deleted_once_no_round_needs_them(
    vault: Vault, clock: ManualClock
) -> None:
    """Old sealed shares must not stay readable for ever."""
    await vault.join("rounds/1")
    await clock.advance(LIFETIME_S + 1)
    await vault.join("rounds/2")

    await vault.end("rounds/1")

    async with vault._database.read("count") as connection:
        keys = await connection.scalar(text("SELECT count(*) FROM member_keys"))
    assert keys == 1


async def test_renewed_certificate_gets_new_keys(
    path: Path, certificates: Certificates, clock: ManualClock
) -> None:
    """A binding names one certificate; a renewed one needs its own."""
    old = await open_vault(path, certificates, clock)
    first = await old.join("rounds/1")
    await old.close()

    renewed = await open_vault(path, certificates, clock)
    second = await renewed.join("rounds/2")

    assert second.held.announcement.binding.keys != (
        first.held.announcement.binding.keys
    )
    await renewed.close()


async def test_names_of_ended_rounds_are_bounded(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A vault that only grows ends by filling the disk."""
    monkeypatch.setattr("federated_router.federation.vault_records.ENDED_ROUNDS_MAX", 3)

    for number in range(8):
        await vault.join(f"rounds/{number}")
        await vault.end(f"rounds/{number}")

    async with vault._database.read("count") as connection:
        rounds = await connection.scalar(text("SELECT count(*) FROM member_rounds"))
    assert rounds == 3


async def test_private_bytes_do_not_show_in_a_repr(vault: Vault) -> None:
    """Logs and tracebacks print records."""
    record = await vault.join(ROUND)

    shown = repr(record)

    assert repr(record.nonce) not in shown
    assert repr(record.held.keys.to_secret_bytes()[:8])[2:-1] not in shown
    assert "nonce" not in shown
