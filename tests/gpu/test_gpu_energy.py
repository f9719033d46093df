"""The accelerator's own counter of energy, where its library is installed."""

import time

import pytest
import torch

from node.statistics.energy_sources import MeterFailed
from node.statistics.nvml import NvmlMeter

BUSY_S = 1.0
POWER_MAX_W = 2000.0


@pytest.mark.gpu
def test_counter_rises_while_the_gpu_works() -> None:
    """By what one accelerator can draw: a wrong unit would be off by a thousand."""
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    try:
        meter = NvmlMeter()
    except MeterFailed as failure:
        pytest.skip(str(failure))
    square = torch.rand(4096, 4096, device="cuda")
    begin_s = time.monotonic()
    while time.monotonic() - begin_s < BUSY_S:
        square = (square @ square).clamp(-1, 1)
        torch.cuda.synchronize()

    used_j = meter.read_j()

    meter.close()
    assert 0 < used_j < POWER_MAX_W * BUSY_S * torch.cuda.device_count()
