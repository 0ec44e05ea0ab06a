"""Ports of the faces: whose they are, and that nothing stays bound where one cannot be had."""

import socket

import pytest

from cloudlet.kernel.settings import Settings
from cloudlet.shell.listening import PortTaken, bind_all, bind_faces, close_all


def test_two_faces_do_not_get_one_port():
    """Linux would bind it twice, and clients would meet either of them."""
    bound = bind_faces(Settings("", ports="auto", only=("aws", "kafka")), {})
    ports = {face: each.port for face, each in bound.items()}
    close_all(bound)
    assert ports["aws"] != ports["kafka"]
    same = Settings("", ports=f"aws={ports['aws']},kafka={ports['aws']}", only=("aws", "kafka"))
    with pytest.raises(PortTaken, match=f"Port {ports['aws']} is given to aws and kafka"):
        bind_faces(same, {})
    kept = Settings("", ports=f"kafka={ports['aws']}", only=("aws", "kafka"))
    with pytest.raises(PortTaken, match="is given to aws and kafka"):
        bind_faces(kept, {"aws": ports["aws"]})
    close_all(bind_faces(Settings("", ports="auto", only=("aws", "kafka")), ports))


def test_one_port_at_several_addresses_or_none():
    bound = bind_all("kafka", ("127.0.0.1", "127.0.0.2"), 0)
    assert bound.address == f"127.0.0.1:{bound.port}"
    assert [each.getsockname() for each in bound.sockets] == [
        ("127.0.0.1", bound.port), ("127.0.0.2", bound.port),
    ]  # fmt: skip
    bound.sockets[1].listen()
    bound.sockets[0].close()
    with pytest.raises(PortTaken, match=str(bound.port)):
        bind_all("kafka", ("127.0.0.1", "127.0.0.2"), bound.port)
    bound.sockets[1].close()
    again = bind_all("kafka", ("127.0.0.1", "127.0.0.2"), bound.port)
    close_all({"a": again})
    everywhere = bind_all("kafka", ("0.0.0.0",), 0)
    assert everywhere.address == f"127.0.0.1:{everywhere.port}"
    close_all({"a": everywhere})


def test_a_host_that_nobody_knows_is_named(monkeypatch):
    class Listener(socket.socket):
        def bind(self, address):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "socket", Listener)
    with pytest.raises(OSError, match="no address of this machine") as raised:
        bind_all("aws", ["nobody.test"], 0)
    assert raised.value.filename == "nobody.test"
