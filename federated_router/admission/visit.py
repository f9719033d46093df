"""One request at the gate: charged when it comes, in line when it needs a node.

Decides what each end of a request gives back, without another await. Refuses to know
how rates are counted and whose turn it is.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from federated_router.admission.ask import AdmissionAsk, Priority
from federated_router.admission.bucket import Measure
from federated_router.admission.fair_queue import Ticket

NOTHING: Final[Mapping[Measure, int]] = MappingProxyType({})
"""Taken of no rate."""


class Gate(Protocol):
    """What a visit needs of the gate (`Admission`); times are of the event loop."""

    async def charge(self, ask: AdmissionAsk, ends_s: float) -> Mapping[Measure, int]:
        """Take a request and its tokens of its tenant's rate; return what was taken."""
        ...

    async def turn(self, ask: AdmissionAsk, ends_s: float) -> Ticket:
        """Return the ticket of a request once it runs, or raise and leave nothing."""
        ...

    def leave(
        self,
        ask: AdmissionAsk,
        ticket: Ticket | None,
        spent: Mapping[Measure, int],
        tokens: int | None,
    ) -> None:
        """Give a place up, and what was not taken of the rate; `tokens` was taken."""
        ...

    def give_back(self, ask: AdmissionAsk, spent: Mapping[Measure, int]) -> None:
        """Put back all that was taken of the rate: the request had no turn."""
        ...


@dataclass(slots=True)
class Admitted:
    """A request at the gate, until it is left.

    `priority` is what its tenant may use of what it asked for; nodes are told this one.
    `tokens` is what it took, where `used` has said so.
    """

    priority: Priority
    tokens: int | None = None
    wait: Callable[[], Awaitable[None]] | None = None

    async def turn(self) -> None:
        """Wait until the request may run, if it may not yet.

        Raises as `Admission.arrived` says. A request that never asks has no place.
        """
        wait, self.wait = self.wait, None
        if wait is not None:
            await wait()

    def used(self, tokens: int) -> None:
        """Say what the request took; one that never says is charged what it asked."""
        self.tokens = tokens


class Visit:
    """One request between its charge and its end."""

    __slots__ = ("_admitted", "_ask", "_ends_s", "_gate", "_spent", "_ticket")

    def __init__(self, gate: Gate, ask: AdmissionAsk, ends_s: float) -> None:
        self._gate = gate
        self._ask = ask
        self._ends_s = ends_s
        self._admitted = Admitted(ask.priority, wait=self._wait)
        self._spent: Mapping[Measure, int] = NOTHING
        self._ticket: Ticket | None = None

    async def __aenter__(self) -> Admitted:
        self._spent = await self._gate.charge(self._ask, self._ends_s)
        return self._admitted

    async def __aexit__(self, *_: object) -> None:
        self._gate.leave(self._ask, self._ticket, self._spent, self._admitted.tokens)

    async def _wait(self) -> None:
        try:
            self._ticket = await self._gate.turn(self._ask, self._ends_s)
        except BaseException:
            spent, self._spent = self._spent, NOTHING
            self._gate.give_back(self._ask, spent)
            raise
