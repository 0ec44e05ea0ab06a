"""The limit of open files, in processes of their own."""

import resource
import subprocess
import sys

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.test_create_topics import creatable, create
from tests.kafka.test_produce import batch, produce

from cloudlet.shell import open_files
from cloudlet.shell.open_files import FILES

PROGRAM = """
import resource, sys
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from cloudlet.shell.open_files import allow_files
print(allow_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(200, 1000), (1000, 1000), (200, None)])
def test_the_limit_is_raised_as_far_as_it_may_be(soft, hard):
    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    hard = highest if hard is None else hard
    program = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    said = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if sys.platform != "darwin":
        assert said.split() == [str(wanted), str(wanted), str(hard)]


CROWDED = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))
import pathlib, tempfile
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.shell.kafka_face import KafkaFace
from cloudlet.shell.stores import open_stores
import socket, uvloop
async def serve():
    clock, listener = SystemClock(), socket.create_server(("127.0.0.1", 0))
    stores = await open_stores(pathlib.Path(sys.argv[1]), clock, Ids(), is_ephemeral=True)
    face = KafkaFace(stores.keys, stores.logs, clock, Ids())
    port = listener.getsockname()[1]
    await face.start([listener], f"127.0.0.1:{port}")
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await face.close()
    await stores.close()
uvloop.run(serve())
"""


def test_clients_that_only_connect_take_no_file_from_the_stores(tmp_path):
    program = [sys.executable, "-c", CROWDED, str(tmp_path)]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as broker:
        address = f"127.0.0.1:{int(broker.stdout.readline())}"
        silent = []
        try:
            with RawClient(address) as client:
                create(client, creatable("t", 60))
                for _ in range(200):
                    silent.append(RawClient(address))
                rows = produce(client, "t", {index: batch(b"x") for index in range(60)})
                assert {row.ErrorCode for row in rows.values()} == {0}
            for _ in range(50):  # who comes again is let in: one of the silent ones goes for him
                with RawClient(address) as late:
                    try:
                        create(late, creatable("late"))
                        break
                    except (EOFError, ConnectionError):
                        continue
            else:
                raise AssertionError("nobody is let in any more")
        finally:
            for one in silent:
                one.socket.close()
            broker.stdin.close()
        assert broker.wait(20) == 0


def test_half_of_a_low_limit_is_for_clients(monkeypatch):
    def limited(soft):
        monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, soft))
        return open_files.log_files(), [open_files.is_last(each) for each in (0, soft // 2 - 1, soft // 2)]

    assert limited(300) == (75, [False, False, True])
    assert limited(20_000) == (256, [False, False, False])
    assert open_files.is_last(20_000 - 4096)
