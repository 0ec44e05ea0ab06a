"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources.

State   config_records.py for brokers, groups and client metrics; topics.py for topics
Source  Apache Kafka 4.3: ConfigAdminManager, ConfigurationControlManager, ConfigHelper, their errors and
        texts; KIP-226, KIP-339, KIP-1000, KIP-1142
Absent  broker loggers: refused by name; documentation of properties; clients' metrics are described and not
        gathered
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.config_records import IN_SYNC_MIN, ConfigType, store_configs, stored_configs, stored_names
from cloudlet.kafka.configs import (
    Definition,
    InvalidConfig,
    broker_definitions,
    check_together,
    check_topic,
    group_definitions,
    is_of_listener,
    parse,
    split_list,
    topic_definitions,
)
from cloudlet.kafka.described_configs import (
    CLIENT_METRICS_TYPES,
    Row,
    broker_rows,
    client_metrics_rows,
    group_rows,
    shared_rows,
    topic_rows,
)
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.topics import TopicImage, invalid_name
from cloudlet.kafka.turns import Turn
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

Described = messages.DescribeConfigsResponse.DescribeConfigsResult


class Op(IntEnum):
    """What an incremental change does to a property."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


LISTENING = frozenset({"listeners", "advertised.listeners", "listener.security.protocol.map"})

Change = tuple[str, int, str | None]
"""(name, Op, value)."""


# Describing


async def describe_configs(
    call: Call, request: messages.DescribeConfigsRequest
) -> messages.DescribeConfigsResponse:
    """The properties of each resource, all or those asked for by name."""
    results: list[Described] = []
    turn = Turn(call.broker.clock)
    for resource in request.Resources:
        if turn.is_over():
            await turn.end()
        try:
            rows: Iterable[Row] = _rows(call, resource.ResourceType, resource.ResourceName)
        except KafkaFault as fault:
            results.append(
                Described(
                    ErrorCode=fault.code,
                    ErrorMessage=fault.message,
                    ResourceType=resource.ResourceType,
                    ResourceName=resource.ResourceName,
                )
            )
            continue
        keys = resource.ConfigurationKeys
        if keys:  # Kafka takes an empty list for all of them
            wanted = set(keys)
            rows = [row for row in rows if row.name in wanted]
        results.append(
            Described(
                ErrorMessage="",
                ResourceType=resource.ResourceType,
                ResourceName=resource.ResourceName,
                Configs=[_told(row, with_synonyms=request.IncludeSynonyms) for row in rows],
            )
        )
    return messages.DescribeConfigsResponse(Results=results)


def _told(row: Row, *, with_synonyms: bool) -> messages.DescribeConfigsResponse.DescribeConfigsResourceResult:
    cls = messages.DescribeConfigsResponse
    return cls.DescribeConfigsResourceResult(
        Name=row.name,
        Value=row.value,
        ReadOnly=row.is_read_only,
        ConfigSource=row.source,
        IsSensitive=row.is_sensitive,
        Synonyms=[
            cls.DescribeConfigsSynonym(Name=synonym.name, Value=synonym.value, Source=synonym.source)
            for synonym in (row.synonyms if with_synonyms else ())
        ],
        ConfigType=row.type,
        Documentation=None,
    )


def _rows(call: Call, kind: int, name: str) -> list[Row]:
    broker = call.broker
    if kind == ConfigType.TOPIC:
        return topic_rows(broker.configs, _topic(call, name).configs)
    if kind == ConfigType.BROKER:
        if name == "":
            return shared_rows(broker.configs)
        _check_broker(call, name, "Broker", " or empty string,")
        return broker_rows(broker.configs)
    if kind == ConfigType.GROUP:
        if name == "":
            raise KafkaFault(ErrorCode.INVALID_REQUEST, "Group name must not be empty")
        return group_rows(broker.configs, stored_configs(broker.keys, ConfigType.GROUP, name))
    if kind == ConfigType.CLIENT_METRICS:
        if name == "":
            raise KafkaFault(ErrorCode.INVALID_REQUEST, "Client metrics subscription name must not be empty")
        return client_metrics_rows(stored_configs(broker.keys, ConfigType.CLIENT_METRICS, name))
    if kind == ConfigType.BROKER_LOGGER:
        _check_broker(call, name, "Broker", "")
        return []
    raise KafkaFault(ErrorCode.INVALID_REQUEST, f"Unsupported resource type: {kind}")


def _check_broker(call: Call, name: str, noun: str, also: str) -> None:
    if not (name.isascii() and name.isdigit()):
        raise KafkaFault(ErrorCode.INVALID_REQUEST, f"{noun} id must be an integer, but it is: {name}")
    if int(name) != call.broker.node_id:
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST,
            f"Unexpected broker id, expected {call.broker.node_id}{also} but received {name}",
        )


def _topic(call: Call, name: str) -> TopicImage:
    image = call.broker.topics.by_name.get(name)
    if image is None:
        why = invalid_name(name)
        if why is not None:
            raise KafkaFault(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {why}")
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, "")
    return image


def list_config_resources(
    call: Call, request: messages.ListConfigResourcesRequest
) -> messages.ListConfigResourcesResponse:
    """The resources that have properties; version 0 knows client metrics alone."""
    cls = messages.ListConfigResourcesResponse
    kinds = {ConfigType.CLIENT_METRICS}
    if call.api_version > 0:
        known = {int(kind) for kind in ConfigType}
        unknown = [kind for kind in request.ResourceTypes if kind not in known]
        if unknown:
            return cls(ErrorCode=ErrorCode.UNSUPPORTED_VERSION)
        kinds = {ConfigType(kind) for kind in request.ResourceTypes} or set(ConfigType)
    found: list[messages.ListConfigResourcesResponse.ConfigResource] = []
    for kind in sorted(kinds, reverse=True):
        if kind is ConfigType.TOPIC:
            names = list(call.broker.topics.by_name)
        elif kind in (ConfigType.BROKER, ConfigType.BROKER_LOGGER):
            names = [str(call.broker.node_id)]
        else:
            names = stored_names(call.broker.keys, kind)
        found += [cls.ConfigResource(ResourceName=name, ResourceType=kind) for name in names]
    return cls(ConfigResources=found)


# Changing


async def incremental_alter_configs(
    call: Call, request: messages.IncrementalAlterConfigsRequest
) -> messages.IncrementalAlterConfigsResponse:
    """Change some properties of each resource, each resource by itself."""
    cls = messages.IncrementalAlterConfigsResponse
    counts = Counter((resource.ResourceType, resource.ResourceName) for resource in request.Resources)
    results: list[messages.IncrementalAlterConfigsResponse.AlterConfigsResourceResponse] = []
    for resource in request.Resources:
        kind, name = resource.ResourceType, resource.ResourceName
        changes = [(config.Name, config.ConfigOperation, config.Value) for config in resource.Configs]
        code, message = await _altered(
            call, kind, name, changes, counts[kind, name], is_dry=request.ValidateOnly, is_whole=False
        )
        results.append(
            cls.AlterConfigsResourceResponse(
                ErrorCode=code, ErrorMessage=message, ResourceType=kind, ResourceName=name
            )
        )
    return cls(Responses=results)


async def alter_configs(call: Call, request: messages.AlterConfigsRequest) -> messages.AlterConfigsResponse:
    """Put other properties in the place of all that a resource had."""
    cls = messages.AlterConfigsResponse
    counts = Counter((resource.ResourceType, resource.ResourceName) for resource in request.Resources)
    results: list[messages.AlterConfigsResponse.AlterConfigsResourceResponse] = []
    for resource in request.Resources:
        kind, name = resource.ResourceType, resource.ResourceName
        changes = [(config.Name, int(Op.SET), config.Value) for config in resource.Configs]
        code, message = await _altered(
            call, kind, name, changes, counts[kind, name], is_dry=request.ValidateOnly, is_whole=True
        )
        results.append(
            cls.AlterConfigsResourceResponse(
                ErrorCode=code, ErrorMessage=message, ResourceType=kind, ResourceName=name
            )
        )
    return cls(Responses=results)


async def _altered(
    call: Call,
    kind: int,
    name: str,
    changes: Sequence[Change],
    count: int,
    *,
    is_dry: bool,
    is_whole: bool,
) -> tuple[int, str | None]:
    """(error code, message) of one resource's change."""
    try:
        if count > 1:
            raise KafkaFault(ErrorCode.INVALID_REQUEST, "Each resource must appear at most once.")
        await _alter(call, kind, name, changes, is_dry=is_dry, is_whole=is_whole)
    except InvalidConfig as error:
        return ErrorCode.INVALID_CONFIG, str(error)
    except KafkaFault as fault:
        return fault.code, fault.message or None
    return ErrorCode.NONE, None


