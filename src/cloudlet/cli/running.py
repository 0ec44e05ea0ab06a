"""What is said to and about a running cloud: status, env, down, logs.

State   none
Source  docs/cli.md
Absent  none
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO
from urllib.parse import urlsplit

import click

from cloudlet.cli.main import NOT_RUNNING, REFUSED

CONTROL_SECONDS = 5.0
FOLLOW_SECONDS = 0.2

EPHEMERAL = "ephemeral"
"""The file in a data folder that says where the ephemeral clouds are that were started under its name."""

ADDRESS_VARIABLES = MappingProxyType(
    {"kafka": "KAFKA_BOOTSTRAP_SERVERS", "etcd": "ETCDCTL_ENDPOINTS", "zookeeper": "ZOOKEEPER_HOSTS"}
)
"""Where the clients of each face look for HOST:PORT."""


def default_folder() -> Path:
    """The platform's folder for a user's data."""
    if sys.platform != "darwin" and (given := os.environ.get("XDG_DATA_HOME")):
        return Path(given) / "cloudlet"
    try:
        home = Path.home()
    except RuntimeError:
        raise click.UsageError("nobody knows your home folder: set HOME, or say --data DIR.") from None
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "cloudlet"
    return home / ".local" / "share" / "cloudlet"


def chosen_folder(data: Path | None) -> Path:
    """The data folder that a command line names, or the default."""
    return (data or default_folder()).absolute()


def folder(data: Path | None) -> Path:
    """The data folder that a command speaks of: where none runs on it, that of the newest ephemeral cloud
    which was started under its name."""
    chosen = chosen_folder(data)
    started = ephemeral_folders(chosen)
    if not started:
        return chosen
    from cloudlet.shell.folder import is_held

    return chosen if is_held(chosen) else started[-1]


def ephemeral_folders(chosen: Path) -> list[Path]:
    """The folders of the ephemeral clouds that run under a folder's name, the newest last."""
    try:
        lines = (chosen / EPHEMERAL).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    from cloudlet.shell.folder import is_held

    return [path for path in map(Path, lines) if is_held(path)]


class NotRunning(click.ClickException):
    """No cloud answers; ends the command with status 1."""

    exit_code = NOT_RUNNING

    def show(self, file: IO[str] | None = None) -> None:
        click.echo(f"cloudlet: {self.message}", err=True)


class VerbRefused(NotRunning):
    """The cloud will not do what it was asked; ends the command with the cloud's words and status 6."""

    exit_code = REFUSED


def ask(
    data: Path,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    timeout_s: float = CONTROL_SECONDS,
) -> Mapping[str, object] | None:
    """One control verb; None where no cloud runs, VerbRefused where it says no."""
    from http.client import HTTPException  # which takes as long to import as all of click

    from cloudlet.cli.control_socket import Control

    control = Control(data, timeout_s)
    try:
        control.request(method, path, None if body is None else json.dumps(body))
        response = control.getresponse()
        said: Mapping[str, object] = json.loads(response.read())
    except TimeoutError:
        raise NotRunning(f"the cloud on {data} has not answered for {timeout_s:g} s") from None
    except PermissionError:
        raise NotRunning(
            f"the cloud on {data} is another user's: {data / 'control.sock'} is closed"
        ) from None
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        control.close()
    if response.status >= 300:
        raise VerbRefused(str(said.get("error", response.reason)))
    return said


def tell(
    data: Path,
    method: str,
    path: str,
    body: Mapping[str, object] | None = None,
    *,
    timeout_s: float = CONTROL_SECONDS,
) -> Mapping[str, object]:
    """One control verb of a cloud that must be running: NotRunning where there is none."""
    said = ask(data, method, path, body, timeout_s=timeout_s)
    if said is None:
        raise NotRunning(f"no cloud runs on {data}")
    return said


