"""How a running cloud falls quiet, so that its stores can be brought to another state.

State   none
Source  docs/checkpoints.md
Absent  none
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from cloudlet.shell.aws_face import AwsFace
from cloudlet.shell.http import Server

REPLIES_TURNS = 3  # of the loop: from the end of a call to its reply in the socket's hands


class Silent(Protocol):
    """What falls silent and goes on: a face, or the keys' socket."""

    async def silence(self) -> None: ...

    def go_on(self) -> None: ...


class QuietCloud:
    """Every face, and the AWS face's servers, for one save or restore. The connection of the task that asked
    is spared."""

    def __init__(
        self,
        face: AwsFace,
        faces: Sequence[Silent],
        servers: Sequence[Server],
        stop: Callable[[], None],
        spared: asyncio.Task[object] | None,
    ) -> None:
        self._face = face
        self._faces = faces
        self._servers = servers
        self._stop = stop
        self._spared = spared

    async def pause(self) -> None:
        await self._face.desk.gate.close()

    def resume(self) -> None:
        self._face.desk.gate.open()

    async def silence(self) -> None:
        for server in self._servers:
            server.hold()
        await self.pause()
        for _ in range(REPLIES_TURNS):
            await asyncio.sleep(0)
        for server in self._servers:
            server.shed(self._spared)
        for face in self._faces:
            await face.silence()
        await self._face.silence()

    def go_on(self) -> None:
        self._face.go_on()
        for face in self._faces:
            face.go_on()
        self.resume()
        for server in self._servers:
            server.release()

    def give_up(self) -> None:
        self._stop()