async def _alter(
    call: Call, kind: int, name: str, changes: Sequence[Change], *, is_dry: bool, is_whole: bool
) -> None:
    if len({change[0] for change in changes}) < len(changes):
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "Error due to duplicate config keys")
    nulls = [key for key, op, value in changes if value is None and op != Op.DELETE]
    if nulls:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, f"Null value not supported for : {', '.join(nulls)}")
    if kind == ConfigType.TOPIC:
        await _alter_topic(call, name, changes, is_dry=is_dry, is_whole=is_whole)
    elif kind == ConfigType.BROKER:
        await _alter_broker(call, name, changes, is_dry=is_dry, is_whole=is_whole)
    elif kind in (ConfigType.GROUP, ConfigType.CLIENT_METRICS):
        await _alter_other(call, ConfigType(kind), name, changes, is_dry=is_dry, is_whole=is_whole)
    elif kind == ConfigType.BROKER_LOGGER:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "Levels of broker loggers are not changed here.")
    else:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, f"Unknown resource type {kind}")


def changed(
    old: Mapping[str, str],
    changes: Sequence[Change],
    definitions: Mapping[str, Definition],
    *,
    is_whole: bool,
) -> dict[str, str]:
    """The properties after the changes. InvalidConfig for an append to what is no list."""
    new = {} if is_whole else dict(old)
    for name, op, value in changes:
        if op == Op.DELETE:
            new.pop(name, None)
        elif op == Op.SET:
            new[name] = value or ""
        elif op in (Op.APPEND, Op.SUBTRACT):
            definition = definitions.get(name)
            if definition is None or not definition.is_list:
                raise InvalidConfig(f"Can't {Op(op).name} to key {name} because its type is not LIST.")
            parts = list(split_list(new.get(name, definition.default or "")))
            for part in split_list(value or ""):
                if op == Op.APPEND and part not in parts:
                    parts.append(part)
                elif op == Op.SUBTRACT and part in parts:
                    parts.remove(part)
            new[name] = ",".join(parts)
        else:
            raise KafkaFault(ErrorCode.INVALID_REQUEST, f"Unknown AlterConfigOp {op}")
    return new


