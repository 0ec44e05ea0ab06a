"""A real etcd on a free port, for the tests that compare us with it.

`CLOUDLET_TEST_ETCD` names the program; else it is the one on the PATH (Debian's package etcd-server).
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request


def program():
    return os.environ.get("CLOUDLET_TEST_ETCD") or shutil.which("etcd")


def version():
    """(3, 4) of Debian 12's; None where there is none."""
    found = program()
    if found is None:
        return None
    said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in said.split("\n")[0].rpartition(" ")[2].split(".")[:2])


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]


@contextlib.contextmanager
def running(folder, *flags, etcd=None):
    """Its address, HOST:PORT; `etcd` is another program."""
    port, peer = free_port(), free_port()
    url, peer_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer}"
    command = [
        etcd or program(), "--name", "s", "--data-dir", str(folder), "--listen-client-urls", url,
        "--advertise-client-urls", url, "--listen-peer-urls", peer_url,
        "--initial-advertise-peer-urls", peer_url, "--initial-cluster", f"s={peer_url}", *flags,
    ]  # fmt: skip
    with open(f"{folder}.log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), urllib.request.urlopen(url + "/health", timeout=1) as reply:
                if b'"true"' in reply.read():
                    break
            assert process.poll() is None, f"etcd has ended: {folder}.log"
            assert time.monotonic() < deadline, f"etcd is not ready: {folder}.log"
            time.sleep(0.05)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
