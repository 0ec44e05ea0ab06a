"""The dynamic properties of brokers, groups and client metrics, as they are kept in keys.

State   ("kafka", "config", type, name) -> ConfigRecord; a broker's name is its id, or "" for all
Source  Apache Kafka 4.3, ConfigResource
Absent  a topic's properties: they stand in its own record (topics.py)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from cloudlet.aws.record import decoder, encode
from cloudlet.kafka.configs import ConfigRecord, Configs, broker_definitions
from cloudlet.kernel.keys import Author, Commit, Drop, Keys, Put
from cloudlet.kernel.tuples import pack, prefix_range, unpack

IN_SYNC_MIN = "min.insync.replicas"


class ConfigType(IntEnum):
    """The kinds of resources that have properties, by their number on the wire."""

    TOPIC = 2
    BROKER = 4
    BROKER_LOGGER = 8
    CLIENT_METRICS = 16
    GROUP = 32


def key_of(kind: ConfigType, name: str) -> bytes:
    return pack(("kafka", "config", int(kind), name))


def stored_configs(keys: Keys, kind: ConfigType, name: str) -> Mapping[str, str]:
    """The dynamic properties of a resource; none for one that is not known."""
    entry = keys.get(key_of(kind, name))
    return decoder(ConfigRecord).decode(entry.value).configs if entry else {}


def stored_names(keys: Keys, kind: ConfigType) -> list[str]:
    """The resources of a kind that have dynamic properties."""
    entries = keys.scan(*prefix_range(("kafka", "config", int(kind))))
    return [str(unpack(entry.key)[3]) for entry in entries]


async def store_configs(
    keys: Keys, author: Author, kind: ConfigType, name: str, configs: Mapping[str, str]
) -> None:
    """Keep the dynamic properties of a resource; without any it is forgotten."""
    key = key_of(kind, name)
    if configs:
        await keys.commit(Commit(author, put=(Put(key, encode(ConfigRecord(dict(configs)))),)))
    else:
        await keys.commit(Commit(author, drop=(Drop(key),)))


def load_configs(keys: Keys, configs: Configs, node_id: int) -> None:
    """Put what is kept for a broker in force.

    With eligible leader replicas (KIP-966, on in a cluster of Kafka 4.1 and later), the controller keeps the
    least number of in-sync replicas as a property of all brokers from the start, and DescribeConfigs tells
    of it as one that somebody has set."""
    given = configs.given.get(IN_SYNC_MIN, broker_definitions()[IN_SYNC_MIN].default)
    configs.change(
        own=stored_configs(keys, ConfigType.BROKER, str(node_id)),
        shared={IN_SYNC_MIN: given or "1", **stored_configs(keys, ConfigType.BROKER, "")},
    )
