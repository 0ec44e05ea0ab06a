"""The file of `--init`: what is to be there when a cloud says that it is ready, as values.

State   none
Source  docs/cli.md, "The init file"; TOML 1.0
Absent  none

Every refusal names the file, the table with its number and name, and the key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cloudlet.aws.inside import Place
from cloudlet.shell.initialise import BadFile

ACCOUNT = re.compile(r"[0-9]{12}\Z")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+\Z")
RECEIVE_COUNT_DEFAULT = 10  # what AWS's console proposes


@dataclass(frozen=True, slots=True)
class QueueWanted:
    """A queue. `attributes` are in SQS's words; `dead_letters` is the name of another queue."""

    where: str
    name: str
    place: Place
    attributes: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    dead_letters: str | None = None
    receive_count: int = RECEIVE_COUNT_DEFAULT


@dataclass(frozen=True, slots=True)
class BucketWanted:
    """A bucket; `versioning` is None where the file does not speak of it."""

    where: str
    name: str
    place: Place
    is_versioned: bool | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TopicWanted:
    """A topic of the Kafka broker; `partitions` is None where the file does not speak of them."""

    where: str
    name: str
    partitions: int | None = None
    configs: Mapping[str, str] = field(default_factory=dict)


W = TypeVar("W", QueueWanted, BucketWanted, TopicWanted)


@dataclass(frozen=True, slots=True)
class Wanted:
    """All that a file asks for; a queue stands behind the one that its dead letters go to."""

    queues: Sequence[QueueWanted] = ()
    buckets: Sequence[BucketWanted] = ()
    topics: Sequence[TopicWanted] = ()


def read(name: str, text: str, own: Place) -> Wanted:
    """What a file says; `name` is its name in refusals, `own` what is meant where a table names no place.
    BadFile."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadFile(f"{name}: this is not TOML: {error}") from None
    unknown = sorted(set(document) - {"queues", "buckets", "topics"})
    if unknown:
        raise BadFile(f"{name}: {unknown[0]}: there is no such table; there are: queues, buckets, topics.")
    queues = [_queue(table, own) for table in _tables(name, document, "queues")]
    buckets = [_bucket(table, own) for table in _tables(name, document, "buckets")]
    topics = [_topic(table) for table in _tables(name, document, "topics")]
    _check_distinct(queues, lambda queue: (queue.place, queue.name))
    _check_distinct(buckets, lambda bucket: bucket.name)
    _check_distinct(topics, lambda topic: topic.name)
    return Wanted(_targets_first(queues), buckets, topics)


class Table:
    """One entry of a file; a key that nobody has taken is refused at `end`."""

    def __init__(self, file: str, kind: str, number: int, raw: Mapping[str, object]) -> None:
        self._left = dict(raw)
        self.where = f"{file}: [[{kind}]] {number}"
        self.name = self.text("name") or ""
        if not self.name:
            raise self.wrong("name", "is missing")
        self.where = f"{self.where} ({self.name})"

    def wrong(self, key: str, what: str) -> BadFile:
        """The refusal of one key."""
        return BadFile(f"{self.where}: {key} {what}")

    def text(self, key: str, pattern: re.Pattern[str] | None = None, said: str = "") -> str | None:
        """A text, None where there is none."""
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, str):
            raise self.wrong(key, "is not a text")
        if value is not None and pattern is not None and not pattern.match(value):
            raise self.wrong(key, said)
        return value

    def flag(self, key: str) -> bool | None:
        """true or false, None where there is neither."""
        value = self._left.pop(key, None)
        if value is not None and not isinstance(value, bool):
            raise self.wrong(key, "is neither true nor false")
        return value

    def number(self, key: str) -> int | None:
        """A whole number from 1 on."""
        value = self._left.pop(key, None)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise self.wrong(key, "is not a whole number from 1 on")
        return value

    def texts(self, key: str) -> dict[str, str]:
        """A table of texts."""
        value = self._left.pop(key, {})
        if not isinstance(value, dict):
            raise self.wrong(key, "is not a table")
        return {name: self._word(f"{key}.{name}", each) for name, each in value.items()}

    def _word(self, key: str, value: object) -> str:
        """A text, or a number or flag as AWS and Kafka spell them in attributes and properties."""
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | str):
            return str(value)
        raise self.wrong(key, "is neither a text nor a whole number nor a flag")

    def place(self, own: Place) -> Place:
        """Account and region; the cloud's own where the table names none."""
        return Place(
            self.text("account", ACCOUNT, "is not of 12 digits") or own.account,
            self.text("region", REGION, "is not the name of a region") or own.region,
        )

    def end(self) -> None:
        """Refuse what nobody has asked for."""
        for key in self._left:
            raise self.wrong(key, "is not a key of this table")


