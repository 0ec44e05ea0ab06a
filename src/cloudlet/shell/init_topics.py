"""The topics of an init file, made by the broker's own rules.

State   none: what is made are ordinary topics
Source  docs/cli.md, "The init file"
Absent  none
"""

from __future__ import annotations

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.create_topics import creation_of
from cloudlet.kafka.faults import KafkaFault
from cloudlet.shell.init_file import TopicWanted


class Differs(Exception):
    """A topic is refused, or is there and differs; the message says what."""


async def make_topic(broker: Broker, wanted: TopicWanted) -> bool:
    """Make a topic unless it is there, as wanted. Differs."""
    there = broker.topics.by_name.get(wanted.name)
    if there is None:
        try:
            assignments, configs = creation_of(
                broker, wanted.name, count=wanted.partitions or -1, configs=wanted.configs
            )
            await broker.create_topic(wanted.name, assignments, configs)
        except KafkaFault as fault:
            raise Differs(f"{fault.code.name}: {fault.message}") from None
        return True
    if wanted.partitions not in (None, len(there.states)):
        raise Differs(
            f"partitions: it is there with {len(there.states)}, and the file says {wanted.partitions}"
        )
    for name, value in wanted.configs.items():
        if there.configs.get(name) != value:
            raise Differs(
                f"configs.{name}: it is there with {there.configs.get(name)!r}, and the file says {value!r}"
            )
    return False
