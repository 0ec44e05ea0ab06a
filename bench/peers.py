"""The clouds that are compared: where they come from, how they start, what their processes cost.

State   a virtual environment for each peer, in the user's cache folder
Source  moto and ministack as published; Linux's /proc and process clocks
Absent  Windows, macOS: it reads /proc and pins processes to cores
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudlet-bench"

CORES = sorted(os.sched_getaffinity(0))

READY_SECONDS = 120.0
STOP_SECONDS = 10.0
INSTALL_SECONDS = 900.0
PROBE_SECONDS = 0.001


class NotInstalled(Exception):
    """A peer could not be installed; the message says what pip said last."""


class NotReady(Exception):
    """A server did not answer in time, or ended."""


@dataclass(frozen=True)
class Peer:
    """One cloud: how it is started on a port, and with which variables."""

    name: str
    version: str
    note: str
    command: Callable[[int], Sequence[str]]
    variables: Callable[[int], Mapping[str, str]]


def cloudlet() -> Peer:
    """The one of this checkout."""
    text = (ROOT / "src" / "cloudlet" / "__init__.py").read_text(encoding="utf-8")
    version = re.search(r'__version__ = "([^"]+)"', text)
    return Peer(
        "cloudlet",
        version[1] if version else "?",
        "`cloudlet up --ephemeral --ports aws=PORT`; signatures verified, events on",
        lambda port: [sys.executable, "-m", "cloudlet", "up", "--ephemeral", "--ports", f"aws={port}"],
        lambda port: {"PYTHONPATH": str(ROOT / "src")},
    )


def moto() -> Peer:
    """moto's server."""
    bin_folder = installed("moto", "moto[server]")
    return Peer(
        "moto",
        version_of(bin_folder, "moto"),
        "`moto_server`; signatures are not verified",
        lambda port: [str(bin_folder / "moto_server"), "-H", "127.0.0.1", "-p", str(port)],
        lambda port: {},
    )


def ministack() -> Peer:
    """ministack as it is started without a container."""
    bin_folder = installed("ministack", "ministack")
    return Peer(
        "ministack",
        version_of(bin_folder, "ministack"),
        "`ministack`; signatures are not verified",
        lambda port: [str(bin_folder / "ministack")],
        lambda port: {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1"},
    )


PEERS: Mapping[str, Callable[[], Peer]] = {"cloudlet": cloudlet, "moto": moto, "ministack": ministack}


def installed(name: str, requirement: str) -> Path:
    """The bin folder of a virtual environment with this package in it; made at the first use."""
    folder = CACHE / f"{name}-py{sys.version_info.major}.{sys.version_info.minor}"
    done = folder / ".installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        run_installer([sys.executable, "-m", "venv", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
        run_installer([*pip, "install", requirement])
        done.touch()
    return folder / "bin"


def run_installer(command: Sequence[str]) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalled(str(error)) from error
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        raise NotInstalled(said[-1] if said else f"exit status {ended.returncode}")


def version_of(bin_folder: Path, package: str) -> str:
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    ended = subprocess.run(
        [str(bin_folder / "python"), "-c", code], capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """A running peer, its processes on one core; `home` holds its caches and is its home folder."""

    def __init__(self, peer: Peer, home: Path) -> None:
        self.peer = peer
        self.port = free_port()
        self.started_s = 0.0
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the server
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / "cache"),
            "TMPDIR": str(home),
            "PYTHONPYCACHEPREFIX": str(home / "bytecode"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            **peer.variables(self.port),
        }
        with on_core(0):
            self.started_s = time.monotonic()
            self._process = subprocess.Popen(
                peer.command(self.port),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env=environment,
                cwd=home,
                start_new_session=True,
            )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def first_answer_s(self, request: Callable[[int], bytes]) -> float:
        """Seconds from the start of the process until the reply to a request was whole."""
        deadline = self.started_s + READY_SECONDS
        raw = request(self.port)
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=READY_SECONDS) as connection:
                    connection.sendall(raw)
                    reply = connection.recv(65536)
                    if reply[9:12] == b"200":
                        return time.monotonic() - self.started_s
                    if reply:
                        raise NotReady(reply[:400].decode("utf-8", "replace"))
            except OSError:
                pass
            time.sleep(PROBE_SECONDS)
        raise NotReady(self._said())

    def _said(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else f"{self.peer.name} did not answer and said nothing"

    def processes(self) -> list[int]:
        """The server's process and all below it."""
        found = [self._process.pid]
        for pid in found:
            for task in Path(f"/proc/{pid}/task").iterdir():
                try:
                    found += [int(child) for child in (task / "children").read_text().split()]
                except (FileNotFoundError, ProcessLookupError):
                    continue  # a thread that has just ended
        return found

    def cpu_s(self) -> float:
        """CPU seconds of the processes that run now, their ended threads included."""
        # clock_getcpuclockid(3): the clock of another process's CPU time is made of its id.
        return sum(time.clock_gettime(~pid << 3 | 2) for pid in self.processes())

    def memory_kib(self) -> tuple[int, int]:
        """(RSS, PSS) of all processes."""
        rss = pss = 0
        for pid in self.processes():
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            rss += int(re.search(r"^Rss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]
            pss += int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1])  # type: ignore[index]
        return rss, pss

    def stop(self) -> None:
        """End the process that was started here, politely first."""
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class on_core:
    """This process on one core for the length of a block; what it starts inherits that."""

    def __init__(self, core: int) -> None:
        self._core = core

    def __enter__(self) -> None:
        self._before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {CORES[self._core % len(CORES)]})

    def __exit__(self, *_: object) -> None:
        os.sched_setaffinity(0, self._before)


def machine() -> str:
    """The machine in one line."""
    model = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    system = os.uname()
    python = ".".join(map(str, sys.version_info[:3]))
    return (
        f"{model[1] if model else system.machine}, {os.cpu_count()} cores, "
        f"{int(memory[1]) / 1048576 if memory else 0:.0f} GiB, {system.sysname} {system.release}, "
        f"Python {python}"
    )
