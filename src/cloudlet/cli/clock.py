"""The clock's commands: `cloudlet clock show|advance|freeze|thaw`.

State   none
Source  docs/cli.md, "The clock"
Absent  none
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from cloudlet.cli.running import folder, tell


def show(data: Path | None, *, as_json: bool) -> None:
    """Print both times."""
    printed(tell(folder(data), "GET", "/clock"), as_json=as_json)


def advance(data: Path | None, duration: str | None, instant: str | None, *, as_json: bool) -> None:
    """Move cloud time and print both."""
    if (duration is None) == (instant is None):
        raise click.UsageError("say how far: a DURATION such as 8d, or --to INSTANT.")
    body = {"by": duration} if instant is None else {"to": instant}
    printed(tell(folder(data), "POST", "/clock/advance", body), as_json=as_json)


def turn(data: Path | None, verb: str, *, as_json: bool) -> None:
    """Freeze or thaw cloud time and print both."""
    printed(tell(folder(data), "POST", f"/clock/{verb}"), as_json=as_json)


def printed(said: Mapping[str, object], *, as_json: bool) -> None:
    """What the cloud said of its clock, for a person or a script."""
    if as_json:
        click.echo(json.dumps(said))
        return
    for name in ("cloud", "wall", "ahead"):
        click.echo(f"{name:<10} {said[name]}")
    click.echo(f"{'state':<10} {'frozen' if said['frozen'] else 'running'}")
