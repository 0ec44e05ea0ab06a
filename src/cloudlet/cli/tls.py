"""What `cloudlet tls` asks of a running cloud, and prints.

State   none
Source  docs/cli.md, "TLS"
Absent  none
"""

from __future__ import annotations

import json
from pathlib import Path

import click

from cloudlet.cli.running import folder, tell


def show_authority(data: Path | None) -> None:
    """The file that clients trust."""
    click.echo(tell(folder(data), "POST", "/tls/authority", {})["ca_file"])


def make_client(data: Path | None, name: str, *, as_json: bool) -> None:
    """A certificate and a key for a client; their files."""
    made = tell(folder(data), "POST", "/tls/client", {"name": name})
    if as_json:
        click.echo(json.dumps(made))
    else:
        click.echo(f"{made['certificate_file']}\n{made['key_file']}")
