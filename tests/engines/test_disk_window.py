"""Writing into a file through its memory: what a call would have written, wherever it falls."""

import os
import random
import signal
import subprocess
import sys

import pytest

from cloudlet.engines import disk_window
from cloudlet.engines.disk_window import Window

SIZE = 70_000


@pytest.fixture
def file(tmp_path):
    descriptor = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    os.posix_fallocate(descriptor, 0, SIZE)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("is_coherent", [True, False])
def test_any_writes_are_what_calls_would_have_written(file, monkeypatch, is_coherent):
    monkeypatch.setattr(disk_window, "IS_COHERENT", is_coherent)
    monkeypatch.setattr(disk_window, "WINDOW_BYTES", 4096)
    monkeypatch.setattr(disk_window, "STORED_BYTES_MAX", 1000)
    draw = random.Random(7)
    expected = bytearray(SIZE)
    window = Window(file, SIZE)
    for _ in range(2000):
        size = draw.choice((0, 1, 10, 999, 1000, 1001, 5000))
        at = draw.randrange(SIZE - size + 1)
        data = draw.randbytes(size)
        window.write(data, at)
        expected[at : at + size] = data
        assert os.pread(file, size, at) == data
        if draw.random() < 0.01:
            window.close()
    window.close()
    assert os.pread(file, SIZE, 0) == expected


def test_small_writes_are_no_calls(file, monkeypatch):
    window = Window(file, SIZE)
    monkeypatch.setattr("os.pwrite", lambda *_: pytest.fail("a call"))
    for at in range(0, 60_000, 300):
        window.write(b"x" * 300, at)
    window.close()
    assert os.pread(file, 60_000, 0) == b"x" * 60_000


def test_a_file_that_cannot_be_mapped_is_written_by_calls(file, monkeypatch):
    def refuse(*_, **__):
        raise OSError(19, "No such device")

    monkeypatch.setattr("mmap.mmap", refuse)
    window = Window(file, SIZE)
    for at in (0, 5, 10):
        window.write(b"12345", at)
    assert os.pread(file, 15, 0) == b"123451234512345"


def test_more_space_can_be_reserved(file):
    window = Window(file, 100)
    window.write(b"a" * 100, 0)
    window.size_bytes = 5000
    window.write(b"b" * 4900, 100)
    assert os.pread(file, 5000, 0) == b"a" * 100 + b"b" * 4900
    window.close()


def test_a_write_that_writes_nothing_is_an_error(file, monkeypatch):
    monkeypatch.setattr(disk_window, "IS_COHERENT", False)
    monkeypatch.setattr("os.pwrite", lambda *_: 0)
    with pytest.raises(OSError, match="nothing"):
        Window(file, SIZE).write(b"data", 0)


KILLED = """
import os, signal, sys
from cloudlet.engines.disk_window import Window
file = os.open(sys.argv[1], os.O_RDWR)
Window(file, 70_000).write(b"kept" * 100, 1000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_stored_outlives_the_process(file, tmp_path):
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "file")], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert os.pread(file, 400, 1000) == b"kept" * 100


def test_what_is_synced_at_once_is_written_by_a_call(file):
    window = Window(file, SIZE)
    window.write(b"x" * 10, 0)
    window.call(b"y" * 5, 5)
    window.write(b"z", 9)
    assert os.pread(file, 11, 0) == b"xxxxxyyyyz\0"
    window.close()
