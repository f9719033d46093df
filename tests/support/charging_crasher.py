"""A coordinator that dies by SIGKILL at every write of a round in turn.

Run as `python -m tests.support.charging_crasher DIRECTORY`. For each write to the round
store or the ledger, before it and after it, a forked child plays a round over both
databases on disk and kills itself there; another child takes up what it left, ends the
round and audits both. Prints `DEATHS died` when a child has survived; exits 1 at the
first audit that fails.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from itertools import count
from pathlib import Path

from coordinator.rounds import events
from tests.support.charging_story import audit, play_through, told
from tests.support.charging_world import ACCOUNT, COST, ChargingWorld

ROUNDS_MAX = 1_000


async def world_in(directory: Path, prefix: str) -> ChargingWorld:
    """Open both databases."""
    world = await ChargingWorld.open(directory)
    await world.keep_ledger_in(directory)
    world.prefix = prefix
    await world.grant(ROUNDS_MAX * COST)
    return world


async def play_until_killed(directory: Path, write: int, *, after: bool) -> None:
    """Play a round; die at that write."""
    world = await world_in(directory, f"w{write}{'a' if after else 'b'}")
    world.fuse.die = lambda: os.kill(os.getpid(), signal.SIGKILL)
    await world.live()
    world.fuse.light(write, after=after)
    await play_through(world, abort_in=None)


async def take_up(directory: Path) -> None:
    """End what was left, and audit it; AssertionError for a charge that is off."""
    world = await world_in(directory, "unused")
    await world.live()
    found = await world.rounds.newest()
    if found is not None and not found.ended:
        await told(world, events.AbortRequested("its coordinator died"))
    opened, charged = await audit(world, newest=1)
    account = await world.ledger.get_account(ACCOUNT)
    assert opened <= charged <= 1
    assert account.reserved_units == 0


def in_child(work: Coroutine[object, object, None]) -> int:
    """Run `work` in a forked child; return its wait status."""
    child = os.fork()
    if child:
        work.close()
        return os.waitpid(child, 0)[1]
    try:
        asyncio.run(work)
    except BaseException as error:  # noqa: BLE001 - a child must not return.
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


def main(directory: Path) -> int:
    """Let one child after the other die, until one survives."""
    deaths = 0
    for write in count():
        statuses = set()
        for after in (False, True):
            status = in_child(play_until_killed(directory, write, after=after))
            if os.WIFEXITED(status) and os.WEXITSTATUS(status):
                return 1
            statuses.add(status)
            deaths += os.WIFSIGNALED(status)
            if in_child(take_up(directory)):
                return 1
        if statuses == {0}:
            sys.stdout.write(f"{deaths} died\n")
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
