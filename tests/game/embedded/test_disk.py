"""Room on the disk, before a start; test_children.py has what becomes of it while a game runs."""

import shutil

import pytest

from game.embedded import disk
from game.embedded.processes import Problem


def test_a_disk_with_too_little_room_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 42_000_000))
    with pytest.raises(Problem, match=f"^Too little room in {tmp_path}: 500 MB are needed, 42 MB are free"):
        disk.check_disk(tmp_path)


def test_a_later_start_needs_less_room_than_the_first(tmp_path, monkeypatch):
    (tmp_path / "postgres").mkdir()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 99_999_999))
    with pytest.raises(Problem, match=f"^Too little room in {tmp_path}: 100 MB are needed, 99 MB are free"):
        disk.check_disk(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**12, 10**12, 100_000_000))
    disk.check_disk(tmp_path)
