"""`cloudlet fault …`: what can be said.

State   none
Source  docs/faults.md
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from cloudlet.cli.kafka_commands import data_option

F = TypeVar("F", bound=Callable[..., object])


def face_option(command: F) -> F:
    """--face, the same on every command that means one."""
    return click.option(
        "--face", type=click.Choice(["etcd", "zookeeper"]), default=None, help="[default: both]"
    )(command)


@click.group(invoke_without_command=True)
@click.pass_context
@data_option
def fault(context: click.Context, data: Path | None) -> None:
    """Let something go wrong: sessions, leases, connections, replies. Without a command: what is in force."""
    if context.invoked_subcommand is None:
        from cloudlet.cli import faults

        faults.show(data)


@fault.command("session-expire")
@click.argument("session", required=False)
@data_option
def session_expire(session: str | None, data: Path | None) -> None:
    """End a ZooKeeper session now (its id in hexadecimal), or all."""
    from cloudlet.cli import faults

    faults.do(data, "session-expire", {"id": session})


@fault.command("lease-expire")
@click.argument("lease", required=False)
@data_option
def lease_expire(lease: str | None, data: Path | None) -> None:
    """End an etcd lease now (its id in hexadecimal), or all."""
    from cloudlet.cli import faults

    faults.do(data, "lease-expire", {"id": lease})


@fault.command()
@click.argument("session", required=False)
@face_option
@data_option
def drop(session: str | None, face: str | None, data: Path | None) -> None:
    """Close clients' connections: that of a ZooKeeper session, or all."""
    from cloudlet.cli import faults

    faults.do(data, "drop", {"id": session, "face": face})


@fault.command()
@click.argument("ms", type=int)
@face_option
@data_option
def delay(ms: int, face: str | None, data: Path | None) -> None:
    """Wait so many milliseconds before every reply; 0 is none."""
    from cloudlet.cli import faults

    faults.do(data, "delay", {"ms": ms, "face": face})


@fault.command()
@face_option
@data_option
def reject(face: str | None, data: Path | None) -> None:
    """Refuse new connections."""
    from cloudlet.cli import faults

    faults.do(data, "reject", {"face": face})


@fault.command()
@click.argument("count", type=int, required=False)
@face_option
@data_option
def fail(count: int | None, face: str | None, data: Path | None) -> None:
    """Fail the next COUNT requests, or all."""
    from cloudlet.cli import faults

    faults.do(data, "fail", {"count": count, "face": face})


@fault.command("no-response")
@click.argument("count", type=int, required=False)
@face_option
@data_option
def no_response(count: int | None, face: str | None, data: Path | None) -> None:
    """Carry out the next COUNT requests, or all, and answer none of them."""
    from cloudlet.cli import faults

    faults.do(data, "no-response", {"count": count, "face": face})


@fault.command()
@face_option
@data_option
def lift(face: str | None, data: Path | None) -> None:
    """Put an end to all faults."""
    from cloudlet.cli import faults

    faults.do(data, "lift", {"face": face})
