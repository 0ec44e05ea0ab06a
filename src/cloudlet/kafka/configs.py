"""Configuration: what a property may hold, and what holds for a broker or a topic.

State   ("kafka", "config", type, name) -> ConfigRecord: the dynamic properties of a broker (its id, or "" for
        all), of a group, of client metrics; a topic's stand in its own record (topics.py)
Source  Apache Kafka 4.3: the ConfigDef types and validators and their texts; broker, topic and group synonyms
Absent  config providers

Where a topic's property is not set, the broker's of its kind holds, and so on down:

    topic's own  ▷  dynamic, this broker  ▷  dynamic, all brokers  ▷  given at start  ▷  default
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec

from cloudlet.aws.record import Record
from cloudlet.kafka.config_table import BROKER_PROPERTIES, GROUP_PROPERTIES, TOPIC_PROPERTIES
from cloudlet.kafka.share.offset_reset import parse_offset_reset

TYPE_CODES = {
    "BOOLEAN": 1, "STRING": 2, "INT": 3, "SHORT": 4, "LONG": 5,
    "DOUBLE": 6, "LIST": 7, "CLASS": 8, "PASSWORD": 9,
}  # fmt: skip

INTEGER_BITS = {"SHORT": 15, "INT": 31, "LONG": 63}

# What differs from Kafka's defaults, as if server.properties said so: the internal topics of one broker, and
# a rebalance that nobody waits seconds for.
SHIPPED: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "100",
}

# A broker's properties that others of a coarser unit stand in for, finest first.
BROKER_SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "log.roll.ms": ("log.roll.ms", "log.roll.hours"),
    "log.roll.jitter.ms": ("log.roll.jitter.ms", "log.roll.jitter.hours"),
    "log.retention.ms": ("log.retention.ms", "log.retention.minutes", "log.retention.hours"),
    "log.flush.interval.ms": ("log.flush.interval.ms", "log.flush.scheduler.interval.ms"),
}

LIMIT_PER_ADDRESS, LIMIT_OVERRIDES = "max.connections.per.ip", "max.connections.per.ip.overrides"
THROTTLED = re.compile(r"\d+:\d+")


class ConfigRecord(Record):
    """The dynamic properties of one resource that is no topic."""

    configs: dict[str, str] = msgspec.field(default_factory=dict)


class InvalidConfig(ValueError):
    """A value that a property does not take; the message is Kafka's."""


class Definition(NamedTuple):
    """A property: `default` None where there is none, `mode` r(ead-only), p(er broker) or c(luster-wide)."""

    name: str
    type: str
    default: str | None
    rule: str
    mode: str
    synonyms: tuple[tuple[str, int], ...]

    @property
    def is_sensitive(self) -> bool:
        return self.type == "PASSWORD"

    @property
    def is_list(self) -> bool:
        return self.type == "LIST"


Value = bool | int | float | str | tuple[str, ...]


def _definitions(text: str) -> Mapping[str, Definition]:
    found: dict[str, Definition] = {}
    for line in text.splitlines():
        name, kind, default, rule, *last = line.split(" ")
        mode = "c"
        synonyms: tuple[tuple[str, int], ...] = ()
        if last and len(last[0]) == 1 and last[0] != "-":
            mode = last[0]
        elif last and last[0] != "-":
            synonyms = tuple(_factored(part) for part in last[0].split(","))
        given = None if default in ("~", "!") else "" if default == '""' else default
        found[name] = Definition(name, kind, given, rule, mode, synonyms)
    return found


def _factored(text: str) -> tuple[str, int]:
    name, _, factor = text.partition("*")
    return name, int(factor or 1)


@lru_cache(maxsize=1)
def broker_definitions() -> Mapping[str, Definition]:
    """Every property of a broker, by name."""
    return _definitions(BROKER_PROPERTIES)


@lru_cache(maxsize=1)
def topic_definitions() -> Mapping[str, Definition]:
    """Every property of a topic, by name."""
    return _definitions(TOPIC_PROPERTIES)


@lru_cache(maxsize=1)
def group_definitions() -> Mapping[str, Definition]:
    """Every property of a group, by name."""
    return _definitions(GROUP_PROPERTIES)


