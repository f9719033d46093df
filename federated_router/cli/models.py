"""Makes the reference models once, in a process of their own, with progress."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


class ModelsFailed(Exception):
    """The reference models could not be made."""


_MADE = re.compile(r"(reference-[a-z]+): (/.*|[^ ]+/.*)")


def ensure_models(directory: Path, say: Callable[[str], None]) -> dict[str, Path]:
    """Return the reference models' folders, training them unless they are there."""
    process = subprocess.Popen(  # noqa: S603 - our own module.
        [
            sys.executable,
            "-m",
            "node.reference",
            "--cache",
            str(directory.resolve()),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last, made = "", {}
    for line in process.stdout or ():
        last = line.rstrip()
        match = _MADE.fullmatch(last)
        if match:
            made[match[1]] = Path(match[2]).resolve()
        else:
            say(last)
    if process.wait() != 0:
        raise ModelsFailed(f"The reference models could not be made: {last}")
    return made
