"""Unix sockets at paths of any length."""

import pathlib
import socket

import pytest

from cloudlet.shell import socket_paths
from cloudlet.shell.socket_paths import ADDRESS_BYTES_MAX, short


@pytest.mark.parametrize("length", [ADDRESS_BYTES_MAX, ADDRESS_BYTES_MAX + 1, 240])
def test_a_socket_is_bound_and_reached_wherever_it_is(tmp_path, length):
    rest = length - len(str(tmp_path)) - len("//s")
    folder = tmp_path / ("x" * rest)
    folder.mkdir()
    path = folder / "s"
    assert len(str(path)) == length
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with short(path) as name:
            listener.bind(name)
        listener.listen()
        assert path.is_socket()
        with short(path) as name:
            client.connect(name)
        listener.accept()[0].close()


def test_where_nothing_helps_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(socket_paths, "DESCRIPTORS", tmp_path / "none")
    with pytest.raises(OSError, match="use a shorter --data"), short(pathlib.Path("/" + "x" * 200, "s")):
        pass
