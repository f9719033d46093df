"""An event loop whose time jumps to whatever comes next.

Decides when virtual time passes: only while nothing can run and no thread computes, and
then at once to the next timer. Work for threads is done for real, one piece at a time,
and its result is handed over after a fixed virtual time, so that the order of events
follows from the timers alone and a run can be repeated. Refuses to know what runs.
"""

import asyncio
import selectors
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Final, TypeVar

T = TypeVar("T")
STALL_S: Final = 600.0
"""Real seconds after which a piece of work in a thread is taken for stuck."""

party: ContextVar[str] = ContextVar("simulated_party", default="")
"""Who computes, for the accounts of processor time."""


class Stalled(Exception):
    """Nothing can ever happen again in the simulated world, or a thread is stuck."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual; `cpu_s` is real processor time in threads, by `party`."""

    def __init__(self, *, work_s: float) -> None:
        self.cpu_s: defaultdict[str, float] = defaultdict(float)
        self._virtual_s = 0.0
        self._work_s = work_s
        self._running_work = 0
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="simulated-work")
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Return virtual seconds since the world began."""
        return self._virtual_s

    def pass_time(self, duration_s: float | None) -> None:
        """Let time pass at once; raise Stalled where no timer will ever end."""
        if duration_s is None:
            raise Stalled("Everybody waits, and nothing is left that could happen.")
        self._virtual_s += duration_s

    @property
    def computes(self) -> bool:
        """Whether a thread works, so that time stands still."""
        return self._running_work > 0

    def run_in_executor(
        self, _executor: object, func: Callable[..., T], *args: object
    ) -> asyncio.Future[T]:
        """Do work in the one thread, and hand the result over `work_s` later."""
        handed_over: asyncio.Future[T] = self.create_future()
        self._running_work += 1
        work = self._threads.submit(self._measured, party.get(), func, args)
        work.add_done_callback(lambda _: self.call_soon_threadsafe(self._worked))
        self.call_later(self._work_s, _hand_over, work, handed_over)
        return handed_over

    def close(self) -> None:
        """Close the loop and its thread."""
        self._threads.shutdown()
        super().close()

    def _measured(
        self, who: str, func: Callable[..., T], args: tuple[object, ...]
    ) -> T:
        begin_s = time.thread_time()
        try:
            return func(*args)
        finally:
            self.cpu_s[who] += time.thread_time() - begin_s

    def _worked(self) -> None:
        self._running_work -= 1


class _JumpingSelector(selectors.DefaultSelector):
    """Waits for threads for real, and for timers not at all."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; let time pass where nothing is."""
        if timeout == 0:
            return super().select(0)
        if not self._loop.computes:
            self._loop.pass_time(timeout)
            return super().select(0)
        ready = super().select(STALL_S)
        if not ready:
            raise Stalled(f"A thread has computed for {STALL_S:.0f} s.")
        return ready


def run_virtual(
    make: Callable[[VirtualLoop], Coroutine[object, object, T]], *, work_s: float
) -> T:
    """Run what `make` returns on a loop of its own, and return its answer."""
    loop = VirtualLoop(work_s=work_s)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(make(loop))


def _hand_over(work: Future[T], handed_over: asyncio.Future[T]) -> None:
    """Deliver what is certainly done: time stood still until it was."""
    if handed_over.done():
        return
    error = work.exception()
    if error is not None:
        handed_over.set_exception(error)
    else:
        handed_over.set_result(work.result())
