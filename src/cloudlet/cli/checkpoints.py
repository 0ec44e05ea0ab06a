"""What the commands about checkpoints ask of a running cloud, and print.

State   none
Source  docs/cli.md
Absent  none
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

from cloudlet.cli.running import folder, tell

TIMEOUT_SECONDS = 600.0  # a large restore takes seconds; nobody gains by giving up on one

MARKS = {"put": "+", "made": "+", "changed": "~", "dropped": "-"}

Row = Mapping[str, object]


def ask(data: Path | None, verb: str, body: Row | None = None) -> Row:
    """A verb that may take long."""
    return tell(folder(data), "POST", verb, body, timeout_s=TIMEOUT_SECONDS)


def save(data: Path | None, name: str) -> None:
    """Save, and say what."""
    said = ask(data, "/checkpoints/save", {"name": name})
    click.echo(f"{name}: revision {said['revision']}, {said['keys']} keys, {said['logs']} logs")


def show_all(data: Path | None, *, as_json: bool) -> None:
    """Print the checkpoints, a line each."""
    said = tell(folder(data), "GET", "/checkpoints")
    if as_json:
        click.echo(json.dumps(said))
        return
    for each in cast("Sequence[Row]", said["checkpoints"]):
        made = datetime.fromtimestamp(cast("int", each["wall_ms"]) / 1000, UTC)
        click.echo(
            f"{each['name']:<20} {made:%Y-%m-%d %H:%M:%S} UTC  revision {each['revision']}, "
            f"{each['keys']} keys, {each['logs']} logs"
        )


def restore(data: Path | None, name: str) -> None:
    """Restore, and say at which revision the cloud is now."""
    said = ask(data, "/checkpoints/restore", {"name": name})
    click.echo(f"{name} is restored, at revision {said['revision']}")


def drop(data: Path | None, name: str) -> None:
    """Drop."""
    ask(data, "/checkpoints/drop", {"name": name})


def reset(data: Path | None) -> None:
    """Reset."""
    ask(data, "/reset")


def diff(data: Path | None, name: str, other: str | None, *, as_json: bool) -> None:
    """Print what differs: + put, ~ changed, - dropped."""
    said = ask(data, "/checkpoints/diff", {"name": name, "other": other})
    if as_json:
        click.echo(json.dumps(said))
        return
    rows = cast("Sequence[Row]", said["keys"])
    for row in rows:
        click.echo(f"{MARKS[str(row['change'])]} {row['key']}")
    more = sum(cast("Mapping[str, int]", said["counts"]).values()) - len(rows)
    if more:
        click.echo(f"… and {more} keys more")
    for row in cast("Sequence[Row]", said["logs"]):
        click.echo(f"{MARKS[str(row['change'])]} log {row['log']}  {ends(row['from'])} -> {ends(row['to'])}")


def ends(value: object) -> str:
    """The offsets of a log."""
    if value is None:
        return "none"
    start, stop = cast("Sequence[int]", value)
    return f"{start}…{stop}"
