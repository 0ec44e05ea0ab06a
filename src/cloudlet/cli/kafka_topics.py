"""What the commands about topics and properties ask of the broker, and print.

State   none
Source  docs/cli.md, "Kafka"
Absent  none
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from cloudlet.cli.kafka_client import EARLIEST, LATEST, KafkaClient, check
from cloudlet.cli.running import folder
from cloudlet.wire.kafka import messages

TIMEOUT_MS = 30_000
TOPIC, BROKER = 2, 4
SET, DELETE = 0, 1
DEFAULT_SOURCE = 5


def pairs(given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE, each; a usage error for what is not."""
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{text}: this is NAME=VALUE.")
        found[name] = value
    return found


def show_all(data: Path | None, *, as_json: bool, with_internal: bool) -> None:
    """Print the topics, a line each."""
    with KafkaClient(folder(data)) as client:
        found = [topic for topic in client.topics() if with_internal or not topic.IsInternal]
        rows = []
        for topic in found:
            indexes = [each.PartitionIndex for each in topic.Partitions]
            starts = client.offsets(topic.Name or "", indexes, EARLIEST)
            stops = client.offsets(topic.Name or "", indexes, LATEST)
            records = sum(stops.values()) - sum(starts.values())
            rows.append({"topic": topic.Name, "partitions": len(indexes), "records": records})
    if as_json:
        click.echo(json.dumps(rows))
        return
    width = max((len(str(row["topic"])) for row in rows), default=5)
    click.echo(f"{'topic':<{width}}  partitions    records")
    for row in rows:
        click.echo(f"{row['topic']:<{width}}  {row['partitions']:>10}  {row['records']:>9}")


def create(data: Path | None, name: str, partitions: int, given: Sequence[str]) -> None:
    """Make a topic."""
    cls = messages.CreateTopicsRequest
    topic = cls.CreatableTopic(
        Name=name, NumPartitions=partitions, ReplicationFactor=-1,
        Configs=[cls.CreatableTopicConfig(Name=key, Value=value) for key, value in pairs(given).items()],
    )  # fmt: skip
    with KafkaClient(folder(data)) as client:
        (row,) = client.ask(cls(Topics=[topic], timeoutMs=TIMEOUT_MS)).Topics
    check(row.ErrorCode, row.ErrorMessage)
    click.echo(f"{name}: {row.NumPartitions} partitions")


def delete(data: Path | None, names: Sequence[str]) -> None:
    """Delete topics; what cannot be is said, and the others are deleted."""
    cls = messages.DeleteTopicsRequest
    with KafkaClient(folder(data)) as client:
        reply = client.ask(
            cls(Topics=[cls.DeleteTopicState(Name=name) for name in names], TimeoutMs=TIMEOUT_MS)
        )
    for row in reply.Responses:
        check(row.ErrorCode, row.ErrorMessage or row.Name)
        click.echo(f"{row.Name} is deleted")


def describe(data: Path | None, name: str, *, as_json: bool) -> None:
    """Print a topic's partitions."""
    with KafkaClient(folder(data)) as client:
        topic = client.topic(name)
        indexes = sorted(each.PartitionIndex for each in topic.Partitions)
        starts, stops = client.offsets(name, indexes, EARLIEST), client.offsets(name, indexes, LATEST)
    by_index = {each.PartitionIndex: each for each in topic.Partitions}
    rows = [
        {
            "partition": index, "leader": by_index[index].LeaderId, "epoch": by_index[index].LeaderEpoch,
            "replicas": by_index[index].ReplicaNodes, "isr": by_index[index].IsrNodes,
            "start": starts[index], "stop": stops[index],
        }
        for index in indexes
    ]  # fmt: skip
    if as_json:
        click.echo(json.dumps(rows))
        return
    click.echo("partition  leader  epoch  replicas  isr           start        stop")
    for row in rows:
        replicas, isr = (",".join(map(str, row[name])) for name in ("replicas", "isr"))  # type: ignore[call-overload]
        click.echo(
            f"{row['partition']:>9}  {row['leader']:>6}  {row['epoch']:>5}  {replicas:<8}  {isr:<8}"
            f"  {row['start']:>9}  {row['stop']:>10}"
        )


def configure(
    data: Path | None,
    topic: str | None,
    changes: Sequence[str],
    removals: Sequence[str],
    *,
    is_whole: bool,
    as_json: bool,
) -> None:
    """Change properties, or print them."""
    kind, name = (TOPIC, topic) if topic is not None else (BROKER, "1")
    with KafkaClient(folder(data)) as client:
        if changes or removals:
            _change(client, kind, name, pairs(changes), removals)
        cls = messages.DescribeConfigsRequest
        resource = cls.DescribeConfigsResource(ResourceType=kind, ResourceName=name, ConfigurationKeys=None)
        (found,) = client.ask(cls(Resources=[resource])).Results
    check(found.ErrorCode, found.ErrorMessage)
    rows = [
        {"name": row.Name, "value": row.Value, "is_default": row.ConfigSource == DEFAULT_SOURCE}
        for row in sorted(found.Configs, key=lambda row: row.Name)
        if is_whole or row.ConfigSource != DEFAULT_SOURCE
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        click.echo(f"{row['name']}={'' if row['value'] is None else row['value']}")


def _change(
    client: KafkaClient, kind: int, name: str, changes: dict[str, str], removals: Sequence[str]
) -> None:
    cls = messages.IncrementalAlterConfigsRequest
    configs = [
        cls.AlterableConfig(Name=key, ConfigOperation=SET, Value=value) for key, value in changes.items()
    ]
    configs += [cls.AlterableConfig(Name=key, ConfigOperation=DELETE, Value=None) for key in removals]
    resource = cls.AlterConfigsResource(ResourceType=kind, ResourceName=name, Configs=configs)
    (row,) = client.ask(cls(Resources=[resource])).Responses
    check(row.ErrorCode, row.ErrorMessage)