def status(data: Path, *, as_json: bool) -> int:
    """Print what runs; exit status 1 where nothing does."""
    said = ask(data, "GET", "/status")
    if as_json:
        click.echo(json.dumps(said or {"data": str(data), "endpoints": {}}))
    elif said is None:
        raise NotRunning(f"no cloud runs on {data}")
    else:
        endpoints = said["endpoints"]
        assert isinstance(endpoints, dict)
        for face, address in endpoints.items():
            click.echo(f"{face:<10} {address}")
        for name in ("data", "pid", "version", "uptime_ms", "revision", "loop_lag_ms"):
            click.echo(f"{name:<10} {said[name]}")
    return 0 if said else NOT_RUNNING


def environment(endpoints: Mapping[str, str], region: str) -> Mapping[str, str]:
    """The variables by which clients find a cloud."""
    found: dict[str, str] = {}
    if "aws" in endpoints:
        found |= {
            "AWS_ENDPOINT_URL": endpoints["aws"],
            "AWS_ACCESS_KEY_ID": "test",  # root of the default account
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "CLOUDLET_URL": endpoints["aws"],
        }
    for face, name in ADDRESS_VARIABLES.items():
        if face in endpoints:
            found[name] = endpoints[face]
    return found


def env(data: Path, only: str) -> int:
    """Print the variables once every face asked for answers, else none with exit status 1."""
    from cloudlet.kernel.settings import FACES
    from cloudlet.shell.folder import running

    faces = list(dict.fromkeys(filter(None, map(str.strip, only.split(",")))))
    for face in faces:
        if face not in FACES:
            raise click.UsageError(f"--only {face}: there is no such face; there is: {', '.join(FACES)}.")
    said = running(data)
    if said is None:
        raise NotRunning(f"no cloud runs on {data}")
    for face in faces or said.endpoints:
        address = said.endpoints.get(face)
        if address is None:
            raise NotRunning(f"the cloud on {data} was started without {face}")
        if not (answers(address) if face == "aws" else accepts(address)):
            raise NotRunning(f"{face} does not answer at {address}")
    for name, value in environment(said.endpoints, said.region).items():
        click.echo(f"export {name}={quoted(value)}")
    return 0


def quoted(value: str) -> str:
    """A value between single quotes, as a shell reads it."""
    plain = shlex.quote(value)
    return plain if plain.startswith("'") else f"'{value}'"


def answers(url: str) -> bool:
    """Whether the AWS port answers."""
    from http.client import HTTPConnection, HTTPException

    parts = urlsplit(url)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=CONTROL_SECONDS)
    try:
        connection.request("GET", "/_cloudlet/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def accepts(address: str) -> bool:
    """Whether somebody listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONTROL_SECONDS).close()
    except OSError:
        return False
    return True


def down(data: Path, timeout: float) -> int:
    """Ask the cloud to stop and wait until its folder is free, or gone with an ephemeral one."""
    from cloudlet.shell.folder import is_held, running

    deadline = time.monotonic() + timeout
    said = running(data)
    goes = said is not None and said.ephemeral
    while ask(data, "POST", "/stop") is None:
        if not is_held(data):
            raise NotRunning(f"no cloud runs on {data}")
        if time.monotonic() > deadline:
            raise NotRunning(f"the cloud on {data} does not answer yet after {timeout:g} s")
        time.sleep(0.01)  # it is starting
    while is_held(data) or (goes and data.exists()):
        if time.monotonic() > deadline:
            raise NotRunning(f"the cloud on {data} is still stopping after {timeout:g} s")
        time.sleep(0.01)
    return 0


def logs(data: Path, lines: int, *, follow: bool) -> int:
    """Print the end of the log, and with `follow` what comes."""
    path = data / "log" / "cloudlet.log"
    try:
        file = path.open(encoding="utf-8", errors="replace")
    except OSError:
        raise NotRunning(f"there is no log at {path}: only a detached cloud writes one") from None
    with file:
        for line in deque(file, maxlen=lines):
            click.echo(line, nl=False)
        while follow:
            line = file.readline()
            if line:
                click.echo(line, nl=False)
            else:
                time.sleep(FOLLOW_SECONDS)
    return 0