def _tables(name: str, document: Mapping[str, object], kind: str) -> list[Table]:
    raw = document.get(kind, [])
    if not isinstance(raw, list) or not all(isinstance(each, dict) for each in raw):
        raise BadFile(f"{name}: {kind} must be written as [[{kind}]], one for each.")
    return [Table(name, kind, number, each) for number, each in enumerate(raw, 1)]


def _queue(table: Table, own: Place) -> QueueWanted:
    place = table.place(own)
    attributes, tags = table.texts("attributes"), table.texts("tags")
    is_fifo = table.flag("fifo")
    if is_fifo is not None and is_fifo != table.name.endswith(".fifo"):
        raise table.wrong(
            "fifo", "disagrees with the name: those of FIFO queues, and no others, end in .fifo"
        )
    if table.name.endswith(".fifo"):
        if attributes.get("FifoQueue", "true") != "true":
            raise table.wrong("attributes.FifoQueue", "disagrees with the name, which ends in .fifo")
        attributes["FifoQueue"] = "true"
    dead_letters, receive_count = table.text("dead_letter_queue"), table.number("max_receive_count")
    if dead_letters is not None and "RedrivePolicy" in attributes:
        raise table.wrong("dead_letter_queue", "and attributes.RedrivePolicy say the same: leave one out")
    if receive_count is not None and dead_letters is None:
        raise table.wrong("max_receive_count", "means nothing without dead_letter_queue")
    table.end()
    return QueueWanted(
        table.where, table.name, place, attributes, tags, dead_letters,
        receive_count or RECEIVE_COUNT_DEFAULT,
    )  # fmt: skip


def _bucket(table: Table, own: Place) -> BucketWanted:
    place, is_versioned = table.place(own), table.flag("versioning")
    wanted = BucketWanted(table.where, table.name, place, is_versioned, table.texts("tags"))
    table.end()
    return wanted


def _topic(table: Table) -> TopicWanted:
    wanted = TopicWanted(table.where, table.name, table.number("partitions"), table.texts("configs"))
    table.end()
    return wanted


def _check_distinct(wanted: Sequence[W], identity: Callable[[W], object]) -> None:
    seen: set[object] = set()
    for each in wanted:
        if identity(each) in seen:
            raise BadFile(f"{each.where}: name is in the file twice")
        seen.add(identity(each))


def _targets_first(queues: Sequence[QueueWanted]) -> list[QueueWanted]:
    """The queues in an order in which each finds the one for its dead letters."""
    by_name = {(queue.place, queue.name): queue for queue in queues}
    ordered: dict[tuple[Place, str], QueueWanted] = {}
    for queue in queues:
        path: list[QueueWanted] = []
        here: QueueWanted | None = queue
        while here is not None and (here.place, here.name) not in ordered:
            if here in path:
                raise BadFile(f"{here.where}: dead_letter_queue leads back to this queue")
            path.append(here)
            here = by_name.get((here.place, here.dead_letters)) if here.dead_letters else None
        ordered |= {(each.place, each.name): each for each in reversed(path)}
    return list(ordered.values())
