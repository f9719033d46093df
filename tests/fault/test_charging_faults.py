"""A coordinator killed by SIGKILL at each of its writes, over databases on disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.fault, pytest.mark.timeout(600)]

DEATHS_MIN = 40


def test_no_round_is_opened_free_whenever_its_coordinator_is_killed(
    tmp_path: Path,
) -> None:
    """What the system kept of both files tells the next coordinator enough."""
    ran = subprocess.run(
        [sys.executable, "-m", "tests.support.charging_crasher", str(tmp_path)],
        capture_output=True,
        check=False,
        text=True,
        timeout=550,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    assert int(ran.stdout.split()[-2]) >= DEATHS_MIN
