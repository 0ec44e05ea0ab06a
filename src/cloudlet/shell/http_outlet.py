"""What an HTTP connection writes: whole replies at the end of the loop's turn, all else at once, in order.

State   the reply that waits for the end of the turn
Source  docs/decisions/0004-http-server.md
Absent  TLS: its transport is written to at once

Every write to a socket may wake its client. One that has many requests under way would be woken for each
reply, and each time the kernel's work would push ours out of the caches; so the small replies of a turn are
kept until its end, and written one right after the other.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloudlet.shell.http import Shared


class Outlet(asyncio.Protocol):
    """The writing side of a connection."""

    __slots__ = ("_fileno", "_shared", "_transport", "_unwritten")

    _transport: asyncio.Transport

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._fileno = -1  # of a plain connection, until it is lost
        self._unwritten = b""  # a reply that goes out at the end of the turn

    def _write_soon(self, data: bytes) -> None:
        """Write a whole reply past the transport, which costs less, and together with the other replies of
        this turn of the loop: a client that has many requests under way is woken once, not for each reply."""
        if self._fileno < 0:
            self._transport.write(data)
            return
        if self._unwritten:
            self.write_out()
        self._unwritten = data
        self._shared.write_soon(self)

    def write_out(self) -> None:
        """Write the reply that waits for the end of the turn, if one does."""
        data = self._unwritten
        if data:
            self._unwritten = b""
            write_past(self._transport, self._fileno, data)

    def _write(self, data: bytes) -> None:
        """Write, behind what is to be written before."""
        if self._unwritten:
            self.write_out()
        self._transport.write(data)


def write_past(transport: asyncio.WriteTransport, fileno: int, data: bytes) -> None:
    """Write to the socket below a plain transport, which costs less; what it does not take, and all behind
    what waits already, through the transport. `fileno` must be surely the transport's."""
    if transport.get_write_buffer_size():
        transport.write(data)
        return
    try:
        sent = os.write(fileno, data)
    except OSError:  # full, or broken: the transport knows what to do
        sent = 0
    if sent != len(data):
        transport.write(data[sent:])
