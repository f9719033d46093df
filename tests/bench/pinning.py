"""Which processor a process may use; where that cannot be said, nothing happens.

Two sides that share a processor measure each other, so one side is kept on one.
"""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

STOP_TIMEOUT_S = 10.0


def cores() -> list[int]:
    """Return the processors of this process; empty where they cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return []
    return sorted(os.sched_getaffinity(0))


def pin(core: int | None) -> None:
    """Keep this process, and what it starts from now on, on one processor."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def process(
    command: Sequence[str], *, log: Path, core: int | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process on one processor, its output in `log`; stop it at the end."""
    before = cores()
    with log.open("wb") as output:
        pin(core)
        try:
            started = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        finally:
            if before:
                os.sched_setaffinity(0, before)
    try:
        yield started
    finally:
        stop(started)


def stop(started: subprocess.Popen[bytes]) -> None:
    """End a process in an orderly way, and in any case."""
    started.terminate()
    try:
        started.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
