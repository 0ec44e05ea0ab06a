"""Accepting TLS and plain connections on one port: the first byte of a client tells which it is.

State   the connections that have not said a byte yet
Source  RFC 8446 5.1: a TLS client begins with a handshake record, byte 0x16
Absent  protocols whose clients may begin with 0x16 in clear; clients that wait for the server's first word

Kafka's and ZooKeeper's clients begin with the length of a frame, whose first byte is zero for every frame
that is accepted; HTTP/1.1 and HTTP/2 begin with a letter. The byte is looked at and left where it is, so that
the connection is then made as any other.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Sequence
from ssl import SSLContext, SSLObject

from cloudlet.shell.open_files import is_last
from cloudlet.wire.distinguished_names import subject

log = logging.getLogger(__name__)

HANDSHAKE = b"\x16"
SILENT_S = 30.0  # how long a client may take to its first byte
REST_S = 1.0  # before accepting again where the system had no file left for a connection
SILENT_MAX = 4096
HANDSHAKE_S = 10.0
BACKLOG = 1024

Factory = Callable[[], asyncio.BaseProtocol]


class EitherListener:
    """Listens on bound sockets; `close` refuses new clients and forgets those that have said nothing."""

    def __init__(
        self,
        factory: Factory,
        sockets: Sequence[socket.socket],
        context: SSLContext | Callable[[], SSLContext],
        *,
        silent_s: float = SILENT_S,
    ) -> None:
        """A `context` that is a function is called at the first handshake, on another thread. A client that
        has not said a byte after `silent_s` is cut off."""
        self._factory = factory
        self._context = context
        self._silent_s = silent_s
        self._making_context: asyncio.Future[SSLContext] | None = None
        self._sockets = list(sockets)
        self._loop = asyncio.get_running_loop()
        self._silent: dict[socket.socket, asyncio.TimerHandle] = {}
        self._making: dict[asyncio.Task[object], socket.socket | None] = {}  # its socket while it is TLS's
        self._resting: dict[socket.socket, asyncio.TimerHandle] = {}
        for listener in self._sockets:
            listener.settimeout(0)
            listener.listen(BACKLOG)
            self._listen(listener)

    def _listen(self, listener: socket.socket) -> None:
        self._resting.pop(listener, None)
        self._loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.warning("a connection cannot be accepted: %s", error)
                # It stays in the queue, and the listener readable: without a rest this would be a busy loop.
                self._loop.remove_reader(listener)
                self._resting[listener] = self._loop.call_later(REST_S, self._listen, listener)
                return
            if is_last(client.fileno()):
                client.close()
                continue
            if len(self._silent) >= SILENT_MAX:
                self._forget(next(iter(self._silent)))  # who has been silent for longest makes room
            client.settimeout(0)
            timer = self._loop.call_later(self._silent_s, self._forget, client)
            self._silent[client] = timer
            self._loop.add_reader(client, self._first_byte, client)

    def _forget(self, client: socket.socket, *, is_over: bool = True) -> None:
        self._silent.pop(client).cancel()
        self._loop.remove_reader(client)
        if is_over:
            client.close()

    def _first_byte(self, client: socket.socket) -> None:
        try:
            first = client.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        self._forget(client, is_over=not first)
        if first:
            is_tls = first == HANDSHAKE
            making = self._loop.create_task(self._make(client, is_tls))
            self._making[making] = client if is_tls else None
            making.add_done_callback(self._making.pop)

    async def _make(self, client: socket.socket, is_tls: bool) -> None:  # noqa: FBT001
        timeout_s = HANDSHAKE_S if is_tls else None
        try:
            context = await self._known_context() if is_tls else None
            await self._loop.connect_accepted_socket(
                self._factory, client, ssl=context, ssl_handshake_timeout=timeout_s
            )
        except OSError as error:  # among them every failed handshake
            log.debug("a TLS client has failed: %s", error)
            client.close()

    async def _known_context(self) -> SSLContext:
        if isinstance(self._context, SSLContext):
            return self._context
        if self._making_context is None:
            self._making_context = self._loop.run_in_executor(None, self._context)
        try:
            self._context = await asyncio.shield(self._making_context)
        finally:
            self._making_context = None
        return self._context

    async def close(self) -> None:
        """Stop listening; connections that are made stay.

        Who is about to be connected is waited for: where that is cancelled, uvloop closes the socket under
        a protocol that may serve already and is never told (its replies would go to whoever gets the number
        next). A handshake, which may last, fails by itself once its socket is shut down."""
        for listener in self._sockets:
            timer = self._resting.pop(listener, None)
            if timer is not None:
                timer.cancel()
            self._loop.remove_reader(listener)
            listener.close()
        for client in list(self._silent):
            self._forget(client)
        for shaking in self._making.values():
            if shaking is not None:
                with contextlib.suppress(OSError):
                    shaking.shutdown(socket.SHUT_RDWR)
        await asyncio.gather(*self._making, return_exceptions=True)


def subject_of(tls: SSLObject | None) -> str | None:
    """The name in a client's certificate, as Java spells it; None for a client that has shown none."""
    certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    return subject(certificate) or None if certificate else None
