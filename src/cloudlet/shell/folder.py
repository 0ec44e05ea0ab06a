"""The data folder: whose it is, which format it has, which ports it keeps.

State   DATA/lock       held (flock) by the process that has the folder open; its contents say who that is
        DATA/format     the format number
        DATA/run.json   what the running cloud listens on; removed when it stops
        DATA/ephemeral  where the ephemeral clouds are that were started under its name (cli/running.py)
        DATA/ports.json the ports picked by --ports auto
        DATA/token      what control verbs on the AWS port must show, mode 0600; kept while the folder lives
Source  docs/cli.md
Absent  upgrades: there is one format so far

    DATA/keys/ logs/ blobs/   the three stores
    DATA/checkpoints/         what checkpoints hold of keys
    DATA/log/cloudlet.log     what `cloudlet logs` shows
    DATA/control.sock         control verbs, mode 0600
    DATA/clock                the newest cloud time shown
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import tempfile
from pathlib import Path

import msgspec

FORMAT = 1
TOKEN_BYTES = 32


class FolderHeld(Exception):
    """Another process has the folder open; `holder` is what it says of itself, if it says something yet."""

    def __init__(self, folder: Path, holder: Running | None) -> None:
        who = (
            f"process {holder.pid}, {next(iter(holder.endpoints.values()), 'starting')}"
            if holder
            else "another process"
        )
        super().__init__(
            f"{folder} is held by {who}. "
            f"Stop it with `cloudlet down --data {shlex.quote(str(folder))}`, or use another --data."
        )
        self.holder = holder


class UnknownFormat(Exception):
    """The folder was written by a newer cloudlet, or is not one of ours."""


class Running(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a running cloud says of itself in DATA/run.json."""

    pid: int
    version: str
    started_ms: int
    endpoints: dict[str, str]  # face -> address: a URL, or HOST:PORT
    ephemeral: bool = False
    account: str = "000000000000"
    region: str = "us-east-1"


class DataFolder:
    """An open data folder, ours until `close`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise FolderHeld(path, running(path)) from None
        try:
            self._check_format()
        except UnknownFormat:
            os.close(self._lock)
            raise
        (path / "run.json").unlink(missing_ok=True)  # of a cloud that was killed

    def _check_format(self) -> None:
        path = self.path / "format"
        if path.exists():
            found = path.read_text(encoding="ascii", errors="replace").strip()
            if found != str(FORMAT):
                raise UnknownFormat(
                    f"{self.path} has format {found}, this cloudlet reads format {FORMAT}. "
                    "Use the cloudlet that wrote it, or another --data."
                )
            return
        strangers = [
            entry.name for entry in self.path.iterdir() if entry.name not in ("lock", "log", "ephemeral")
        ]
        if strangers:
            raise UnknownFormat(
                f"{self.path} is not a data folder of cloudlet: it holds {', '.join(sorted(strangers)[:5])}. "
                "Use an empty folder as --data."
            )
        write_whole(path, f"{FORMAT}\n".encode())

    def announce(self, said: Running) -> None:
        """Say what listens where, once it does."""
        write_whole(self.path / "run.json", msgspec.json.encode(said))

    def ports(self) -> dict[str, int]:
        """The ports kept from an earlier start with --ports auto."""
        try:
            return msgspec.json.decode((self.path / "ports.json").read_bytes(), type=dict[str, int])
        except (OSError, msgspec.DecodeError):
            return {}

    def keep_ports(self, ports: dict[str, int]) -> None:
        """Keep the ports for the next start."""
        write_whole(self.path / "ports.json", msgspec.json.encode(ports))

    def token(self) -> str:
        """The folder's token, made at its first start."""
        path = self.path / "token"
        if not path.exists():
            write_whole(path, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode())
        path.chmod(0o600)
        return path.read_text(encoding="ascii").strip()

    def close(self) -> None:
        """Give the folder back."""
        (self.path / "run.json").unlink(missing_ok=True)
        os.close(self._lock)


def running(folder: Path) -> Running | None:
    """The cloud that runs on a folder, None if there is none."""
    try:
        said = msgspec.json.decode((folder / "run.json").read_bytes(), type=Running)
        return said if is_held(folder) else None
    except (OSError, msgspec.DecodeError):
        return None


def is_held(folder: Path) -> bool:
    """Whether a process has the folder open."""
    try:
        lock = os.open(folder / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


def write_whole(path: Path, content: bytes, *, is_durable: bool = True) -> None:
    """Write a small file so that a reader sees the old or the new one, also after a crash (of the machine, if
    durable)."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        if is_durable:
            os.fsync(file.fileno())
    Path(name).replace(path)