async def _alter_topic(
    call: Call, name: str, changes: Sequence[Change], *, is_dry: bool, is_whole: bool
) -> None:
    if name == "":
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "Default topic resources are not allowed.")
    why = invalid_name(name)
    if why is not None:
        raise KafkaFault(ErrorCode.INVALID_TOPIC_EXCEPTION, f"Topic name is invalid: {why}")
    image = call.broker.topics.by_name.get(name)
    if image is None:
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, f"The topic '{name}' does not exist.")
    new = changed(image.configs, changes, topic_definitions(), is_whole=is_whole)
    check_topic(new)
    if not is_dry:
        await call.broker.configure_topic(image, new)


async def _alter_broker(
    call: Call, name: str, changes: Sequence[Change], *, is_dry: bool, is_whole: bool
) -> None:
    broker = call.broker
    if name:
        if not (name.isascii() and name.isdigit()):
            raise KafkaFault(ErrorCode.INVALID_REQUEST, f"Node id must be an integer, but it is: {name}")
        if int(name) != broker.node_id:
            raise KafkaFault(
                ErrorCode.INVALID_REQUEST,
                f"Unexpected broker id, expected {broker.node_id}, but received {name}",
            )
    definitions = broker_definitions()
    _check_dynamic(changes, is_for_all=not name)
    old = broker.configs.own if name else broker.configs.shared
    new = changed(old, changes, definitions, is_whole=is_whole)
    _check_in_sync(new, changes, is_for_all=not name)
    for key, value in new.items():
        if key in definitions:
            try:
                parse(definitions[key], value)
            except InvalidConfig as error:  # Kafka's broker says this before its controller is asked
                raise KafkaFault(ErrorCode.INVALID_REQUEST, str(error)) from None
    try:
        configs = broker.configs
        shared, own = (configs.shared, new) if name else (new, configs.own)
        check_together({**configs.given, **shared, **own})
    except InvalidConfig as error:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, str(error)) from None
    if not is_dry:
        await store_configs(broker.keys, broker.author(call.principal), ConfigType.BROKER, name, new)
        broker.change_configs()


