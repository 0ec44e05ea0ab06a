"""Topics and the states of their partitions: guarded commits of keys, and an image of them in memory.

State   ("kafka", "topic", name)             -> Topic
        ("kafka", "partition", name, index)  -> PartitionState
Source  Apache Kafka 4.3: TopicRecord, PartitionRecord, ReplicationControlManager; KIP-516 (topic ids)
Absent  more than one replica

Theory of operation
    The image (`Topics`) is what the handlers read; it changes only after the commit that it reflects. A topic
    of a thousand partitions is more than one commit takes, so the states of partitions are put first, and the
    topic's own key makes them visible: a state counts if its topic has its id and a higher partition count.

        create   states ▷ states ▷ topic (expected absent)
        grow     states ▷ topic with the new count (expected unchanged)
        delete   topic and the range of its states, in one

    A crash between two leaves states that nothing refers to; the next topic of that name writes over them.
    `epoch` counts the changes of the image: what is derived from it (an encoded Metadata response) is good as
    long as its epoch is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws.record import Record, decoder, encode
from cloudlet.kernel.keys import Author, Commit, Compare, Drop, Guard, Keys, Put, Target
from cloudlet.kernel.tuples import pack, prefix_range, unpack

if TYPE_CHECKING:
    from cloudlet.kafka.log_settings import LogSettings
    from cloudlet.kafka.partition import Partition

OFFSETS_TOPIC = "__consumer_offsets"
TRANSACTIONS_TOPIC = "__transaction_state"
SHARE_STATE_TOPIC = "__share_group_state"
INTERNAL_TOPICS = frozenset((OFFSETS_TOPIC, TRANSACTIONS_TOPIC, SHARE_STATE_TOPIC))

NO_ID = bytes(16)
NAME_CHARACTERS_MAX = 249
STATES_PER_COMMIT = 100
LEGAL_NAME = re.compile(r"[a-zA-Z0-9._-]+")


class Topic(Record):
    """A topic; `partitions` counts them."""

    id: bytes
    partitions: int
    configs: dict[str, str] = msgspec.field(default_factory=dict)


class PartitionState(Record):
    """Who leads a partition, and who is in sync with it; a leader of -1 is none."""

    topic_id: bytes
    leader: int
    replicas: tuple[int, ...]
    isr: tuple[int, ...]
    leader_epoch: int = 0
    partition_epoch: int = 0


class TopicImage:
    """A topic in memory: its states, and its partitions that were opened."""

    __slots__ = ("configs", "id", "is_internal", "name", "opened", "revision", "settings", "states")

    def __init__(self, name: str, topic: Topic, states: list[PartitionState], revision: int) -> None:
        self.name = name
        self.id = topic.id
        self.configs: Mapping[str, str] = topic.configs
        self.states = states
        self.revision = revision  # of the topic's key
        self.is_internal = name in INTERNAL_TOPICS
        self.opened: list[Partition | None] = [None] * len(states)
        self.settings: LogSettings | None = None  # what holds for its logs, once that was asked

    def record(self) -> Topic:
        return Topic(self.id, len(self.states), dict(self.configs))


def invalid_name(name: str) -> str | None:
    """Why Kafka refuses a topic's name, in its words; None for a good one."""
    if not name:
        return "the empty string is not allowed"
    if name in (".", ".."):
        return f"'{name}' is not allowed"
    if len(name) > NAME_CHARACTERS_MAX:
        return f"the length of '{name}' is longer than the max allowed length {NAME_CHARACTERS_MAX}"
    if not LEGAL_NAME.fullmatch(name):
        return f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    return None


def key_of(name: str) -> bytes:
    return pack(("kafka", "topic", name))


def state_key(name: str, index: int) -> bytes:
    return pack(("kafka", "partition", name, index))


