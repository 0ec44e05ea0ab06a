"""A broker: what its handlers share, and its life from start to silence.

State   topics.py, config_records.py and the parts say what they own; the logs kafka/NODE/TOPIC-INDEX
Source  docs/architecture.md, "Kafka"
Absent  more than one broker

Theory of operation
    A partition is opened at its first use: a broker with ten thousand of them starts as fast as one with ten.
    Topics are deleted in the keys first and their logs after; a crash in between leaves logs that no topic
    names, which the next start drops. A topic that is made anew under the name of one whose logs are still
    being dropped waits for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from cloudlet.aws.drive import Rest, begin, finish
from cloudlet.kafka.call import Part, Peer
from cloudlet.kafka.config_records import load_configs
from cloudlet.kafka.configs import Configs, text_of, topic_definitions
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.log_settings import LogSettings
from cloudlet.kafka.partition import Partition
from cloudlet.kafka.topics import (
    INTERNAL_TOPICS,
    OFFSETS_TOPIC,
    TRANSACTIONS_TOPIC,
    TopicImage,
    Topics,
)
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Keys
from cloudlet.kernel.logs import LogName, Logs
from cloudlet.kernel.partition_logs import PartitionLogs
from cloudlet.wire.kafka.error_codes import ErrorCode

if TYPE_CHECKING:
    from cloudlet.kafka.security.authentication import Authenticator

NODE_ID = 1
DROP_SLICE = 20  # logs dropped in one turn of the loop

P = TypeVar("P", bound=Part)


class Broker:
    """One broker over the stores; `go_on` before requests, `silence` before the stores change beneath."""

    def __init__(
        self,
        keys: Keys,
        logs: Logs,
        partition_logs: PartitionLogs,
        clock: Clock,
        ids: Ids,
        *,
        cluster_id: str,
        properties: Mapping[str, str] | None = None,
        node_id: int = NODE_ID,
    ) -> None:
        self.keys = keys
        self.logs = logs
        self.partition_logs = partition_logs
        self.clock = clock
        self.ids = ids
        self.node_id = node_id
        self.cluster_id = cluster_id
        self.log_dir = ""  # the folder of its logs
        self.disk_bytes: Callable[[], tuple[int, int]] = lambda: (-1, -1)  # (all, usable) of its disk
        self.unread_bytes: Callable[[], int] = lambda: 0  # of answers that wait for their clients to read
        self.served: frozenset[int] = frozenset()  # API keys
        self.address = ""  # HOST:PORT that clients are told who did not dial one themselves
        self.is_advertised = False  # all clients are told `address`
        self.advertised: Mapping[str, str] = {}  # listener -> HOST:PORT that its clients are told
        self.configs = Configs({"node.id": str(node_id), "broker.id": str(node_id), **(properties or {})})
        self.authenticator: Authenticator | None = None  # where clients have to say who they are
        self.topics = Topics(keys, self.author())
        self._parts: dict[type, Part] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_deleted: list[Callable[[str], None]] = []
        self._dropping: dict[str, asyncio.Task[None]] = {}

    # Life

    def go_on(self, parts: Sequence[type[Part]] = ()) -> None:
        """Take in what the stores hold, and start the parts."""
        load_configs(self.keys, self.configs, self.node_id)
        self.topics.load()
        self._drop_strays()
        for kind in parts:
            self.part(kind)

    async def silence(self) -> None:
        """Stop the parts, let go of the partitions, forget what was derived."""
        for part in list(self._parts.values()):
            await part.close()
        self._parts.clear()
        self._on_deleted.clear()
        tasks = [*self._tasks, *self._dropping.values()]
        if tasks:
            await asyncio.wait(tasks)
        for image in self.topics.by_name.values():
            self._let_go(image)

    def _drop_strays(self) -> None:
        """Drop the logs that no topic names: a deletion was cut off."""
        prefix = self.log_prefix
        strays: dict[str, list[LogName]] = {}
        for log in self.logs.names(prefix):
            topic, _, index = log[len(prefix) :].rpartition("-")
            image = self.topics.by_name.get(topic)
            if image is None or not index.isdigit() or int(index) >= len(image.states):
                strays.setdefault(topic, []).append(log)
        for topic, logs in strays.items():
            self._drop(topic, logs)

    # Where clients find it

    def endpoint(self, peer: Peer) -> tuple[str, int]:
        """The (host, port) by which a client finds this broker: what it dialled, unless names are
        advertised."""
        address = self.advertised.get(peer.listener)
        if address is None:
            address = self.address if self.is_advertised or not peer.local_address else peer.local_address
        host, _, port = address.rpartition(":")
        return host.strip("[]"), int(port)

    # Parts

    def part(self, kind: type[P]) -> P:
        """The one part of a kind, made and started at first use."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)
            found.start()
        assert isinstance(found, kind)
        return found

    def author(self, principal: str = "", address: str = "") -> Author:
        """Who writes the broker's commits."""
        return Author("kafka", principal, address)

    # Partitions

    def partition(self, topic: str, index: int) -> Partition:
        """A partition that this broker leads; KafkaFault."""
        image = self.topics.by_name.get(topic)
        if image is None:
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return self.open(image, index)

    def open(self, image: TopicImage, index: int) -> Partition:
        """The partition of a topic, its log opened at first use. KafkaFault where there is no such partition,
        or another broker leads it; StoreError."""
        if not 0 <= index < len(image.states):
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        found = image.opened[index]
        if found is not None:
            return found
        if self.topics.by_id.get(image.id) is not image:  # deleted since it was looked up
            raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        state = image.states[index]
        if state.leader != self.node_id:
            raise KafkaFault(ErrorCode.NOT_LEADER_OR_FOLLOWER)
        found = image.opened[index] = Partition.open(
            self.partition_logs,
            self.log_name(image.name, index),
            image.name,
            index,
            image.id,
            self.settings(image),
            self.clock,
            broker_id=self.node_id,
            leader_epoch=state.leader_epoch,
        )
        if found.leader_epoch > state.leader_epoch:
            self._follow_log(image, index, found.leader_epoch)
        return found

    def _follow_log(self, image: TopicImage, index: int, leader_epoch: int) -> None:
        """The log is in a later epoch than the keys say: it was cut when a checkpoint was brought back.
        Clients must be told the later one."""
        state = msgspec.structs.replace(image.states[index], leader_epoch=leader_epoch)
        rest = begin(self.topics.put_state(image, index, state))
        if isinstance(rest, Rest):
            self._later(finish(rest))

    def _later(self, work: Coroutine[object, None, None]) -> None:
        """Let something be done beside the request that asked for it; `silence` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def size(self, image: TopicImage, index: int) -> int:
        """Bytes of a partition's log."""
        opened = image.opened[index]
        return opened.size_bytes if opened else self.logs.size(self.log_name(image.name, index))

    def settings(self, image: TopicImage) -> LogSettings:
        """What holds for the logs of a topic; kept until a property changes."""
        if image.settings is None:
            values: dict[str, str | None] = {
                name: text_of(self.configs.topic_value(image.configs, name))
                for name in topic_definitions()
                if not name.startswith("internal.")
            }
            # Kafka never asks for more in-sync replicas than a partition has (Partition.effectiveMinIsr).
            wanted = self.configs.topic_number(image.configs, "min.insync.replicas")
            values["min.insync.replicas"] = str(min(wanted, len(image.states[0].replicas)))
            values["producer.id.expiration.ms"] = str(self.configs.number("producer.id.expiration.ms"))
            image.settings = LogSettings.from_configs(values)
        return image.settings

    # Topics

    @property
    def log_prefix(self) -> str:
        return f"kafka/{self.node_id}/"

    def log_name(self, topic: str, index: int) -> LogName:
        """The log of a partition in the logs store."""
        return LogName(f"{self.log_prefix}{topic}-{index}")

    async def create_topic(
        self, name: str, assignments: Sequence[Sequence[int]], configs: Mapping[str, str]
    ) -> TopicImage:
        """Make a topic; Conflict if there is one."""
        await self.dropped(name)
        return await self.topics.create(name, self.ids.token(16), assignments, configs)

    def on_topic_deleted(self, callback: Callable[[str], None]) -> None:
        """Tell a part, until the broker is silenced, the name of each topic that has been deleted."""
        self._on_deleted.append(callback)

    async def delete_topic(self, image: TopicImage) -> None:
        """Delete a topic; its logs go in the background."""
        await self.topics.delete(image)
        self._let_go(image)
        have = set(self.logs.names(f"{self.log_prefix}{image.name}-"))
        self._drop(
            image.name,
            [log for index in range(len(image.states)) if (log := self.log_name(image.name, index)) in have],
        )
        for callback in self._on_deleted:
            callback(image.name)

    async def configure_topic(self, image: TopicImage, configs: Mapping[str, str]) -> None:
        """Put other properties of a topic in force, for its open partitions too."""
        await self.topics.configure(image, configs)
        self._refresh(image)

    def change_configs(self) -> None:
        """Put the dynamic properties that the keys hold in force."""
        load_configs(self.keys, self.configs, self.node_id)
        for image in self.topics.by_name.values():
            self._refresh(image)

    def _refresh(self, image: TopicImage) -> None:
        """Tell the open partitions of a topic what holds for them now."""
        image.settings = None
        for partition in image.opened:
            if partition is not None:
                partition.configure(self.settings(image))

    async def dropped(self, name: str) -> None:
        """Wait until the logs of a deleted topic of this name have gone."""
        task = self._dropping.get(name)
        if task is not None:
            await asyncio.shield(task)

    def _drop(self, name: str, logs: Sequence[LogName]) -> None:
        if logs:
            task = asyncio.get_running_loop().create_task(self._drop_logs(logs, self._dropping.get(name)))
            self._dropping[name] = task
            task.add_done_callback(lambda done: self._forget_drop(name, done))

    def _forget_drop(self, name: str, task: asyncio.Task[None]) -> None:
        if self._dropping.get(name) is task:
            del self._dropping[name]

    async def _drop_logs(self, logs: Sequence[LogName], before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await before
        for count, log in enumerate(logs):
            await self.logs.drop(log)
            if count % DROP_SLICE == DROP_SLICE - 1:
                await asyncio.sleep(0)

    def _let_go(self, image: TopicImage) -> None:
        for partition in image.opened:
            if partition is not None:
                partition.close()
        image.opened = [None] * len(image.opened)

    def spread(self, partitions: int) -> list[tuple[int, ...]]:
        """Replicas for new partitions: this broker has them all."""
        return [(self.node_id,)] * partitions

    async def internal_topic(self, name: str) -> TopicImage:
        """An internal topic, made at first use with the properties that Kafka gives it."""
        assert name in INTERNAL_TOPICS, name
        image = self.topics.by_name.get(name)
        if image is None:
            count, configs = self._internal_shape(name)
            image = await self.create_topic(name, self.spread(count), configs)
        return image

    def _internal_shape(self, name: str) -> tuple[int, dict[str, str]]:
        number = self.configs.number
        if name == OFFSETS_TOPIC:
            return number("offsets.topic.num.partitions"), {
                "cleanup.policy": "compact",
                "segment.bytes": str(number("offsets.topic.segment.bytes")),
                "compression.type": "producer",
            }
        if name == TRANSACTIONS_TOPIC:
            return number("transaction.state.log.num.partitions"), {
                "compression.type": "uncompressed",
                "cleanup.policy": "compact",
                "min.insync.replicas": str(number("transaction.state.log.min.isr")),
                "segment.bytes": str(number("transaction.state.log.segment.bytes")),
                "unclean.leader.election.enable": "false",
            }
        return number("share.coordinator.state.topic.num.partitions"), {
            "cleanup.policy": "delete",
            "compression.type": "uncompressed",
            "segment.bytes": str(number("share.coordinator.state.topic.segment.bytes")),
            "retention.ms": "-1",
        }
