"""A private cloud beside a test process, and what can be asked of it.

State   none: the cloud is a process of its own, ephemeral, and ends with ours
Source  docs/testing.md; docs/cli.md, "run"
Absent  a cloud without the AWS face: its port takes the verbs

The cloud is started by `cloudlet run`, whose command prints what it was given and then reads its standard
input to the end. We hold the other end: when this process ends, however it ends, the command ends, and the
cloud with it. Processes that are forked off this one close that end at once, since they may live longer.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import subprocess
import sys
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlsplit

NAMES = (
    "CLOUDLET_URL", "CLOUDLET_TOKEN", "CLOUDLET_DATA", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "KAFKA_BOOTSTRAP_SERVERS",
    "ETCDCTL_ENDPOINTS", "ZOOKEEPER_HOSTS", "NO_PROXY", "no_proxy",
)  # fmt: skip
"""The variables by which a cloud is found: none of their values has a line break, as other variables may."""

SAY = 'for name do eval "value=\\$$name"; echo "$name=$value"; done; echo; exec cat >/dev/null'
HOLD = ("sh", "-c", SAY, "sh", *NAMES)
TIMEOUT_S = 60.0
STOP_S = 20.0


class Refused(Exception):
    """The cloud refused a control verb; the message is its own."""


class Gone(Exception):
    """The cloud does not answer any more: it was ended, or has failed."""


class Clock:
    """Cloud time. It moves for the whole cloud, so for every test of this process."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def advance(self, duration: str) -> None:
        """Move cloud time forward: "90s", "15m", "8d", "1d12h"."""
        self._cloud.tell("POST", "/clock/advance", {"by": duration})

    def advance_to(self, instant: str) -> None:
        """Move cloud time forward to an instant: "2030-01-01T00:00:00Z"."""
        self._cloud.tell("POST", "/clock/advance", {"to": instant})

    def freeze(self) -> None:
        """Stop cloud time; `advance` still moves it."""
        self._cloud.tell("POST", "/clock/freeze")

    def thaw(self) -> None:
        """Let cloud time pass again."""
        self._cloud.tell("POST", "/clock/thaw")


class Checkpoints:
    """Saved states of the whole cloud. `save` without a name makes one up and returns it."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._numbers = itertools.count(1)

    def save(self, name: str | None = None) -> str:
        """Keep the state of now; the checkpoint's name."""
        name = name or f"test-{os.getpid()}-{next(self._numbers)}"
        self._cloud.tell("POST", "/checkpoints/save", {"name": name})
        return name

    def restore(self, name: str) -> None:
        """Bring a kept state back, for every account of the cloud."""
        self._cloud.tell("POST", "/checkpoints/restore", {"name": name})

    def drop(self, name: str) -> None:
        """Forget a kept state."""
        self._cloud.tell("POST", "/checkpoints/drop", {"name": name})