class Topics:
    """All topics of the cluster. Its changes are guarded: Conflict when another broker was faster."""

    def __init__(self, keys: Keys, author: Author) -> None:
        self._keys = keys
        self._author = author
        self.epoch = 0
        self.by_name: dict[str, TopicImage] = {}
        self.by_id: dict[bytes, TopicImage] = {}
        self._clashes: dict[str, str] = {}  # names with every "." as "_", as metrics spell them

    def load(self) -> None:
        """Take in what the keys hold."""
        self.epoch += 1
        self.by_name.clear()
        self.by_id.clear()
        self._clashes.clear()
        states: dict[str, dict[int, PartitionState]] = {}
        for entry in self._keys.scan(*prefix_range(("kafka", "partition"))):
            _, _, name, index = unpack(entry.key)
            assert isinstance(name, str)
            assert isinstance(index, int)
            states.setdefault(name, {})[index] = decoder(PartitionState).decode(entry.value)
        for entry in self._keys.scan(*prefix_range(("kafka", "topic"))):
            name = unpack(entry.key)[2]
            assert isinstance(name, str)
            topic = decoder(Topic).decode(entry.value)
            of_topic = states.get(name, {})
            self._add(
                TopicImage(
                    name, topic, [of_topic[index] for index in range(topic.partitions)], entry.mod_revision
                )
            )

    def _add(self, image: TopicImage) -> None:
        self.by_name[image.name] = image
        self.by_id[image.id] = image
        self._clashes.setdefault(image.name.replace(".", "_"), image.name)

    def clash(self, name: str) -> str | None:
        """A topic that has this name but for dots and underscores."""
        return self._clashes.get(name.replace(".", "_"))

    @property
    def partitions(self) -> int:
        """How many partitions there are."""
        return sum(len(image.states) for image in self.by_name.values())

    async def create(
        self, name: str, topic_id: bytes, assignments: Sequence[Sequence[int]], configs: Mapping[str, str]
    ) -> TopicImage:
        """Make a topic whose partitions have these replicas, the first of which leads."""
        states = [_fresh(topic_id, replicas) for replicas in assignments]
        topic = Topic(topic_id, len(states), dict(configs))
        await self._put_states(name, states, 0)
        revision = await self._keys.commit(
            Commit(
                self._author,
                expect=(Guard(key_of(name), Target.VERSION, Compare.EQUAL, 0),),
                put=(Put(key_of(name), encode(topic)),),
            )
        )
        image = TopicImage(name, topic, states, revision)
        self._add(image)
        self.epoch += 1
        return image

    async def grow(self, image: TopicImage, assignments: Sequence[Sequence[int]]) -> None:
        """Add partitions."""
        states = [_fresh(image.id, replicas) for replicas in assignments]
        await self._put_states(image.name, states, len(image.states))
        count = len(image.states) + len(states)
        await self._put(image, Topic(image.id, count, dict(image.configs)))
        image.states += states
        image.opened += [None] * len(states)
        self.epoch += 1

    async def configure(self, image: TopicImage, configs: Mapping[str, str]) -> None:
        """Put other properties of its own in force."""
        await self._put(image, Topic(image.id, len(image.states), dict(configs)))
        image.configs = dict(configs)

    async def delete(self, image: TopicImage) -> None:
        """Delete a topic; its logs are the caller's to drop."""
        await self._keys.commit(
            Commit(
                self._author,
                expect=(Guard(key_of(image.name), Target.MOD, Compare.EQUAL, image.revision),),
                drop=(Drop(key_of(image.name)), Drop(*prefix_range(("kafka", "partition", image.name)))),
            )
        )
        del self.by_name[image.name]
        del self.by_id[image.id]
        canonical = image.name.replace(".", "_")
        if self._clashes.get(canonical) == image.name:
            del self._clashes[canonical]
        self.epoch += 1

    async def put_state(self, image: TopicImage, index: int, state: PartitionState) -> None:
        """Change who leads a partition, or its ISR."""
        key = state_key(image.name, index)
        old = encode(image.states[index])
        await self._keys.commit(
            Commit(
                self._author,
                expect=(Guard(key, Target.VALUE, Compare.EQUAL, old),),
                put=(Put(key, encode(state)),),
            )
        )
        image.states[index] = state
        self.epoch += 1

    async def _put(self, image: TopicImage, topic: Topic) -> None:
        key = key_of(image.name)
        image.revision = await self._keys.commit(
            Commit(
                self._author,
                expect=(Guard(key, Target.MOD, Compare.EQUAL, image.revision),),
                put=(Put(key, encode(topic)),),
            )
        )

    async def _put_states(self, name: str, states: Sequence[PartitionState], first: int) -> None:
        for start in range(0, len(states), STATES_PER_COMMIT):
            some = states[start : start + STATES_PER_COMMIT]
            puts = [
                Put(state_key(name, first + start + offset), encode(state))
                for offset, state in enumerate(some)
            ]
            await self._keys.commit(Commit(self._author, put=puts))


def _fresh(topic_id: bytes, replicas: Sequence[int]) -> PartitionState:
    return PartitionState(topic_id, replicas[0], tuple(replicas), tuple(replicas))
