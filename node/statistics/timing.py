"""One running request: when its tokens come, and its one ending.

Decides when the clock of a request begins and stops, and that the first ending counts.
Refuses to know what becomes of the figures.

The clock of a private request begins once its rows have their public shape, and its
work is counted by that shape: neither depends on how long a record is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from federated_router.federation.records import FailureCause
from node.engine.pieces import FinishReason
from node.statistics.endings import Ending, TokenCounts
from node.statistics.energy_shares import EnergyShare, EnergyShares
from node.statistics.energy_sources import EnergySource

Joules = Mapping[EnergySource, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedRequest:
    """What the clock said of a request; seconds. None where no such token came."""

    ending: Ending
    counts: TokenCounts
    duration_s: float
    time_to_first_token_s: float | None
    time_per_output_token_s: float | None


Ended = Callable[[TimedRequest, Joules], None]
"""Takes a request that ended, and its measured joules by source."""


class RequestTiming:
    """One request; `ended` is called once, maybe later than the ending itself.

    `shares` is None where this machine's meters do not count the request's energy. A
    `private` one takes no time before its rows are laid out.
    """

    def __init__(
        self,
        *,
        now_s: Callable[[], float],
        ended: Ended,
        shares: EnergyShares | None = None,
        private: bool = False,
    ) -> None:
        self._now_s = now_s
        self._shares = shares
        self._share = EnergyShare() if shares is None else shares.begin()
        self._ended = ended
        self._started_s = None if private else now_s()
        self._first_s: float | None = None
        self._last_s = 0.0
        self._counts = TokenCounts()
        self._finish: FinishReason | None = None
        self._rows, self._row_tokens = 1, 0
        self._worked = 0
        self._ending: Ending | None = None

    @property
    def ending(self) -> Ending | None:
        """How the request ended; None while it runs."""
        return self._ending

    def rows_laid_out(self, *, rows: int, row_tokens: int) -> None:
        """Begin the clock of a private request whose rows have their public shape."""
        self._rows, self._row_tokens = rows, row_tokens
        self._started_s = self._now_s()

    def progress(
        self, counts: TokenCounts, *, finish: FinishReason | None = None
    ) -> None:
        """Note that a piece came, and the tokens of the request up to it.

        `finish` is set with the last piece of a whole answer.
        """
        self._counts, self._last_s, self._finish = counts, self._now_s(), finish
        if self._first_s is None:
            self._first_s = self._last_s
        work = self._work_tokens(counts)
        self._share.add(work - self._worked)
        self._worked = work

    def answer(self) -> None:
        """End with a whole answer; its last piece said how it finished."""
        if self._finish is None:
            raise ValueError("no piece said that the answer is whole")
        self._end(Ending.of(self._finish))

    def fail(self, cause: FailureCause) -> None:
        """End without the answer, by the node's fault."""
        self._end(Ending.of(cause))

    def cancel(self) -> None:
        """End because the client lost interest; that says nothing about the node."""
        self._end(Ending.CANCELLED)

    def refuse(self) -> None:
        """End because the request cannot be served, by the client's mistake."""
        self._end(Ending.REFUSED)

    def _work_tokens(self, counts: TokenCounts) -> int:
        """Return how many tokens went through the model, padding of rows included."""
        read = self._row_tokens or counts.prompt - counts.cached
        return self._rows * (read + counts.output)

    def _end(self, ending: Ending) -> None:
        if self._ending is not None:
            return
        self._ending = ending
        timed = TimedRequest(
            ending=ending,
            counts=self._counts,
            duration_s=self._since_start_s(self._now_s()),
            time_to_first_token_s=None
            if self._first_s is None
            else self._since_start_s(self._first_s),
            time_per_output_token_s=self._time_per_output_token_s(),
        )
        if self._shares is None:
            self._ended(timed, {})
        else:
            self._shares.finish(
                self._share, lambda measured: self._ended(timed, measured)
            )

    def _since_start_s(self, moment_s: float) -> float:
        if self._started_s is None:
            return 0.0
        return max(moment_s - self._started_s, 0.0)

    def _time_per_output_token_s(self) -> float | None:
        if self._first_s is None or self._counts.output <= 1:
            return None
        return (self._last_s - self._first_s) / (self._counts.output - 1)
