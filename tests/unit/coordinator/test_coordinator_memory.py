"""What the allocator is told, seen in a process of its own."""

import subprocess
import sys

import pytest

SCRIPT = """
import sys
from pathlib import Path

from coordinator.memory import LARGE_BYTES, give_back_large_blocks


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("utf-8").split()[1])
    return pages * 4096


if sys.argv[1] == "set" and not give_back_large_blocks():
    print("no such settings")
    sys.exit()
# Frees a large block, after which glibc keeps smaller ones in its heap by itself.
large = bytearray(16 * 1024 * 1024)
del large
before = resident_bytes()
blocks = [b"x" * (4 * LARGE_BYTES) for _ in range(256)]
pinned = [bytes(600) for _ in range(1000)]
del blocks
print(resident_bytes() - before)
"""


def grown_bytes(how: str) -> int:
    """Return what a process holds after it has freed 32 MiB; skip without glibc."""
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], check=True, capture_output=True, text=True
    )
    if not ran.stdout.strip().lstrip("-").isdigit():
        pytest.skip("this libc has no such settings")
    return int(ran.stdout)


def test_large_blocks_go_back_to_the_system_when_they_are_freed() -> None:
    """Left alone, glibc keeps what lies below anything that is still in use."""
    kept, given_back = grown_bytes("leave"), grown_bytes("set")

    assert kept > 16 * 1024 * 1024
    assert given_back < 4 * 1024 * 1024