class Fault:
    """What goes wrong on purpose. `face` is "etcd" or "zookeeper", and both without it; `delay`, `reject`,
    `fail` and `no_response` are in force until `lift`, for every test of this process. An id is a number, or
    hexadecimal text."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def session_expire(self, session: int | str | None = None) -> int:
        """End a ZooKeeper session now, or all; how many there were."""
        return self._count("session-expire", "sessions", id=session)

    def lease_expire(self, lease: int | str | None = None) -> int:
        """End an etcd lease now, or all; how many there were."""
        return self._count("lease-expire", "leases", id=lease)

    def drop(self, session: int | str | None = None, *, face: str | None = None) -> int:
        """Close the connection of a ZooKeeper session, or all connections; how many there were."""
        return self._count("drop", "connections", id=session, face=face)

    def delay(self, ms: int, *, face: str | None = None) -> None:
        """Wait so long before every reply."""
        self._cloud.tell("POST", "/fault/delay", asked(ms=ms, face=face))

    def reject(self, *, face: str | None = None) -> None:
        """Refuse new connections."""
        self._cloud.tell("POST", "/fault/reject", asked(face=face))

    def fail(self, count: int | None = None, *, face: str | None = None) -> None:
        """Fail the next requests, or all."""
        self._cloud.tell("POST", "/fault/fail", asked(count=count, face=face))

    def no_response(self, count: int | None = None, *, face: str | None = None) -> None:
        """Carry out the next requests, or all, and answer none of them."""
        self._cloud.tell("POST", "/fault/no-response", asked(count=count, face=face))

    def lift(self, *, face: str | None = None) -> None:
        """Put an end to all faults."""
        self._cloud.tell("POST", "/fault/lift", asked(face=face))

    def _count(self, verb: str, what: str, **said: object) -> int:
        return int(str(self._cloud.tell("POST", f"/fault/{verb}", asked(**said))[what]))


def asked(**said: object) -> Mapping[str, object]:
    """What is said, without what is not."""
    return {name: value for name, value in said.items() if value is not None}


class Cloud:
    """A running cloud: where it listens, and its control verbs.

    `env` are the variables by which clients find it; `prefix` is another text in each test, for keys, topics
    and paths of faces that know no accounts.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = dict(env)
        self.url = env["CLOUDLET_URL"]
        self.region = env.get("AWS_REGION", "us-east-1")
        self.clock = Clock(self)
        self.checkpoint = Checkpoints(self)
        self.fault = Fault(self)
        self._token = env.get("CLOUDLET_TOKEN", "")
        self._prefixes: dict[str, str] = {}

    @property
    def prefix(self) -> str:
        """The same text throughout a test, and another in every test of every process."""
        test = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        return self._prefixes.setdefault(test, f"test-{os.getpid()}-{len(self._prefixes) + 1}-")

    def reset(self) -> None:
        """Forget everything, in all accounts."""
        self.tell("POST", "/reset")

    def make(self, file: Path) -> None:
        """Make what an init file asks for. Refused where something of it is there and differs."""
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise Refused(f"{file}: this cannot be read: {error.strerror}") from None
        self.tell("POST", "/init", {"text": text, "name": str(file)})

    def tell(self, method: str, verb: str, body: object = None) -> Mapping[str, object]:
        """One control verb, such as ("GET", "/status"). Refused, Gone."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
        headers = {"authorization": f"Bearer {self._token}"}
        try:
            connection.request(
                method, "/_cloudlet" + quote(verb), json.dumps(body) if body is not None else None, headers
            )
            reply = connection.getresponse()
            said: Mapping[str, object] = json.loads(reply.read())
        except OSError as error:
            raise Gone(f"the cloud at {self.url} does not answer: {error}") from None
        finally:
            connection.close()
        if reply.status != http.client.OK:
            raise Refused(str(said.get("error", said)))
        return said


def present() -> Cloud | None:
    """The cloud that `cloudlet run` has put around this process, if it has."""
    found = {name: os.environ[name] for name in NAMES if name in os.environ}
    if "CLOUDLET_URL" not in found or "CLOUDLET_TOKEN" not in found:
        return None
    return Cloud({**found, "AWS_ENDPOINT_URL": found["CLOUDLET_URL"]})


@contextmanager
def cloud(flags: Sequence[str] = ()) -> Iterator[Cloud]:
    """A private ephemeral cloud on free ports, for as long as the block lasts, or this process."""
    kept = ("NO_PROXY", "no_proxy")
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudlet", "run", *flags, "--", *HOLD],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        # Where this process was told of a cloud before, that one's faces are none of the new one's.
        env={name: value for name, value in os.environ.items() if name not in NAMES or name in kept},
        # Ctrl-C goes to all processes of a terminal's group: the cloud is still needed to tidy up.
        start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    close_when_forked(process.stdin)
    try:
        env: dict[str, str] = {}
        for line in process.stdout:
            name, equals, value = line.rstrip("\n").partition("=")
            if not equals:
                break
            if value:
                env[name] = value
        if "CLOUDLET_URL" not in env:
            raise RuntimeError("the cloud did not start; its message stands on the standard error")
        yield Cloud(env)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.terminate()
        process.wait(STOP_S)


def close_when_forked(pipe: IO[str]) -> None:
    """Let no process that is forked off this one hold a pipe open."""
    held = weakref.ref(pipe)

    def close() -> None:
        pipe = held()
        if pipe is not None:
            pipe.close()

    os.register_at_fork(after_in_child=close)
