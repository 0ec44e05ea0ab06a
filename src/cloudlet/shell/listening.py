"""Binding the ports of the faces, and telling whose a taken one is.

State   none; the ports picked by `--ports auto` are kept by the data folder
Source  docs/cli.md
Absent  none
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cloudlet.kernel.settings import LOOPBACK, Settings
from cloudlet.shell.port_holder import holder_of


class PortTaken(Exception):
    """A port is in use; the message names it and the flag that changes it."""


class Bound(NamedTuple):
    """The sockets of one face, all on one port."""

    sockets: list[socket.socket]
    port: int
    address: str  # HOST:PORT as clients are told


def bind_faces(settings: Settings, kept: Mapping[str, int]) -> dict[str, Bound]:
    """Bind every face that is asked for; `kept` are the ports of earlier starts. PortTaken, with nothing left
    bound."""
    found: dict[str, Bound] = {}
    try:
        for face in settings.only:
            bound = _bind_face(settings, face, kept.get(face, 0))
            # Linux binds a port twice as long as nobody listens there.
            other = next((name for name, each in found.items() if each.port == bound.port), None)
            found[face] = bound
            if other is not None:
                raise PortTaken(f"Port {bound.port} is given to {other} and {face}. Use --ports {face}=PORT.")
    except BaseException:
        close_all(found)
        raise
    return found


def close_all(bound: Mapping[str, Bound]) -> None:
    """Let go of sockets that nobody took over."""
    for each in bound.values():
        for listener in each.sockets:
            listener.close()


def _bind_face(settings: Settings, face: str, kept: int) -> Bound:
    port = settings.port_of(face, kept)
    hosts = settings.hosts_of(face)
    bound = bind_all(face, hosts, port)
    name = settings.advertise or settings.host or told(hosts)
    return bound._replace(address=f"{f'[{name}]' if ':' in name else name}:{bound.port}")


def told(hosts: Sequence[str]) -> str:
    """The host that clients are told who have no other name of it."""
    return LOOPBACK[0] if hosts[0] in ("0.0.0.0", "::", "") else hosts[0]


def bind_all(face: str, hosts: Sequence[str], port: int) -> Bound:
    """One port at several addresses; PortTaken, with nothing left bound."""
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            bound = bind(face, host, port, is_only=len(hosts) == 1 or not sockets)
            if bound is not None:
                sockets.append(bound)
                port = bound.getsockname()[1]
    except BaseException:
        for each in sockets:
            each.close()
        raise
    name = told(hosts)
    return Bound(sockets, port, f"{f'[{name}]' if ':' in name else name}:{port}")


def ports_to_keep(settings: Settings, bound: Mapping[str, Bound], kept: Mapping[str, int]) -> dict[str, int]:
    """What to keep for the next start: every port that was picked, now or earlier."""
    picked = {face: each.port for face, each in bound.items() if settings.is_picked(face)}
    return {**kept, **picked}


def bind(face: str, host: str, port: int, *, is_only: bool) -> socket.socket | None:
    """A bound socket; None where the machine lacks the address and another one serves. PortTaken; OSError
    where no other one does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.socket(family)
    except OSError:
        if is_only:
            raise
        return None
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        if not is_only and port and not _is_taken(error):
            return None  # a machine without IPv6
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise OSError(error.errno, f"no address of this machine ({error.strerror})", host) from error
        raise PortTaken(_advice(face, host, port, error)) from error
    return listener


def _advice(face: str, host: str, port: int, error: OSError) -> str:
    holder = holder_of(port) if error.errno == errno.EADDRINUSE else ""
    return (
        f"Port {port} of {host} cannot be used for {face} ({os.strerror(error.errno or 0)}"
        f"{holder and f', by {holder}'}). Free it, or start with --ports auto or --ports {face}=PORT."
    )


def _is_taken(error: OSError) -> bool:
    return error.errno in (errno.EADDRINUSE, errno.EACCES)
