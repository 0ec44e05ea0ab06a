"""What the commands about consumer groups ask of the broker, and print.

State   none
Source  docs/cli.md, "Kafka"
Absent  none
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from cloudlet.cli.kafka_client import EARLIEST, LATEST, KafkaClient, KafkaRefused, check
from cloudlet.cli.running import folder
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

FOLLOW_SECONDS = 1.0
Row = Mapping[str, object]


def show_all(data: Path | None, *, as_json: bool) -> None:
    """Print the groups, a line each."""
    with KafkaClient(folder(data)) as client:
        reply = client.ask(messages.ListGroupsRequest())
    check(reply.ErrorCode)
    rows = [
        {"group": row.GroupId, "state": row.GroupState, "type": row.GroupType}
        for row in sorted(reply.Groups, key=lambda row: row.GroupId)
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    width = max((len(str(row["group"])) for row in rows), default=5)
    click.echo(f"{'group':<{width}}  state                type")
    for row in rows:
        click.echo(f"{row['group']:<{width}}  {row['state']:<19}  {row['type']}")


def rows_of(client: KafkaClient, group: str) -> list[Row]:
    """The committed offset, the end and the lag of each partition that a group has committed."""
    cls = messages.OffsetFetchRequest
    asked = cls.OffsetFetchRequestGroup(GroupId=group, Topics=None)
    (found,) = client.ask(cls(Groups=[asked]), version=9).Groups
    check(found.ErrorCode, group)
    rows: list[Row] = []
    for topic in sorted(found.Topics, key=lambda topic: topic.Name):
        committed = {row.PartitionIndex: row.CommittedOffset for row in topic.Partitions}
        stops = client.offsets(topic.Name, sorted(committed), LATEST)
        rows += [
            {
                "topic": topic.Name, "partition": index, "committed": committed[index], "end": stops[index],
                "lag": max(stops[index] - committed[index], 0),
            }
            for index in sorted(committed)
        ]  # fmt: skip
    return rows


def names_of(client: KafkaClient) -> set[str]:
    """The groups that there are."""
    reply = client.ask(messages.ListGroupsRequest())
    check(reply.ErrorCode)
    return {row.GroupId for row in reply.Groups}


def lag(data: Path | None, group: str, *, follow: bool, as_json: bool) -> None:
    """Print how far a group is behind; renewed in place with `follow`."""
    with KafkaClient(folder(data)) as client:
        rows = rows_of(client, group)
        if not rows and not follow and group not in names_of(client):
            raise KafkaRefused(ErrorCode.GROUP_ID_NOT_FOUND, group)
        _print(rows, as_json=as_json)
        while follow:
            time.sleep(FOLLOW_SECONDS)
            before, rows = len(rows), rows_of(client, group)
            if not as_json and sys.stdout.isatty():
                click.echo(f"\x1b[{before + 2}A\x1b[J", nl=False)  # over the table before
            _print(rows, as_json=as_json)


def _print(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(rows))
        return
    width = max((len(str(row["topic"])) for row in rows), default=5)
    click.echo(f"{'topic':<{width}}  partition   committed         end        lag")
    for row in rows:
        click.echo(
            f"{row['topic']:<{width}}  {row['partition']:>9}  {row['committed']:>10}  {row['end']:>10}"
            f"  {row['lag']:>9}"
        )
    total = sum(int(str(row["lag"])) for row in rows)
    click.echo(f"{'together':<{width}}  {total:>46}")


def move(data: Path | None, group: str, topic: str, place: str, partition: int | None) -> None:
    """Commit other offsets for a group that is empty."""
    with KafkaClient(folder(data)) as client:
        found = client.topic(topic)
        indexes = sorted(each.PartitionIndex for each in found.Partitions)
        if partition is not None:
            indexes = [index for index in indexes if index == partition]
            if not indexes:
                raise click.UsageError(f"{topic} has no partition {partition}.")
        offsets = offsets_at(client, topic, indexes, place)
        cls = messages.OffsetCommitRequest
        rows = [
            cls.OffsetCommitRequestPartition(
                PartitionIndex=index, CommittedOffset=offset, CommittedMetadata=""
            )
            for index, offset in offsets.items()
        ]
        asked = cls.OffsetCommitRequestTopic(Name=topic, TopicId=found.TopicId, Partitions=rows)
        reply = client.ask(cls(GroupId=group, Topics=[asked]))
    for row in reply.Topics[0].Partitions:
        check(row.ErrorCode, f"{topic}-{row.PartitionIndex}")
    for index, offset in offsets.items():
        click.echo(f"{group}: {topic}-{index} at {offset}")


def offsets_at(client: KafkaClient, topic: str, indexes: Sequence[int], place: str) -> dict[int, int]:
    """Where "earliest", "latest" or an offset is, by partition."""
    if place in ("earliest", "latest"):
        return client.offsets(topic, indexes, EARLIEST if place == "earliest" else LATEST)
    if not place.isdigit():
        raise click.UsageError(f"{place}: this is earliest, latest or an offset.")
    return dict.fromkeys(indexes, int(place))


def delete(data: Path | None, names: Sequence[str]) -> None:
    """Delete groups."""
    with KafkaClient(folder(data)) as client:
        reply = client.ask(messages.DeleteGroupsRequest(GroupsNames=list(names)))
    for row in reply.Results:
        check(row.ErrorCode, row.GroupId)
        click.echo(f"{row.GroupId} is deleted")
