"""Debian's ZooKeeper, on a free port and a folder of its own."""

import contextlib
import pathlib
import shutil
import socket
import subprocess
import time

JAR = pathlib.Path("/usr/share/java/zookeeper.jar")
MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"
SUPER_DIGEST = "super:D/InIHSb7yEEbrWz8b9l71RjZJU="  # of "super:test"
START_SECONDS = 60
PROPERTIES = {
    "zookeeper.extendedTypesEnabled": "true",
    "zookeeper.admin.enableServer": "false",
    "zookeeper.4lw.commands.whitelist": "*",
    "zookeeper.DigestAuthenticationProvider.superDigest": SUPER_DIGEST,
    "zookeeper.jmx.log4j.disable": "true",
}


def missing():
    """What is not installed, or None."""
    if shutil.which("java") is None:
        return "java is not installed"
    return None if JAR.exists() else "Debian's package zookeeper is not installed"


@contextlib.contextmanager
def running(folder, properties=None, jaas=None, classpath=JAR):
    """The port of a standalone server; `classpath` is another version's."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "zoo.cfg").write_text(
        f"clientPort={port}\nclientPortAddress=127.0.0.1\ndataDir={folder / 'data'}\n"
        "tickTime=2000\nmaxClientCnxns=0\n"
    )
    flags = [f"-D{name}={value}" for name, value in {**PROPERTIES, **(properties or {})}.items()]
    if jaas is not None:
        (folder / "jaas.conf").write_text(jaas)
        flags.append(f"-Djava.security.auth.login.config={folder / 'jaas.conf'}")
    with (folder / "out").open("wb") as out:
        server = subprocess.Popen(
            ["java", "-Xmx512m", *flags, "-cp", str(classpath), MAIN, str(folder / "zoo.cfg")],
            stdout=out, stderr=out, cwd=folder,
        )  # fmt: skip
    try:
        wait_until_ready(port, server, folder)
        yield port
    finally:
        server.kill()
        server.wait()


def wait_until_ready(port, server, folder):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, (folder / "out").read_text()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as asked:
            asked.sendall(b"srvr")
            if b"Mode:" in asked.makefile("rb").read():
                return
        time.sleep(0.1)
    raise TimeoutError((folder / "out").read_text())
