"""What `cloudlet fault` asks of a running cloud, and prints.

State   none
Source  docs/faults.md
Absent  none
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import click

from cloudlet.cli.running import folder, tell


def do(data: Path | None, verb: str, asked: Mapping[str, object]) -> None:
    """One verb; what it answers."""
    body = {name: value for name, value in asked.items() if value is not None}
    said = tell(folder(data), "POST", f"/fault/{verb}", body)
    click.echo(json.dumps(said))


def show(data: Path | None) -> None:
    """The faults in force."""
    click.echo(json.dumps(tell(folder(data), "GET", "/fault")))
