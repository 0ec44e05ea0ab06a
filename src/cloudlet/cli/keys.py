"""What the commands about keys ask of a running cloud, and print.

State   none
Source  docs/cli.md, "Keys"
Absent  none
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import click

from cloudlet.cli.checkpoints import MARKS, ask

Row = Mapping[str, object]


def show(data: Path | None, key: str, at: int | None) -> None:
    """Print one key, always as JSON: its value is."""
    click.echo(json.dumps(ask(data, "/keys/get", {"key": key, "at": at}), indent=2, ensure_ascii=False))


def show_list(data: Path | None, prefix: str, *, as_json: bool) -> None:
    """Print the paths under a path."""
    said = ask(data, "/keys/list", {"prefix": prefix})
    if as_json:
        click.echo(json.dumps(said))
        return
    for row in cast("Sequence[Row]", said["keys"]):
        click.echo(f"{row['revision']:>10}  {row['key']}")
    if said["more"]:
        click.echo(f"… and {said['more']} keys more")


def show_history(data: Path | None, key: str, *, as_json: bool) -> None:
    """Print the changes of a key, oldest first."""
    said = ask(data, "/keys/history", {"key": key})
    if as_json:
        click.echo(json.dumps(said))
        return
    for row in cast("Sequence[Row]", said["changes"]):
        author = cast("Mapping[str, str]", row["author"])
        who = " ".join(filter(None, (author["face"], author["principal"], author["request_id"])))
        value = "" if row["change"] == "dropped" else json.dumps(row["value"], ensure_ascii=False)
        click.echo(f"{row['revision']:>10}  {row['change']:<8} {who}\n            {value}".rstrip())
    if cast("int", said["oldest_revision"]) > 1:
        click.echo(f"(the history goes back to revision {said['oldest_revision']})")


def show_diff(
    data: Path | None, from_revision: int, to_revision: int | None, prefix: str, *, as_json: bool
) -> None:
    """Print what differs: + put, ~ changed, - dropped."""
    said = ask(data, "/keys/diff", {"from": from_revision, "to": to_revision, "prefix": prefix})
    if as_json:
        click.echo(json.dumps(said))
        return
    for row in cast("Sequence[Row]", said["keys"]):
        click.echo(f"{MARKS[str(row['change'])]} {row['key']}")
    if said["more"]:
        click.echo(f"… and {said['more']} keys more")
