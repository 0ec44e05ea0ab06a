"""Faults on demand: what `cloudlet fault` and the pytest plugin ask of the coordination faces.

State   in each face: the faults in force (coord/faults.py)
Source  docs/faults.md; ZooKeeper 3.9, server.controller
Absent  faults of the AWS gateway and of Kafka

Each verb answers what it has met, or which faults are in force from now on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import msgspec

from cloudlet.coord.faults import FaultyFace
from cloudlet.shell.control import Refused, Verbs, json_reply, said
from cloudlet.shell.faces import Face
from cloudlet.wire.http1 import Request, Response

FACES = ("etcd", "zookeeper")
DELAY_MS_MAX = 600_000
FOREVER = -1


class Ending(msgspec.Struct, forbid_unknown_fields=True):
    """What is to end: a session or a lease by its id, as a number or in hexadecimal, or all of them."""

    id: str | int | None = None


class Faces(msgspec.Struct, forbid_unknown_fields=True):
    """Whose faults are meant; those of all faces where none is named."""

    face: str | None = None


class Dropping(Faces, forbid_unknown_fields=True):
    """Whose connections are to end: a session's, or all."""

    id: str | int | None = None


class Delay(Faces, forbid_unknown_fields=True, kw_only=True):
    """How long replies are to wait."""

    ms: int


class Count(Faces, forbid_unknown_fields=True):
    """How many requests are meant."""

    count: int = FOREVER


class FaultVerbs:
    """The verbs over the faces that have faults."""

    def __init__(self, faces: Mapping[str, Face]) -> None:
        self._faces = {name: cast(FaultyFace, face) for name, face in faces.items() if name in FACES}

    def verbs(self) -> Verbs:
        """The table."""
        return {
            ("POST", "/fault/session-expire"): self._expire_of("zookeeper", "sessions"),
            ("POST", "/fault/lease-expire"): self._expire_of("etcd", "leases"),
            ("POST", "/fault/drop"): self._drop,
            ("POST", "/fault/delay"): self._delay,
            ("POST", "/fault/reject"): self._reject,
            ("POST", "/fault/fail"): self._fail,
            ("POST", "/fault/no-response"): self._no_response,
            ("POST", "/fault/lift"): self._lift,
            ("GET", "/fault"): lambda request: self._shown(),
        }

    def _meant(self, asked: Faces) -> Mapping[str, FaultyFace]:
        """The faces that are meant; Refused for one that this cloud does not have."""
        if asked.face is None:
            if not self._faces:
                raise Refused("this cloud has no face with faults: they are " + ", ".join(FACES), 404)
            return self._faces
        if asked.face not in self._faces:
            raise Refused(f"this cloud has no face {asked.face!r} with faults", 404)
        return {asked.face: self._faces[asked.face]}

    def _expire_of(self, face: str, what: str) -> Callable[[Request], Response]:
        def expire(request: Request) -> Response:
            asked = said(request, Ending)
            found = self._faces.get(face)
            if found is None:
                raise Refused(f"this cloud has no face {face!r}", 404)
            number = number_of(asked.id)
            ended = found.expire(number)
            if number is not None and not ended:
                raise Refused(f"there is none of {what} {number:#x}", 404)
            return json_reply({what: ended})

        return expire

    def _drop(self, request: Request) -> Response:
        asked = said(request, Dropping)
        session = number_of(asked.id)
        if session is not None and asked.face not in (None, "zookeeper"):
            raise Refused(f"sessions are of the face 'zookeeper', not {asked.face!r}")
        meant = self._meant(asked if session is None else Faces("zookeeper"))
        dropped = sum(face.drop(session) for face in meant.values())
        if session is not None and not dropped:
            raise Refused(f"no client of session {session:#x} is connected", 404)
        return json_reply({"connections": dropped})

    def _delay(self, request: Request) -> Response:
        asked = said(request, Delay)
        if not 0 <= asked.ms <= DELAY_MS_MAX:
            raise Refused(f"ms {asked.ms} is not between 0 and {DELAY_MS_MAX}")
        for face in self._meant(asked).values():
            face.faults.delay_ms = asked.ms
        return self._shown()

    def _reject(self, request: Request) -> Response:
        for face in self._meant(said(request, Faces)).values():
            face.faults.rejects_connections = True
        return self._shown()

    def _fail(self, request: Request) -> Response:
        asked = said(request, Count)
        for face in self._meant(asked).values():
            face.faults.failing = counted(asked)
        return self._shown()

    def _no_response(self, request: Request) -> Response:
        asked = said(request, Count)
        for face in self._meant(asked).values():
            face.faults.unanswered = counted(asked)
        return self._shown()

    def _lift(self, request: Request) -> Response:
        for face in self._meant(said(request, Faces)).values():
            face.faults.lift()
        return self._shown()

    def _shown(self) -> Response:
        return json_reply({name: msgspec.to_builtins(face.faults) for name, face in self._faces.items()})


def counted(asked: Count) -> int:
    """How many requests are meant; all of them without a number."""
    if asked.count < FOREVER:
        raise Refused(f"count {asked.count} is no number of requests")
    return asked.count


def number_of(said_id: str | int | None) -> int | None:
    """An id as a number: 0x1a, 1a and 26 are said of the same."""
    if said_id is None or isinstance(said_id, int):
        return said_id
    try:
        return int(said_id, 16)
    except ValueError:
        raise Refused(f"{said_id!r} is no id: it is a number in hexadecimal") from None