def _check_in_sync(new: Mapping[str, str], changes: Sequence[Change], *, is_for_all: bool) -> None:
    """With eligible leader replicas (KIP-966), all brokers agree on how many replicas must be in sync."""
    if is_for_all and IN_SYNC_MIN not in new:
        raise InvalidConfig(f"Cluster-level {IN_SYNC_MIN} cannot be removed while ELR is enabled.")
    if not is_for_all and any(key == IN_SYNC_MIN for key, _, _ in changes):
        raise InvalidConfig(f"Broker-level {IN_SYNC_MIN} cannot be altered while ELR is enabled.")


def _check_dynamic(changes: Sequence[Change], *, is_for_all: bool) -> None:
    definitions = broker_definitions()
    listening = [key for key, _, _ in changes if is_of_listener(key) or key in LISTENING]
    if listening:  # Kafka would listen elsewhere from then on
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST, f"The listeners of a running broker stay: [{', '.join(listening)}]"
        )
    modes = {key: definitions[key].mode for key, _, _ in changes if key in definitions}
    fixed = [key for key, mode in modes.items() if mode == "r"]
    if fixed:
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST, f"Cannot update these configs dynamically: [{', '.join(fixed)}]"
        )
    single = [key for key, mode in modes.items() if mode == "p"]
    if is_for_all and single:
        raise KafkaFault(
            ErrorCode.INVALID_REQUEST,
            "Cannot update these configs at default cluster level, broker id must be specified: "
            f"[{', '.join(single)}]",
        )


async def _alter_other(
    call: Call,
    kind: ConfigType,
    name: str,
    changes: Sequence[Change],
    *,
    is_dry: bool,
    is_whole: bool,
) -> None:
    """Change the properties of a group, or of a subscription to clients' metrics."""
    noun = "group" if kind is ConfigType.GROUP else "client-metrics"
    if name == "":
        raise KafkaFault(ErrorCode.INVALID_REQUEST, f"Default {noun} resources are not allowed.")
    keys = call.broker.keys
    definitions = group_definitions() if kind is ConfigType.GROUP else _client_metrics_definitions()
    new = changed(stored_configs(keys, kind, name), changes, definitions, is_whole=is_whole)
    for key, value in new.items():
        if key not in definitions:
            what = "group config" if kind is ConfigType.GROUP else "client metrics configuration"
            raise InvalidConfig(
                f"Unknown {what} name: {key}" if noun == "group" else f"Unknown {what}: {key}"
            )
        parse(definitions[key], value)
    if kind is ConfigType.GROUP:
        _check_group_bounds(call, new)
    if not is_dry:
        await store_configs(keys, call.broker.author(call.principal), kind, name, new)


def _client_metrics_definitions() -> Mapping[str, Definition]:
    return {name: Definition(name, kind, None, "-", "c", ()) for name, kind in CLIENT_METRICS_TYPES.items()}


def _check_group_bounds(call: Call, configs: Mapping[str, str]) -> None:
    """A group's timeouts stay within what the broker allows."""
    known = broker_definitions()
    for name, value in configs.items():
        family, _, rest = name.partition(".")
        least, most = f"group.{family}.min.{rest}", f"group.{family}.max.{rest}"
        if least in known and int(value) < call.broker.configs.number(least):
            raise InvalidConfig(f"{name} must be greater than or equal to {least}")
        if most in known and int(value) > call.broker.configs.number(most):
            raise InvalidConfig(f"{name} must be less than or equal to {most}")
    for family in ("consumer", "share", "streams"):
        names = (f"{family}.session.timeout.ms", f"{family}.heartbeat.interval.ms")
        if configs.keys() & set(names):
            session, interval = (
                int(configs[name]) if name in configs else call.broker.configs.number(f"group.{name}")
                for name in names
            )
            if session <= interval:
                raise InvalidConfig(f"{names[0]} must be greater than {names[1]}")


HANDLERS: dict[int, Handler] = {
    32: describe_configs,
    33: alter_configs,
    44: incremental_alter_configs,
    74: list_config_resources,
}
