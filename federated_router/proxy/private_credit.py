"""Credit for a running private answer: granted in instalments, written down first.

Decides when more is granted and in which order: the ledger allows more steps, durably,
and only then the node hears of it. So whatever dies in between, what can have been
sampled is never more than the ledger charges, and a failure costs what was granted by
then instead of the whole hold. Refuses to know how an answer ends (`private_relay`).
"""

import asyncio
from dataclasses import dataclass

import grpc

from federated_router.api.v1 import decoding_pb2 as pb
from federated_router.api.v1 import decoding_pb2_grpc as pb_grpc
from federated_router.budget.cashier import Hold
from federated_router.kit.errors import (
    DeadlineExceeded,
    FederationError,
    Internal,
    QueueFull,
    StoreUnavailable,
    Unavailable,
)
from federated_router.kit.grpc_errors import translate
from federated_router.kit.log import get_logger

RETRY_S = 0.05
log = get_logger("private")


@dataclass(frozen=True, slots=True)
class Instalments:
    """How much is granted at once: `size` tokens, `tokens_max` in all."""

    size: int
    tokens_max: int

    @property
    def first(self) -> int:
        """Return how many tokens are granted with the request."""
        return min(self.size, self.tokens_max)

    def next(self, *, seen: int, granted: int) -> int | None:
        """Return how many tokens to grant in all, None while that is enough.

        Once half of an instalment is left the next one is granted, so that the node
        need not wait; never more than one and a half are out.
        """
        if granted >= self.tokens_max or granted - seen > self.size // 2:
            return None
        return min(granted + self.size, self.tokens_max)


class CreditLine:
    """Extends one answer's grant as its tokens arrive. `close` ends that."""

    def __init__(
        self,
        hold: Hold,
        node: pb_grpc.PrivateDecodingServiceStub,
        instalments: Instalments,
        *,
        timeout_s: float,
    ) -> None:
        self._hold = hold
        self._node = node
        self._instalments = instalments
        self._timeout_s = timeout_s
        self._seen = 0
        self._overrun = False
        self._extending: asyncio.Task[None] | None = None

    @property
    def overrun(self) -> bool:
        """Return whether the node was caught sampling beyond what it was granted."""
        return self._overrun

    def saw(self, tokens: int) -> None:
        """Take note of `tokens` more that arrived; grant more where it is time.

        Raises Internal where the node cannot have been granted so many.
        """
        self._check(self._seen + tokens)
        self._seen += tokens
        if self._extending is None and self._next() is not None:
            self._extending = asyncio.ensure_future(self._extend())

    def count(self, tokens: int) -> None:
        """Take note of the node's own count; raise Internal where it cannot be true."""
        self._check(tokens)
        if tokens < self._seen:
            raise Internal(
                "The node told of fewer tokens than it sent; all that it had been "
                "granted was charged.",
                metadata={"reservation": self._hold.name},
            )

    def _check(self, tokens: int) -> None:
        """Raise Internal where `tokens` in all are more than were granted."""
        if tokens > self._hold.steps_bound:
            self._overrun = True
            raise Internal(
                "The node sampled more tokens than it was granted; the whole "
                "reservation was charged.",
                metadata={"reservation": self._hold.name},
            )

    def close(self) -> None:
        """Grant nothing more.

        A bound that is on its way to the ledger may still arrive there; the node does
        not hear of it, so it need not be charged. A grant on its way to the node is
        within the bound already.
        """
        if self._extending is not None:
            self._extending.cancel()

    def _next(self) -> int | None:
        return self._instalments.next(seen=self._seen, granted=self._hold.steps_bound)

    async def _extend(self) -> None:
        """Grant as long as it is time to; a failure here ends no answer by itself."""
        try:
            while (granted := self._next()) is not None:
                if await self._written(granted):
                    await self._tell(self._hold.steps_bound)
        except FederationError as error:
            # The node ends the answer when its credit is used up, or it has ended.
            log.info(
                "grant not extended", reservation=self._hold.name, reason=error.reason
            )
            return
        self._extending = None

    async def _written(self, granted: int) -> bool:
        """Return whether the ledger allows so many; an absent ledger is waited for."""
        try:
            await self._hold.bound(granted)
        except (StoreUnavailable, QueueFull) as error:
            log.warning("grant waits for the ledger", reason=error.reason)
            await asyncio.sleep(RETRY_S)
            return False
        return True

    async def _tell(self, granted: int) -> None:
        """Tell the node until it has heard: the same grant twice is one grant."""
        request = pb.ExtendGrantRequest(
            reservation=self._hold.name, tokens_granted=granted
        )
        while True:
            try:
                await self._node.ExtendGrant(request, timeout=self._timeout_s)
            except grpc.aio.AioRpcError as error:
                known = translate(error)
                if not isinstance(known, Unavailable | DeadlineExceeded):
                    raise known from error
                log.warning("grant not heard", reason=known.reason)
                await asyncio.sleep(RETRY_S)
            except grpc.aio.UsageError as error:
                raise Unavailable("The connection to the node is closed.") from error
            else:
                return
