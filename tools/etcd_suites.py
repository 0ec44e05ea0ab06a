"""Runs the test suites of etcd's Python clients against cloudlet and against a real etcd, and holds them
against each other.

State   none: sources and environments are temporary, or in --cache DIR
Source  etcd3gw, aetcd and etcd3 (python-etcd3), as published on the package index
Absent  none

    python -m tools.etcd_suites [SUITE ...] [--cache DIR]

A test that passes on the real etcd and fails here needs a reason in `explained`; a reason whose test passes
is an error too. The suites expect etcd at its own port: 2379 must be free, `etcd` and `etcdctl` installed.
Those that are started at once on one machine wait for each other. Ends with status 2 if the port is taken.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tools.suites import of, read, run

PORT = 2379
URL = f"http://127.0.0.1:{PORT}"
READY_SECONDS = 30
RUN_SECONDS = 1200
ROOT = pathlib.Path(__file__).parent.parent


@dataclass(frozen=True)
class Suite:
    """A client's release and how its tests are run."""

    project: str
    version: str
    packages: tuple[str, ...]
    tests: str
    environment: Mapping[str, str] = field(default_factory=dict)
    flags: str = ""
    explained: Mapping[str, str] = field(default_factory=dict)


SUITES = (
    Suite(
        "etcd3gw", "2.4.2", ("pytest", "testtools", "testscenarios", "oslotest", "urllib3"), "etcd3gw/tests"
    ),
    Suite(
        "aetcd",
        "1.0.0",
        ("pytest<9", "pytest-asyncio==0.21.2", "pytest-mock"),
        "tests",
        {"TEST_ETCD_HTTP_URL": URL},
        "--override-ini=addopts= --asyncio-mode=auto -W ignore",
    ),
    Suite(
        "etcd3",
        "0.12.0",
        # Its generated code is of a time before protobuf 4.
        ("setuptools<70", "protobuf<3.21", "pytest<9", "hypothesis", "mock", "six", "tenacity", "pifpaf"),
        "tests/test_etcd3.py",
        {"PYTHON_ETCD_HTTP_URL": URL, "TEST_ETCD_VERSION": "v3.4.23"},
        "--override-ini=addopts= -W ignore",
    ),
)


def unpacked(suite: Suite, folder: pathlib.Path) -> pathlib.Path:
    """The source of a release, with its tests."""
    name = f"{suite.project}=={suite.version}"
    words = ["-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:"]
    run([sys.executable, *words, "-d", folder, name])
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    [source] = (each for each in folder.iterdir() if (each / "PKG-INFO").exists())
    return source


def prepared(suite: Suite, folder: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """(Python of an environment with the client, its source)."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / "venv" / "bin" / "python"
    sources = [each for each in folder.iterdir() if (each / "PKG-INFO").exists()]
    if python.exists() and sources:
        return python, sources[0]
    source = unpacked(suite, folder)
    venv.create(folder / "venv", with_pip=True)
    run([python, "-m", "pip", "install", "-q", *suite.packages])
    run([python, "-m", "pip", "install", "-q", f"{suite.project}=={suite.version}"])
    return python, source


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Etcd's port for nobody else who asks here; waits for whoever has it."""
    deadline = time.monotonic() + RUN_SECONDS
    with (pathlib.Path(tempfile.gettempdir()) / f"cloudlet-etcd-suites-{os.getuid()}.lock").open(
        "wb"
    ) as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < deadline, "another run of these suites does not end"
                time.sleep(0.5)
            else:
                break
        yield


def is_taken() -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", PORT)) == 0


@contextlib.contextmanager
def served(name: str, folder: pathlib.Path) -> Iterator[None]:
    """A fresh server of either kind at etcd's port."""
    peer = "http://127.0.0.1:2380"
    command = {
        "etcd": ["etcd", "--data-dir", str(folder / "etcd"), "--listen-client-urls", URL,
                 "--advertise-client-urls", URL, "--listen-peer-urls", peer,
                 "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"],
        "cloudlet": [sys.executable, "-m", "cloudlet", "up", "--data", str(folder / "cloudlet"),
                     "--only", "etcd", "--ports", "default"],
    }[name]  # fmt: skip
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + READY_SECONDS
        while not is_ready():
            assert process.poll() is None, f"{name} has ended: {(folder / f'{name}.log').read_text()}"
            assert time.monotonic() < deadline, f"{name} is not ready"
            time.sleep(0.1)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(READY_SECONDS)


def is_ready() -> bool:
    try:
        with urllib.request.urlopen(URL + "/health", timeout=1) as reply:
            return b"true" in reply.read()
    except (OSError, urllib.error.URLError):
        return False


def outcomes(suite: Suite, python: pathlib.Path, source: pathlib.Path, name: str) -> Mapping[str, str]:
    """Test -> passed, failed or skipped, on a fresh server."""
    with tempfile.TemporaryDirectory(prefix="etcd-suite-") as place, served(name, pathlib.Path(place)):
        report = pathlib.Path(place) / "report.xml"
        words = f"-m pytest -q -p no:cacheprovider --junit-xml {report} {suite.flags} {suite.tests}"
        environment = {**os.environ, **suite.environment, "PIP_NO_INDEX": "1"}
        environment.pop("PYTHONPATH", None)
        subprocess.run(
            [str(python), *words.split()],
            cwd=source,
            env=environment,
            check=False,
            timeout=RUN_SECONDS,
            stdout=subprocess.DEVNULL,
        )
        return read(report)


def judge(suite: Suite, here: Mapping[str, str], there: Mapping[str, str]) -> Sequence[str]:
    """What is not as it is told: tests that only fail here without a reason, reasons without a test."""
    if not there:
        return ["no test ran"]
    worse = [test for test, what in there.items() if what == "passed" and here.get(test) != "passed"]
    wrong = [f"only fails here: {test}" for test in worse if not any(map(of(test), suite.explained))]
    for name, reason in suite.explained.items():
        if not any(of(test)(name) for test in worse):
            wrong.append(f"no longer differs: {name} ({reason})")
    return wrong


def counted(found: Mapping[str, str]) -> str:
    kinds = ("passed", "failed", "skipped")
    return ", ".join(f"{list(found.values()).count(what)} {what}" for what in kinds)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n", 1)[0])
    parser.add_argument("names", nargs="*", help=", ".join(suite.project for suite in SUITES))
    parser.add_argument("--cache", type=pathlib.Path, help="a folder to keep environments in")
    chosen = parser.parse_args(arguments)
    status = 0
    for suite in SUITES:
        if chosen.names and suite.project not in chosen.names:
            continue
        with tempfile.TemporaryDirectory(prefix="etcd-suites-") as temporary:
            folder = (chosen.cache or pathlib.Path(temporary)).absolute() / suite.project
            python, source = prepared(suite, folder)
            with alone():
                if is_taken():
                    print(f"something else is at port {PORT}")
                    return 2
                there = outcomes(suite, python, source, "etcd")
                here = outcomes(suite, python, source, "cloudlet")
        wrong = judge(suite, here, there)
        print(f"{suite.project} {suite.version}: etcd {counted(there)}; cloudlet {counted(here)}")
        better = [test for test, what in here.items() if what == "passed" and there.get(test) == "failed"]
        print("".join(f"    only passes here: {test}\n" for test in better), end="")
        print("".join(f"    {line}\n" for line in wrong), end="", flush=True)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
