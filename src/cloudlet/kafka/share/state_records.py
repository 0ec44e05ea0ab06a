"""The records of __share_group_state: what they state of a share-partition, to bytes and back.

State   none
Source  Apache Kafka 4.3: ShareSnapshotKey/Value, ShareUpdateKey/Value
Absent  none

A snapshot says all of a share-partition, an update what has changed since; a snapshot without a value says
that there is none any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cloudlet.kafka.share.share_partition import RecordState
from cloudlet.kafka.share.window import Window
from cloudlet.kernel.fault import ProtocolError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.codec import decode_versioned, encode_versioned, version_of

SNAPSHOT, UPDATE = 0, 1
NO_OFFSET = -1


class ShareKey(NamedTuple):
    """One partition of one share group."""

    group: str
    topic_id: bytes
    partition: int


class Delivery(NamedTuple):
    """How far the delivery of a record has come; the state is never *acquired*."""

    state: RecordState
    delivered: int


FRESH = Delivery(RecordState.AVAILABLE, 0)


class Span(NamedTuple):
    """Records [first, last] and how far their delivery has come."""

    first: int
    last: int
    delivery: Delivery


class Snapshot(NamedTuple):
    """All of a share-partition. A start of -1: nobody has read from it yet."""

    snapshot_epoch: int
    state_epoch: int
    leader_epoch: int
    start: int
    done_count: int
    created_ms: int
    written_ms: int
    spans: Sequence[Span] = ()


class Update(NamedTuple):
    """What has changed of a share-partition since its snapshot; a start of -1: not that."""

    snapshot_epoch: int
    leader_epoch: int
    start: int
    done_count: int
    spans: Sequence[Span] = ()


class StateEntry(NamedTuple):
    """One record; None: it is gone."""

    key: ShareKey
    fact: Snapshot | Update | None


class Kept:
    """What the records of a share-partition have said so far."""

    __slots__ = (
        "created_ms",
        "done_count",
        "leader_epoch",
        "offset",
        "snapshot_epoch",
        "state_epoch",
        "updates",
        "window",
    )

    def __init__(self, snapshot: Snapshot, offset: int) -> None:
        self.snapshot_epoch = snapshot.snapshot_epoch
        self.state_epoch = snapshot.state_epoch
        self.leader_epoch = snapshot.leader_epoch
        self.created_ms = snapshot.created_ms
        self.done_count = snapshot.done_count
        self.offset = offset  # of the snapshot's record
        self.updates = 0  # since then
        self.window: Window[Delivery] | None = None  # None: nobody has read from it yet
        self._take(snapshot.start, snapshot.spans)

    @property
    def start(self) -> int:
        return NO_OFFSET if self.window is None else self.window.start

    def update(self, update: Update) -> None:
        self.leader_epoch = update.leader_epoch
        self.done_count = update.done_count
        self.updates += 1
        self._take(update.start, update.spans)

    def _take(self, start: int, spans: Iterable[Span]) -> None:
        if start >= 0:
            if self.window is None:
                self.window = Window(start)
            self.window.drop_to(start)
        if self.window is not None:
            for first, last, delivery in spans:
                if last >= self.window.start:
                    self.window.extend(last + 1, FRESH)
                    self.window.put(first, last + 1, delivery)

    def snapshot(self, written_ms: int, leader_epoch: int) -> Snapshot:
        """All of it, for a record that makes the ones before superfluous."""
        spans = [] if self.window is None else spans_of(self.window.runs())
        return Snapshot(
            self.snapshot_epoch + 1, self.state_epoch, leader_epoch, self.start, self.done_count,
            self.created_ms, written_ms, spans,
        )  # fmt: skip


def spans_of(runs: Iterable[tuple[int, int, Delivery]]) -> list[Span]:
    return [Span(first, stop - 1, delivery) for first, stop, delivery in runs if delivery != FRESH]


def encode_entry(entry: StateEntry) -> tuple[bytes, bytes | None]:
    """(key, value) of a record."""
    key, fact = entry
    shape: Any = messages.ShareUpdateKey if isinstance(fact, Update) else messages.ShareSnapshotKey
    kind = UPDATE if isinstance(fact, Update) else SNAPSHOT
    raw = encode_versioned(shape(GroupId=key.group, TopicId=key.topic_id, Partition=key.partition), kind)
    if fact is None:
        return raw, None
    shape = messages.ShareUpdateValue if isinstance(fact, Update) else messages.ShareSnapshotValue
    value = shape(
        SnapshotEpoch=fact.snapshot_epoch,
        LeaderEpoch=fact.leader_epoch,
        StartOffset=fact.start,
        DeliveryCompleteCount=fact.done_count,
        StateBatches=_batches(shape.StateBatch, fact.spans),
    )
    if isinstance(fact, Snapshot):
        value.StateEpoch = fact.state_epoch
        value.CreateTimestamp, value.WriteTimestamp = fact.created_ms, fact.written_ms
    return raw, encode_versioned(value, 0)


def _batches(shape: Any, spans: Iterable[Span]) -> list[Any]:
    return [
        shape(FirstOffset=first, LastOffset=last, DeliveryState=int(state), DeliveryCount=delivered)
        for first, last, (state, delivered) in spans
    ]


def decode_entry(key: bytes, value: bytes | None) -> StateEntry | None:
    """What a record states; None for one of a type that is not known. ProtocolError."""
    kind = version_of(key)
    if kind not in (SNAPSHOT, UPDATE):
        return None
    found: Any = decode_versioned(
        messages.ShareSnapshotKey if kind == SNAPSHOT else messages.ShareUpdateKey, key
    )
    name = ShareKey(found.GroupId, bytes(found.TopicId), found.Partition)
    if value is None:
        return StateEntry(name, None)
    if kind == UPDATE:
        update = decode_versioned(messages.ShareUpdateValue, value)
        return StateEntry(
            name,
            Update(
                update.SnapshotEpoch,
                update.LeaderEpoch,
                update.StartOffset,
                max(update.DeliveryCompleteCount, 0),
                _spans(update.StateBatches),
            ),
        )
    snapshot = decode_versioned(messages.ShareSnapshotValue, value)
    return StateEntry(
        name,
        Snapshot(
            snapshot.SnapshotEpoch,
            snapshot.StateEpoch,
            snapshot.LeaderEpoch,
            snapshot.StartOffset,
            max(snapshot.DeliveryCompleteCount, 0),
            snapshot.CreateTimestamp,
            snapshot.WriteTimestamp,
            _spans(snapshot.StateBatches),
        ),
    )


def _spans(batches: Iterable[Any]) -> list[Span]:
    try:
        return [
            Span(
                each.FirstOffset,
                each.LastOffset,
                Delivery(RecordState(each.DeliveryState), each.DeliveryCount),
            )
            for each in batches
        ]
    except ValueError as error:
        raise ProtocolError(f"a share-partition's record: {error}") from None
