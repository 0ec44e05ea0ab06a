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

WATCH_MS = 20_000  # then it is asked again


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
        click.echo(spelled_change(row, who_of(row)))
    if cast("int", said["oldest_revision"]) > 1:
        click.echo(f"(the history goes back to revision {said['oldest_revision']})")


def spelled_change(row: Row, subject: str) -> str:
    """One change as two lines: what happened, and the value that it left."""
    value = "" if row["change"] == "dropped" else json.dumps(row["value"], ensure_ascii=False)
    return f"{row['revision']:>10}  {row['change']:<8} {subject}\n            {value}".rstrip()


def who_of(row: Row) -> str:
    """Who made a change: its face, then what is known of the session, the request and the key's lease."""
    author = cast("Mapping[str, str]", row["author"])
    known = [author[part] for part in ("face", "principal", "address", "request_id") if author[part]]
    lease = row.get("lease")
    if lease and author["principal"] != f"0x{lease}":  # a ZooKeeper session is the lease of its ephemerals
        known.append(f"(lease {lease})")
    return " ".join(known)


def watch(data: Path | None, prefix: str, since: int | None, *, as_json: bool) -> None:
    """Print changes as they come, until the cloud ends or Ctrl-C."""
    while True:
        said = ask(data, "/keys/watch", {"prefix": prefix, "since": since, "wait_ms": WATCH_MS})
        since = cast("int", said["since"])
        for row in cast("Sequence[Row]", said["changes"]):
            if as_json:
                click.echo(json.dumps(row))
            else:
                click.echo(spelled_change(row, f"{row['key']}  {who_of(row)}"))


def show_diff(
    data: Path | None, from_revision: int, to_revision: int | None, prefix: str, *, as_json: bool
) -> None:
    """Print what differs: + put, ~ changed, - dropped; and whose change was the last."""
    said = ask(data, "/keys/diff", {"from": from_revision, "to": to_revision, "prefix": prefix})
    if as_json:
        click.echo(json.dumps(said))
        return
    for row in cast("Sequence[Row]", said["keys"]):
        click.echo(f"{MARKS[str(row['change'])]} {row['key']}  {row['revision']} {who_of(row)}")
    if said["more"]:
        click.echo(f"… and {said['more']} keys more")
