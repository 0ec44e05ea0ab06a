"""Configuration as it is told: each property with its value, where it comes from, and what it stands in for.

State   none
Source  Apache Kafka 4.3: ConfigHelper, KafkaConfigSchema; KIP-226 (sources and synonyms)
Absent  documentation
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from itertools import dropwhile
from typing import NamedTuple

from cloudlet.kafka.configs import (
    TYPE_CODES,
    Configs,
    Definition,
    broker_definitions,
    group_definitions,
    text_of,
    topic_definitions,
)

# Properties that stand for each other, the finest first.
FAMILIES: tuple[tuple[str, ...], ...] = (
    ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
    ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    ("log.roll.ms", "log.roll.hours"),
)
FAMILY: Mapping[str, tuple[str, ...]] = {name: family for family in FAMILIES for name in family}
# Quotas that exist only as dynamic properties.
TOLD_WHEN_SET = frozenset(
    (
        "follower.replication.throttled.rate",
        "leader.replication.throttled.rate",
        "replica.alter.log.dirs.io.max.bytes.per.second",
    )
)
CLIENT_METRICS_TYPES: Mapping[str, str] = {"interval.ms": "INT", "match": "LIST", "metrics": "LIST"}
CLIENT_METRICS_DEFAULTS: Mapping[str, str] = {"interval.ms": "300000", "match": "", "metrics": ""}


class Origin(IntEnum):
    """Where a value comes from, by its number on the wire."""

    TOPIC = 1
    BROKER = 2
    ALL_BROKERS = 3
    STATIC = 4
    DEFAULT = 5
    LOGGER = 6
    CLIENT_METRICS = 7
    GROUP = 8


class Synonym(NamedTuple):
    """One layer below a value."""

    name: str
    value: str | None
    source: int


class Row(NamedTuple):
    """A property as it is told; sensitive values are not."""

    name: str
    value: str | None
    source: int
    is_read_only: bool = False
    is_sensitive: bool = False
    type: int = 0
    synonyms: tuple[Synonym, ...] = ()


def topic_rows(configs: Configs, own: Mapping[str, str]) -> list[Row]:
    """Every property of a topic that has these of its own."""
    return [
        _topic_row(configs, own, definition)
        for definition in topic_definitions().values()
        if _told(definition)
    ]


def _told(definition: Definition) -> bool:
    return not definition.name.startswith("internal.")


def _topic_row(configs: Configs, own: Mapping[str, str], definition: Definition) -> Row:
    name = definition.name
    synonyms = [Synonym(name, own[name], Origin.TOPIC)] if name in own else []
    if definition.synonyms:
        synonyms += broker_layers(configs, definition.synonyms[0][0])
    value = own.get(name)
    if value is None:
        value = text_of(configs.topic_value(own, name))
    source = synonyms[0].source if synonyms else Origin.DEFAULT
    return Row(name, value, source, type=TYPE_CODES[definition.type], synonyms=tuple(synonyms))


def broker_layers(configs: Configs, name: str) -> list[Synonym]:
    """What is set for a property of the broker and for those that stand for it, nearest first. Kafka tells
    nothing at all where no layer has the property itself."""
    family = FAMILY.get(name, (name,))
    found: list[Synonym] = []
    for layer, source in (
        (configs.own, Origin.BROKER),
        (configs.shared, Origin.ALL_BROKERS),
        (configs.given, Origin.STATIC),
    ):
        found += [Synonym(each, layer[each], source) for each in family if each in layer]
    defaults = ((each, broker_definitions()[each].default) for each in family)
    found += [Synonym(each, default, Origin.DEFAULT) for each, default in defaults if default is not None]
    return list(dropwhile(lambda synonym: synonym.name != name, found))


def broker_rows(configs: Configs) -> list[Row]:
    """Every property of a broker."""
    set_now = {**configs.given, **configs.shared, **configs.own}
    rows = [
        _broker_row(configs, definition)
        for name, definition in broker_definitions().items()
        if name not in TOLD_WHEN_SET or name in set_now
    ]
    for name in {**configs.shared, **configs.own}:
        if name not in broker_definitions():
            source = Origin.BROKER if name in configs.own else Origin.ALL_BROKERS
            # Nobody knows what it is: it might be a password.
            rows.append(Row(name, None, source, True, True, 0, (Synonym(name, None, source),)))  # noqa: FBT003
    return rows


def _broker_row(configs: Configs, definition: Definition) -> Row:
    name = definition.name
    layers = broker_layers(configs, name)
    if definition.is_sensitive:
        layers = [layer._replace(value=None) for layer in layers]
    value = None if definition.is_sensitive else configs.text(name)
    source = layers[0].source if layers else Origin.DEFAULT
    return Row(
        name, value, source, definition.mode == "r", definition.is_sensitive, TYPE_CODES[definition.type],
        tuple(layers),
    )  # fmt: skip


def shared_rows(configs: Configs) -> list[Row]:
    """The dynamic properties of all brokers."""
    rows: list[Row] = []
    for name, value in configs.shared.items():
        definition = broker_definitions().get(name)
        is_sensitive = definition is None or definition.is_sensitive
        told = None if is_sensitive else value
        code = TYPE_CODES[definition.type] if definition else 0
        synonym = Synonym(name, told, Origin.ALL_BROKERS)
        rows.append(Row(name, told, Origin.ALL_BROKERS, False, is_sensitive, code, (synonym,)))  # noqa: FBT003
    return rows


def group_rows(configs: Configs, own: Mapping[str, str]) -> list[Row]:
    """Every property of a group that has these of its own; the broker's "group.NAME" fills in."""
    rows: list[Row] = []
    for name, definition in group_definitions().items():
        synonyms = [Synonym(name, own[name], Origin.GROUP)] if name in own else []
        broker_name = f"group.{name}"
        if broker_name in broker_definitions():
            synonyms += broker_layers(configs, broker_name)
        elif definition.default is not None:
            synonyms.append(Synonym(name, definition.default, Origin.DEFAULT))
        value = synonyms[0].value if synonyms else definition.default
        source = synonyms[0].source if synonyms else Origin.DEFAULT
        rows.append(Row(name, value, source, type=TYPE_CODES[definition.type], synonyms=tuple(synonyms)))
    return rows


def client_metrics_rows(own: Mapping[str, str]) -> list[Row]:
    """The properties of a subscription to clients' metrics."""
    rows: list[Row] = []
    for name, kind in CLIENT_METRICS_TYPES.items():
        if name in own:
            synonym = Synonym(name, own[name], Origin.CLIENT_METRICS)
            rows.append(
                Row(name, own[name], Origin.CLIENT_METRICS, type=TYPE_CODES[kind], synonyms=(synonym,))
            )
        else:
            rows.append(Row(name, CLIENT_METRICS_DEFAULTS[name], Origin.DEFAULT, type=TYPE_CODES[kind]))
    return rows
