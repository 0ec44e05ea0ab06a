"""Who has a port."""

import os
import socket

import pytest

from cloudlet.kernel.settings import Settings
from cloudlet.shell.listening import PortTaken, bind_faces
from cloudlet.shell.port_holder import holder_of


@pytest.mark.skipif(not os.path.exists("/proc/net/tcp"), reason="the machine does not tell")
@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_process_that_listens_is_named_in_the_refusal(family, host):
    with socket.socket(family) as taken:
        taken.bind((host, 0))
        port = taken.getsockname()[1]
        assert holder_of(port) == ""  # bound, and nobody listens yet
        taken.listen()
        assert holder_of(port).startswith(f"process {os.getpid()} (")
        with pytest.raises(PortTaken) as refused:
            bind_faces(Settings("", ports=f"kafka={port}", only=("kafka",), host=host), {})
    assert f"by process {os.getpid()} (" in str(refused.value)
    assert "--ports auto or --ports kafka=PORT" in str(refused.value)
