"""A file that is replaced is the old one or the new one, whatever happens while the new one is written."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from lt_core.whole_files import UNFINISHED, replacing

WRITER = """
import sys, time
from pathlib import Path
from lt_core.whole_files import replacing
with replacing(Path(sys.argv[1])) as beside:
    beside.write_text("new")
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("sync", [False, True])
def test_the_new_content_takes_the_place_of_the_old(tmp_path, sync):
    path = tmp_path / "table.md"
    for text in ("old", "new"):
        with replacing(path, sync) as beside:
            beside.write_text(text)
            assert not path.exists() or path.read_text() == "old"
    assert path.read_text() == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["table.md"]


@pytest.mark.parametrize("error", [OSError("disk is full"), KeyboardInterrupt(), ValueError("cannot be encoded")])
def test_a_block_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path, error):
    path = tmp_path / "table.md"
    path.write_text("old")
    with pytest.raises(type(error)), replacing(path) as beside:
        beside.write_text("ne")
        raise error
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.md"]


def test_a_missing_folder_is_an_error_of_the_block(tmp_path):
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "missing" / "table.md") as beside:
        beside.write_text("new")


def test_a_killed_process_leaves_the_old_file_and_does_not_disturb_the_next_one(tmp_path):
    path = tmp_path / "table.md"
    path.write_text("old")
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert path.read_text() == "old"
    assert [file.suffix for file in tmp_path.glob(".*")] == [UNFINISHED]
    with replacing(path) as beside:
        beside.write_text("newer")
    assert path.read_text() == "newer"


def test_two_processes_write_the_same_file_in_places_of_their_own(tmp_path):
    path = tmp_path / "table.md"
    process = subprocess.Popen([sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "written\n"
        with replacing(path) as beside:
            beside.write_text("mine")
        assert path.read_text() == "mine"
    finally:
        process.kill()
        process.wait()
