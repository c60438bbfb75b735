"""The folder of figures that several processes of a pool share: empty at the start, and not left behind for ever."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from shared.telemetry import multiprocess


def test_a_new_master_gets_an_empty_folder_and_removes_those_of_masters_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that still runs keeps its figures."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv(multiprocess.VARIABLE, raising=False)
    ended = subprocess.Popen(["/bin/true"])
    ended.wait()
    running = os.getppid()
    for pid in (ended.pid, running, os.getpid()):
        (tmp_path / f"duecycle-metrics-charges-{pid}").mkdir()
        (tmp_path / f"duecycle-metrics-charges-{pid}" / "counter_1.db").write_bytes(b"old")

    folder = multiprocess.prepare("charges")

    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / f"duecycle-metrics-charges-{running}", folder])
    assert list(folder.iterdir()) == []
    assert folder.stat().st_mode & 0o777 == 0o700
    assert os.environ.pop(multiprocess.VARIABLE) == str(folder)
