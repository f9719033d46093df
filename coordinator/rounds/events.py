"""What can happen to a round.

Decides the vocabulary of `lifecycle.advance` only. What members say arrives here after
its signatures were verified (`admission`); what the coordinator's own work found
arrives here too, so that one function moves a round.
"""

from dataclasses import dataclass, field

from coordinator.rounds.participants import Contribution, JoinedMember
from federated_router.crypto.transcript import MemberName


@dataclass(frozen=True, slots=True)
class Joined:
    """A member joined with keys and a commitment."""

    member: MemberName
    entry: JoinedMember


@dataclass(frozen=True, slots=True)
class Revealed:
    """A member revealed the nonce that it committed to."""

    member: MemberName
    nonce: bytes


@dataclass(frozen=True, slots=True)
class Contributed:
    """A member's body arrived whole; the store keeps it."""

    member: MemberName
    contribution: Contribution


@dataclass(frozen=True, slots=True)
class Checked:
    """A holder sent combinations of the shares that were dealt to it."""

    member: MemberName
    combinations: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """A holder sent the sums of its shares over the survivors of each cohort."""

    member: MemberName
    share_sum: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Expelled:
    """A member's membership was revoked while the round ran."""

    member: MemberName


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The clock moved; deadlines may have come."""


@dataclass(frozen=True, slots=True)
class Resumed:
    """The coordinator was restarted while the round ran."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the holders' checks say about dealers and holders.

    Dealers that are `inconsistent`, or `dropped` without being blamed, are not summed.
    `liars` are holders whose checks were wrong. What `disputed` holders got of some
    survivor does not fit: their answers may be wrong without any fault of theirs.
    """

    inconsistent: tuple[MemberName, ...] = ()
    dropped: tuple[MemberName, ...] = ()
    liars: tuple[MemberName, ...] = ()
    disputed: tuple[MemberName, ...] = ()


@dataclass(frozen=True, slots=True)
class Summed:
    """The survivors' ciphertexts add up, cohort by cohort."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The answers gave the summed secret and named these holders as liars."""

    liars: tuple[MemberName, ...]


@dataclass(frozen=True, slots=True)
class OpeningFailed:
    """So many answers did not give a secret that opens the sum.

    `decided` where no further ones could come when they were tried.
    """

    answers: int
    cause: str
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Released:
    """The opened sum passed its checks and gets this revision."""

    revision: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The opened sum failed its checks."""

    cause: str


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """An operator, or the coordinator's own failing work, ends the round."""

    cause: str


FromMember = Joined | Revealed | Contributed | Checked | Answered
"""What members say."""

Event = (
    FromMember
    | Expelled
    | TimePassed
    | Resumed
    | Judged
    | Summed
    | Opened
    | OpeningFailed
    | Released
    | Refused
    | AbortRequested
)
