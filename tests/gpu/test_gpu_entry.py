"""`make test-gpu` on a machine without a GPU."""

import pytest
import torch

from tests.gpu.__main__ import NO_GPU, main


def test_machine_without_a_gpu_is_told_so_and_fails_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The target may stand in any script: one plain message, exit status 0."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(pytest, "main", lambda _: pytest.fail("nothing may run"))

    status = main()

    assert status == 0
    assert capsys.readouterr().out == NO_GPU
