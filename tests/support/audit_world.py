"""Words for tests of the audit log: a ledger with a history, and its export."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from federated_router.budget.accounts import (
    AccountName,
    AccountTerms,
    BlockScheme,
    BlockTerms,
)
from federated_router.budget.audit.chain import hash_after
from federated_router.budget.audit.export import EntryPage, export
from federated_router.budget.audit.format import (
    End,
    ExportedEntry,
    Header,
    Record,
    exported,
    line_of,
    read_line,
)
from federated_router.budget.audit.verification import AuditReport, verify
from federated_router.budget.blocks import block_name
from federated_router.budget.chain import ChainHead
from federated_router.budget.checkpoint import Checkpoint, CheckpointSigner
from federated_router.budget.ledger import ReserveRequest
from federated_router.budget.port import LedgerStore
from federated_router.budget.reservation import (
    Charge,
    Owner,
    ReleaseCause,
    RequestId,
)
from federated_router.kit.clock import ManualClock
from federated_router.kit.errors import BudgetExhausted
from federated_router.privacy.measure import Measure, step_units
from federated_router.privacy.renewal import RenewalPolicy
from federated_router.privacy.step import GaussianStep, LaplaceStep, Step, TokenStep
from federated_router.privacy.step_text import step_text

NOON_S = 1_767_268_800.25  # 2026-01-01T12:00:00.25Z, a Thursday.
DAY_S = 86_400.0
OWNER = Owner("router-1", "boot-1")
WARD = AccountName("accounts/dataset-ward")
RENYI = AccountName("accounts/dataset-renyi")
BATCHED = AccountName("accounts/dataset-batched")
BLOCK = block_name(BATCHED, "may")
USER = AccountName("accounts/user-ada")
LIMIT = 10**12
TOKEN: Step = TokenStep(
    slots=32,
    clip=Decimal(1),
    temperature=Decimal(1),
    multiplier=1,
    records_per_subject=1,
)
NOISE: Step = GaussianStep(sensitivity_squared=Fraction(1), scale=Fraction(10))
LAPLACE: Step = LaplaceStep(sensitivity=Fraction(1), scale=Fraction(20))
TERMS = {
    WARD: AccountTerms(
        name=WARD,
        limit_units=LIMIT,
        delta=1e-6,
        renewal=RenewalPolicy.DAILY,
        zone="Europe/Berlin",
        lifetime_cap_units=20 * LIMIT,
    ),
    RENYI: AccountTerms(name=RENYI, limit_units=3 * LIMIT, delta=1e-6, order=8.925),
    BATCHED: AccountTerms(
        name=BATCHED,
        limit_units=LIMIT,
        delta=1e-6,
        renewal=RenewalPolicy.ON_NEW_DATA,
        blocks=BlockTerms(scheme=BlockScheme.BATCH, limit_units=LIMIT // 2),
    ),
    USER: AccountTerms(
        name=USER, limit_units=2 * LIMIT, delta=1e-6, renewal=RenewalPolicy.WEEKLY
    ),
}


def signer() -> CheckpointSigner:
    """Return a signer with a key of its own."""
    return CheckpointSigner(Ed25519PrivateKey.generate())


def release(
    request_id: str,
    step: Step,
    accounts: Iterable[AccountTerms],
    *,
    steps_max: int = 4,
    lease_s: float = 60.0,
    steps_bound: int | None = None,
) -> ReserveRequest:
    """Return a request whose charges follow from its step."""
    return ReserveRequest(
        request_id=RequestId(request_id),
        body_digest=bytes(32),
        owner=OWNER,
        charges=tuple(
            Charge(terms.name, step_units(step, Measure(terms.order)))
            for terms in accounts
        ),
        steps_max=steps_max,
        lease_s=lease_s,
        event=step_text(step, context={"dataset": "datasets/ward", "policy": "p"}),
        steps_bound=steps_bound,
    )


async def story(
    store: LedgerStore,
    clock: ManualClock,
    between: Callable[[], Awaitable[object]] | None = None,
) -> None:
    """Let everything happen once that the journal knows, but a restore.

    `between` is awaited after entry 8.
    """
    for terms in TERMS.values():
        await store.create_account(terms)
    block = await store.open_block(BATCHED, "may")
    ward, renyi, user = TERMS[WARD], TERMS[RENYI], TERMS[USER]
    await store.reserve(release("one", TOKEN, [ward, user]))
    await store.commit(RequestId("one"), owner=OWNER, steps=3)
    if between is not None:
        await between()
    await store.reserve(release("two", LAPLACE, [renyi, user], steps_max=1))
    await store.release(
        RequestId("two"), owner=OWNER, cause=ReleaseCause.NO_NODE_AVAILABLE
    )
    await store.reserve(release("three", NOISE, [TERMS[BATCHED], block.terms]))
    await clock.advance(61.0)
    await store.expire_due()
    proposal = await store.propose_renewal(
        RENYI, operator="operators/eve", reason="a study", lasts_s=3600.0
    )
    await clock.advance(1.5)
    await store.approve_renewal(
        RENYI, proposal_id=proposal.proposal_id, operator="operators/bob"
    )
    await clock.advance(DAY_S)
    await store.reserve(release("four", TOKEN, [ward]))
    await store.close_account(BATCHED, operator="operators/eve", reason="study over")
    await store.commit(RequestId("four"), owner=OWNER, steps=1)
    await store.reserve(release("open", TOKEN, [ward]))


async def random_history(
    store: LedgerStore, clock: ManualClock, seed: int, *, length: int
) -> None:
    """Let `length` random things happen, after `story`."""
    random = Random(seed)  # noqa: S311 - a history, not a secret.
    held: list[str] = ["open"]
    for number in range(length):
        names = random.sample([WARD, RENYI, USER], random.randint(1, 3))
        step = random.choice([TOKEN, NOISE, LAPLACE])
        steps_max = random.randint(1, 9)
        request = release(
            f"r{seed}-{number}",
            step,
            [TERMS[name] for name in names],
            steps_max=steps_max,
            steps_bound=random.choice([None, random.randint(1, steps_max)]),
        )
        try:
            await store.reserve(request)
            held.append(request.request_id)
        except BudgetExhausted:
            await clock.advance(DAY_S / 2)
        if len(held) > 3:
            await _settle(store, random, held.pop(random.randrange(len(held))))
        if random.random() < 0.1:
            await clock.advance(random.uniform(-5.0, 70.0))
            held = [] if await store.expire_due() else held


async def _settle(store: LedgerStore, random: Random, request_id: str) -> None:
    found = await store.get_reservation(RequestId(request_id))
    if found.state.value != "reserved":
        return
    if random.random() < 0.3:
        cause = random.choice(list(ReleaseCause))
        await store.release(found.request_id, owner=OWNER, cause=cause)
        return
    more = random.randint(1, found.steps_max)
    found = await store.bound(found.request_id, owner=OWNER, steps=more)
    steps = random.randint(1, found.steps_bound)
    await store.commit(found.request_id, owner=OWNER, steps=steps)


@dataclass
class LedgerSource:
    """A ledger as the export reads it, in pages of `page_size`."""

    store: LedgerStore
    signer: CheckpointSigner
    page_size: int = 3

    async def sign(self) -> Checkpoint | None:
        """Sign the newest entry."""
        return await self.store.checkpoint(self.signer)

    async def entries(self, *, after: int) -> EntryPage:
        """Return a page of entries."""
        head = await self.store.head()
        found = await self.store.list_entries(after=after, page_size=self.page_size)
        return EntryPage(head.ledger_id, tuple(map(exported, found)))

    async def checkpoints(self, *, after: int) -> tuple[Checkpoint, ...]:
        """Return a page of checkpoints."""
        return await self.store.list_checkpoints(after=after, page_size=self.page_size)


async def export_lines(store: LedgerStore, signed_by: CheckpointSigner) -> list[bytes]:
    """Return the export of a ledger."""
    lines: list[bytes] = []

    def write(record: Record) -> None:
        lines.append(line_of(record))

    await export(LedgerSource(store, signed_by), write, lambda _written, _of: None)
    return lines


def documents(lines: Iterable[bytes]) -> list[dict[str, object]]:
    """Return each line as JSON, to be changed."""
    return [json.loads(line) for line in lines]


def check(
    content: Sequence[dict[str, object]] | Sequence[bytes],
    key: bytes,
    kept: Iterable[Checkpoint] = (),
) -> AuditReport:
    """Verify lines, or the documents that they hold."""
    lines = [
        one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n"
        for one in content
    ]
    return verify(lines, public_keys=[key], kept=kept)


def made_anew(
    content: Iterable[Mapping[str, object]], signed_by: CheckpointSigner
) -> list[bytes]:
    """Return the lines as a dishonest holder of the key would write them.

    Entries are numbered and hashed anew and the last one is signed, so that chain and
    signatures hold whatever the entries say.
    """
    ledger_id = bytes(16)
    entries = [dict(one) for one in content if one["record"] == "entry"]
    head = ChainHead(
        ledger_id,
        0,
        hashlib.sha256(b"federated-router ledger 1\0" + ledger_id).digest(),
    )
    lines = [line_of(Header(ledger_id))]
    for sequence, document in enumerate(entries, start=1):
        document["sequence"] = sequence
        entry = read_line(json.dumps(document).encode())
        assert isinstance(entry, ExportedEntry)
        head = ChainHead(ledger_id, sequence, hash_after(head.hash, entry))
        lines.append(line_of(replace(entry, hash=head.hash)))
    lines.append(line_of(signed_by.sign(head, now_s=NOON_S)))
    return [*lines, line_of(End(len(entries), 1))]
