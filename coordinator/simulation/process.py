"""A simulated process: tasks that die together, at once and without a last word.

Decides that what a killed process had not committed never happens and that nothing of
it runs on. Refuses to know what the tasks do, and who starts the next life.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, NoReturn, TypeVar

T = TypeVar("T")


class Process:
    """One life. Tasks run in the order in which they were started."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.ended_by: list[str] = []

    @property
    def alive(self) -> bool:
        """Whether it was not killed yet."""
        return not self._died.done()

    def spawn(self, work: Coroutine[object, object, T]) -> "asyncio.Task[T]":
        """Run a task of this process; it ends with the process at the latest."""
        task = asyncio.create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    def background(self, work: Coroutine[object, object, None], what: str) -> None:
        """Run what must not end; if it does, the process dies and says so."""
        self.spawn(self._watched(work, what))

    def kill(self, cause: str) -> None:
        """Die: cancel every task, and let nothing new begin."""
        if self.alive:
            self._died.set_result(cause)
            for task in list(self._tasks):
                task.cancel()

    async def died(self) -> str:
        """Return why it died, once it did and every task has ended."""
        cause = await asyncio.shield(self._died)
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        return cause

    async def die_here(self, cause: str) -> NoReturn:
        """Kill the process from inside one of its tasks, which goes no further."""
        self.kill(cause)
        await asyncio.get_running_loop().create_future()
        raise AssertionError(cause)

    async def _watched(self, work: Coroutine[object, object, None], what: str) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - the end of the process, told.
            self.ended_by.append(f"{self.name}: {what} ended by {error!r}")
            self.kill("background work ended")

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if not task.cancelled():
            task.exception()  # Seen, also where nobody waits any more.
