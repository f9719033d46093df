"""Rounds without cryptographic ceremony: what `lifecycle` sees after admission."""

import hashlib
from dataclasses import replace

from coordinator.rounds import events, lifecycle
from coordinator.rounds.participants import Contribution, JoinedMember
from coordinator.rounds.round import Round, RoundName
from coordinator.rounds.state import State
from coordinator.rounds.terms import Durations, Terms
from federated_router.crypto import beacon
from federated_router.crypto.binding import KeyBinding
from federated_router.crypto.signing import PublicKeys
from federated_router.crypto.transcript import MemberName, RoundAttempt
from federated_router.priors.catalogue import Catalogue

NAME = RoundName("rounds/r1")
START_S = 1_000.0
MEMBERS = 4
DURATIONS = Durations(
    joining_s=10,
    revealing_s=10,
    collecting_s=10,
    checking_s=10,
    summing_s=10,
    opening_s=10,
    validating_s=10,
    resume_grace_s=5,
)
TERMS = Terms(
    catalogue=Catalogue(
        version=1, models=("models/a",), regions=("eu",), slot_max=1000
    ),
    participation_min=0.75,
    members_min=3,
    members_max=8,
    members_expected=MEMBERS,
    noise_scale=4.0,
    colluders_max=None,
    durations=DURATIONS,
)


def _bytes(purpose: str, index: int) -> bytes:
    return hashlib.sha256(f"{purpose} {index}".encode()).digest()


def terms(**changes: object) -> Terms:
    """Return the terms with some of them changed."""
    return replace(TERMS, **changes)  # type: ignore[arg-type]


def member(index: int) -> MemberName:
    """Return the name of the member of that number."""
    return MemberName(f"node/node-{index}")


def nonce(index: int) -> bytes:
    """Return the member's nonce."""
    return _bytes("nonce", index)


def joined(index: int, *, name: RoundName = NAME) -> events.Joined:
    """Return the member's joining."""
    keys = PublicKeys(_bytes("signing", index), _bytes("sealing", index))
    binding = KeyBinding(member(index), keys, 2_000_000_000, b"binding")
    attempt = RoundAttempt(name, 0)
    commitment = beacon.commit(attempt, member(index), nonce(index))
    return events.Joined(
        member(index), JoinedMember(binding, b"certificate", commitment)
    )


def revealed(index: int) -> events.Revealed:
    """Return the member's nonce as an event."""
    return events.Revealed(member(index), nonce(index))


def body(index: int) -> bytes:
    """Return bytes that stand for a contribution, of the right size for four."""
    return _bytes("body", index) * 1895


def contributed(index: int, *, content: bytes | None = None) -> events.Contributed:
    """Return the member's contribution."""
    sent = body(index) if content is None else content
    digest = hashlib.sha256(sent).digest()
    return events.Contributed(
        member(index), Contribution(digest, b"signature", len(sent))
    )


def checked(index: int, *, combinations: bytes = b"combinations") -> events.Checked:
    """Return what the member computed from its shares."""
    return events.Checked(member(index), combinations)


def answered(index: int, *, share_sum: bytes = b"answer") -> events.Answered:
    """Return the member's answer."""
    return events.Answered(member(index), share_sum)


STEPS: dict[State, tuple[events.Event, ...]] = {
    State.JOINING: tuple(joined(index) for index in range(1, MEMBERS + 1)),
    State.REVEALING: tuple(revealed(index) for index in range(1, MEMBERS + 1)),
    State.COLLECTING: tuple(contributed(index) for index in range(1, MEMBERS + 1)),
    State.CHECKING: (
        *(checked(index) for index in range(1, MEMBERS + 1)),
        events.Judged(),
    ),
    State.SUMMING: (events.Summed(),),
    State.OPENING: (*(answered(index) for index in (1, 2, 3)), events.Opened(())),
    State.VALIDATING: (events.Released(1),),
}
"""What completes each state, in order, for a round of four."""


def new_round(agreed: Terms = TERMS) -> Round:
    """Return a round that has just opened."""
    return lifecycle.open_round(NAME, agreed, START_S)


def play(round_: Round, *script: events.Event, now_s: float = START_S) -> Round:
    """Apply events one after the other."""
    for event in script:
        round_ = lifecycle.advance(round_, event, now_s)
    return round_


def round_in(state: State, agreed: Terms = TERMS) -> Round:
    """Return a round of four that has just entered `state`."""
    round_ = new_round(agreed)
    if state is State.ABORTED:
        return play(round_, events.AbortRequested("enough"))
    if state is State.REJECTED:
        return play(round_in(State.VALIDATING, agreed), events.Refused("wrong"))
    for reached, script in STEPS.items():
        if reached is state:
            break
        round_ = play(round_, *script)
    return round_