def parse(definition: Definition, text: str) -> Value:
    """A property's value; InvalidConfig with Kafka's words."""
    trimmed = text.strip()
    kind = definition.type
    value: Value = trimmed
    if kind == "BOOLEAN":
        if trimmed.lower() not in ("true", "false"):
            raise _invalid(definition, text, "Expected value to be either true or false")
        return trimmed.lower() == "true"
    if kind in INTEGER_BITS:
        value = _integer(definition, trimmed, INTEGER_BITS[kind])
    elif kind == "DOUBLE":
        value = _double(definition, trimmed)
    elif kind == "LIST":
        value = split_list(trimmed)
    _check_rule(definition, value)
    return value


def split_list(text: str) -> tuple[str, ...]:
    """The elements of a list property."""
    trimmed = text.strip()
    return tuple(part.strip() for part in trimmed.split(",")) if trimmed else ()


def _integer(definition: Definition, text: str, bits: int) -> int:
    # ASCII digits alone: int() would take underscores and other scripts' digits, which Java refuses.
    if not re.fullmatch(r"[+-]?[0-9]{1,20}", text) or not -(1 << bits) <= int(text) < 1 << bits:
        raise _invalid(definition, text, f"Not a number of type {definition.type}")
    return int(text)


def _double(definition: Definition, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise _invalid(definition, text, "Not a number of type DOUBLE") from None


def _check_rule(definition: Definition, value: Value) -> None:
    kind, _, rest = definition.rule.partition(":")
    if kind == "-":
        return
    if kind == "offset-reset":
        try:
            parse_offset_reset(str(value))
        except ValueError:
            raise _invalid(
                definition,
                value,
                f"Invalid value `{value}` for configuration {definition.name}. The value must be either "
                "'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
            ) from None
    if kind == "one" and value not in rest.split("|"):
        raise _invalid(definition, value, f"String must be one of: {', '.join(rest.split('|'))}")
    if kind == "any-case" and str(value).upper() not in rest.split("|"):
        raise _invalid(
            definition, value, f"String must be one of (case insensitive): {', '.join(rest.split('|'))}"
        )
    if kind == "of" and isinstance(value, tuple):
        for part in value:
            if part not in rest.split("|"):
                raise _invalid(definition, part, f"String must be one of: {', '.join(rest.split('|'))}")
    if kind == "filled" and value == "":
        raise _invalid(definition, value, "String must be non-empty")
    if kind == "throttled" and isinstance(value, tuple) and value != ("*",):
        _check_throttled(definition, value)
    if isinstance(value, int | float):
        _check_range(definition, value)


def _check_range(definition: Definition, value: float) -> None:
    if definition.rule == "1..9|-1":
        if value != -1 and not 1 <= value <= 9:
            raise _invalid(definition, value, "Value must be between 1 and 9 or equal to -1")
        return
    low, dots, high = definition.rule.partition("..")
    if not dots:
        return
    if low and value < float(low):
        raise _invalid(definition, value, f"Value must be at least {low}")
    if high and (value > float(high) or math.isnan(value)):
        raise _invalid(definition, value, f"Value must be no more than {high}")


def _check_throttled(definition: Definition, value: tuple[str, ...]) -> None:
    for part in value:
        if not THROTTLED.fullmatch(part):
            raise _invalid(
                definition,
                f"[{', '.join(value)}]",
                f"{definition.name} must be the literal '*' or a list of replicas in the following format: "
                "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
            )


def _invalid(definition: Definition, value: object, why: str) -> InvalidConfig:
    return InvalidConfig(f"Invalid value {value} for configuration {definition.name}: {why}")


def text_of(value: object) -> str:
    """A value as Kafka writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value)


def check_topic(configs: Mapping[str, str]) -> None:
    """Raise InvalidConfig for a topic's properties that Kafka would refuse."""
    known = topic_definitions()
    for name in configs:
        if name not in known:
            raise InvalidConfig(f"Unknown topic config name: {name}")
    values = {name: parse(known[name], text) for name, text in configs.items()}
    least, most = values.get("min.compaction.lag.ms"), values.get("max.compaction.lag.ms")
    if isinstance(least, int) and isinstance(most, int) and least > most:
        raise InvalidConfig(
            f"conflict topic config setting min.compaction.lag.ms ({least}) > max.compaction.lag.ms ({most})"
        )
    if values.get("remote.storage.enable"):
        raise InvalidConfig(
            "Tiered Storage functionality is disabled in the broker. "
            "Topic cannot be configured with remote log storage."
        )


UNKNOWN = "Unknown broker property"
AUTHORIZER_PROPERTIES = frozenset({"super.users", "allow.everyone.if.no.acl.found"})
"""What the authorizer reads of a broker's properties, which are none of the broker's own."""


def check_given(properties: Mapping[str, str]) -> None:
    """Raise InvalidConfig for what a broker cannot be started with; names that are not Kafka's too, as a
    misspelt one would change nothing."""
    known = broker_definitions()
    for name, text in properties.items():
        if name in AUTHORIZER_PROPERTIES:
            continue
        if name not in known:
            what = "Properties of single listeners are not served" if is_of_listener(name) else UNKNOWN
            raise InvalidConfig(f"{what}: {name}")
        parse(known[name], text)
        if name == LIMIT_OVERRIDES:
            limits_of(text)


def is_of_listener(name: str) -> bool:
    """Whether a property is one listener's, "listener.name.NAME.…"."""
    return name.startswith("listener.name.")


def limits_of(text: str) -> dict[str, int]:
    """Addresses with limits of their own, "127.0.0.1:100,[::1]:50"; InvalidConfig."""
    found: dict[str, int] = {}
    for part in split_list(text):
        address, colon, limit = part.rpartition(":")
        if not colon or not address.strip() or not re.fullmatch(r"\s*[0-9]{1,9}\s*", limit):
            raise InvalidConfig(
                f"Invalid value {text} for configuration {LIMIT_OVERRIDES}: {part} is no HOST:LIMIT"
            )
        found[address.strip().strip("[]")] = int(limit)
    return found


def check_together(properties: Mapping[str, str]) -> None:
    """Raise InvalidConfig for properties that do not go together."""
    overrides = limits_of(properties.get(LIMIT_OVERRIDES, ""))
    if properties.get(LIMIT_PER_ADDRESS, "1").strip() == "0" and not overrides:
        raise InvalidConfig(
            f"{LIMIT_PER_ADDRESS} can be set to zero only if {LIMIT_OVERRIDES} property is set."
        )


class Configs:
    """What holds for one broker. `given` is what it was started with; the dynamic properties are replaced
    whole when they change."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = {**SHIPPED, **given}
        self.own: Mapping[str, str] = {}
        self.shared: Mapping[str, str] = {}
        self._values: dict[str, Value | None] = {}

    def change(
        self, *, own: Mapping[str, str] | None = None, shared: Mapping[str, str] | None = None
    ) -> None:
        """Put dynamic properties in force, of this broker or of all."""
        self.own = self.own if own is None else own
        self.shared = self.shared if shared is None else shared
        self._values.clear()

    def text(self, name: str) -> str | None:
        """The text in force of exactly this property."""
        for layer in (self.own, self.shared, self.given):
            if name in layer:
                return layer[name]
        return broker_definitions()[name].default

    def value(self, name: str) -> Value | None:
        """The value in force, synonyms of a coarser unit considered; None for null."""
        if name not in self._values:
            self._values[name] = self._find(name)
        return self._values[name]

    def number(self, name: str) -> int:
        """A number that is never null."""
        value = self.value(name)
        assert isinstance(value, int), name
        return value

    def fraction(self, name: str) -> float:
        """A number with a fraction."""
        value = self.value(name)
        assert isinstance(value, int | float), name
        return float(value)

    def flag(self, name: str) -> bool:
        """A property that is true or false."""
        return self.value(name) is True

    def _find(self, name: str) -> Value | None:
        for synonym in BROKER_SYNONYMS.get(name, (name,)):
            text = self.text(synonym)
            if text is not None:
                value = parse(broker_definitions()[synonym], text)
                return value * _factor(name, synonym) if type(value) is int else value
        return None

    def topic_value(self, configs: Mapping[str, str], name: str) -> Value:
        """What holds for a topic with these properties of its own."""
        definition = topic_definitions()[name]
        if name in configs:
            return parse(definition, configs[name])
        if definition.synonyms:
            value = self.value(definition.synonyms[0][0])
            if value is not None:
                return value
        assert definition.default is not None, name
        return parse(definition, definition.default)

    def topic_number(self, configs: Mapping[str, str], name: str) -> int:
        """A number that holds for a topic."""
        value = self.topic_value(configs, name)
        assert isinstance(value, int), name
        return value


def _factor(name: str, synonym: str) -> int:
    """How many units of `name` make one of its synonym."""
    if not name.endswith(".ms"):
        return 1
    return {"s": 1, "minutes": 60_000, "hours": 3_600_000}.get(synonym.rpartition(".")[2], 1)
