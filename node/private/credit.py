"""How many tokens a private answer may have sampled so far, as its router granted.

Decides whether another token may be drawn; refuses to know ledgers, gRPC and models.
The router has every grant durably in its ledger before it is told here, so that
whatever dies, at most what was granted can have been sampled, and that is charged.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from federated_router.kit.errors import (
    FieldInvalid,
    GrantNotExtended,
    GrantUnknown,
    NotNow,
)


class Credit:
    """The grant of one private answer; it only grows, up to the policy's `tokens_max`.

    `extend` is called on the event loop alone, `covers` in the model thread alone.

    Raises:
        FieldInvalid: the first instalment is not 1 to `tokens_max` tokens.
    """

    def __init__(
        self,
        *,
        tokens_granted: int,
        tokens_max: int,
        wait_s: float,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tokens_max = tokens_max
        self._wait_s = wait_s
        self._now_s = now_s
        self._waiting_since_s: float | None = None
        self._tokens_granted = self._checked(
            tokens_granted, field="generation.private_context.grant.tokens_granted"
        )

    @property
    def tokens_granted(self) -> int:
        """Return how many tokens may be sampled in all."""
        return self._tokens_granted

    def extend(self, tokens_granted: int) -> int:
        """Allow `tokens_granted` tokens in all, or as many as before if those are more.

        Raises FieldInvalid beyond `tokens_max`, which is what the router has reserved.
        """
        asked = self._checked(tokens_granted, field="tokens_granted")
        self._tokens_granted = max(self._tokens_granted, asked)
        return self._tokens_granted

    def covers(self, tokens_sampled: int) -> bool:
        """Return whether one more than `tokens_sampled` tokens may be drawn.

        Raises GrantNotExtended where that was not so for longer than `wait_s`.
        """
        if tokens_sampled < self._tokens_granted:
            self._waiting_since_s = None
            return True
        now_s = self._now_s()
        if self._waiting_since_s is None:
            self._waiting_since_s = now_s
        if now_s - self._waiting_since_s >= self._wait_s:
            raise GrantNotExtended(
                f"The router granted no token beyond the {self._tokens_granted} that "
                "were sampled; ask again, as a new request.",
                metadata={"tokens_granted": str(self._tokens_granted)},
            )
        return False

    def _checked(self, tokens_granted: int, *, field: str) -> int:
        if not 1 <= tokens_granted <= self._tokens_max:
            raise FieldInvalid(
                f"Grant 1 to {self._tokens_max} tokens, as reserved.", field=field
            )
        return tokens_granted


class OpenCredits:
    """The credits of the answers that run here, each by its router and reservation.

    As many as private requests are admitted; a credit is here as long as its answer.
    """

    def __init__(self) -> None:
        self._credits: dict[tuple[str, str], Credit] = {}
        self._none = asyncio.Event()
        self._none.set()

    @contextmanager
    def opened(self, router: str, reservation: str, credit: Credit) -> Iterator[None]:
        """Let `extend` reach the credit inside the block.

        Raises NotNow where an answer runs on this reservation already: one grant pays
        for one answer.
        """
        key = (router, reservation)
        if key in self._credits:
            raise NotNow(
                "An answer is being sampled on this reservation already.",
                metadata={"reservation": reservation},
            )
        self._credits[key] = credit
        self._none.clear()
        try:
            yield
        finally:
            del self._credits[key]
            if not self._credits:
                self._none.set()

    async def ended(self) -> None:
        """Wait until no answer runs: one that does needs this node to hear its router.

        For an orderly stop, which its caller bounds.
        """
        await self._none.wait()

    def extend(self, router: str, reservation: str, tokens_granted: int) -> int:
        """Extend a running answer's credit and return it; raise GrantUnknown."""
        credit = self._credits.get((router, reservation))
        if credit is None:
            raise GrantUnknown(
                "No private answer runs here on this reservation; it may have ended.",
                metadata={"reservation": reservation},
            )
        return credit.extend(tokens_granted)
