"""Producing and consuming from the command line.

State   none
Source  docs/cli.md, "Kafka"; murmur2 as Java's clients choose a key's partition
Absent  headers
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import click

from cloudlet.cli.kafka_client import LATEST, KafkaClient, Read
from cloudlet.cli.kafka_groups import offsets_at
from cloudlet.cli.running import folder
from cloudlet.wire.kafka.records import Record

BATCH_RECORDS = 500
MASK = 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """The 32-bit hash by which Java's clients spread keys."""
    m = 0x5BD1E995
    h = (0x9747B28C ^ len(data)) & MASK
    stop = len(data) & ~3
    for at in range(0, stop, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & MASK
        k = (k ^ k >> 24) * m & MASK
        h = h * m & MASK ^ k
    rest = data[stop:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & MASK
    h = (h ^ h >> 13) * m & MASK
    return h ^ h >> 15


def produce(
    data: Path | None,
    topic: str,
    values: Sequence[str],
    key: str | None,
    partition: int | None,
    separator: str | None,
) -> None:
    """Write records, and say where they are."""
    if separator == "":
        raise click.UsageError("--separator: this is a text of one character or more.")
    lines: Iterable[bytes] = map(os.fsencode, values) if values else _lines(sys.stdin.buffer)
    with KafkaClient(folder(data)) as client:
        found = client.topic(topic, is_made=True)
        indexes = sorted(each.PartitionIndex for each in found.Partitions)
        if partition is not None and partition not in indexes:
            raise click.UsageError(f"{topic} has no partition {partition}.")
        emptiest = min(client.offsets(topic, indexes, LATEST).items(), key=lambda row: (row[1], row[0]))[0]
        counts: dict[int, int] = {}
        for some in _batched(_records(lines, key, separator)):
            by_partition: dict[int, list[Record]] = {}
            for record in some:
                index = partition
                if index is None:
                    index = (
                        (murmur2(record.key) & 0x7FFFFFFF) % len(indexes)
                        if record.key is not None
                        else emptiest
                    )
                by_partition.setdefault(index, []).append(record)
            for index, records in by_partition.items():
                client.produce(topic, found.TopicId, index, records)
                counts[index] = counts.get(index, 0) + len(records)
    for index in sorted(counts):
        click.echo(f"{topic}-{index}: {counts[index]} records")


def _lines(file: Iterable[bytes]) -> Iterator[bytes]:
    """The lines of a file, whatever bytes they are."""
    return (line.removesuffix(b"\n") for line in file)


def _records(lines: Iterable[bytes], key: str | None, separator: str | None) -> Iterator[Record]:
    own = None if key is None else os.fsencode(key)
    for line in lines:
        value = line
        if separator is not None:
            own, found, value = line.partition(os.fsencode(separator))
            if not found:
                raise click.UsageError(f"{_text(line)!r} has no {separator!r}.")
        yield Record(value, own, int(time.time() * 1000))


def _batched(records: Iterator[Record]) -> Iterator[list[Record]]:
    while some := list(islice(records, BATCH_RECORDS)):
        yield some


def consume(
    data: Path | None,
    topic: str,
    place: str,
    partition: int | None,
    count: int | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Print records: to the end that there was at the start, or for ever with `follow`."""
    with KafkaClient(folder(data)) as client:
        found = client.topic(topic)
        indexes = sorted(each.PartitionIndex for each in found.Partitions)
        if partition is not None:
            indexes = [index for index in indexes if index == partition]
            if not indexes:
                raise click.UsageError(f"{topic} has no partition {partition}.")
        positions = offsets_at(client, topic, indexes, place)
        stops = client.offsets(topic, indexes, LATEST)
        shown = 0
        while follow or any(positions[index] < stops[index] for index in indexes):
            asked = positions if follow else {i: at for i, at in positions.items() if at < stops[i]}
            moving = dict(asked)
            for record in client.fetch(found.TopicId, moving):
                if count is not None and shown >= count:
                    return
                click.echo(_spelled(record, as_json=as_json))
                shown += 1
            positions.update(moving)
            if not follow and moving == asked:
                return  # what is left is open: not committed yet
            if count is not None and shown >= count:
                return


def _spelled(record: Read, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(
            {
                "partition": record.partition, "offset": record.offset, "timestamp_ms": record.timestamp_ms,
                "key": _text(record.key), "value": _text(record.value),
            },
            ensure_ascii=False,
        )  # fmt: skip
    value = _text(record.value)
    shown = "(null)" if value is None else value
    return shown if record.key is None else f"{_text(record.key)}\t{shown}"


def _text(data: bytes | None) -> str | None:
    return None if data is None else data.decode("utf-8", "backslashreplace")
