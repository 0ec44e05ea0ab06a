"""What can happen to a queue's messages: the records of a queue's log, and how they are spelled on disk.

State   none; the records are in the log of their queue
Source  msgpack specification; docs/architecture.md, "Logs and traffic"
Absent  none

One call is one append. A message is a record of its own (a batch of ten is ten records in one append), so a
body is read back by the offset of its record. A record carries every time and every id that it needs:
applying it asks no clock and draws no number. Structs are arrays on disk; a field may be added at the end of
one, with a default, and a number once given to a kind of record stays its own."""

from __future__ import annotations

from typing import dataclass_transform

import msgspec

from cloudlet.kernel.fault import Damaged


@dataclass_transform(frozen_default=True)
class EventType(msgspec.StructMeta):
    """Tells type checkers that every record is frozen."""


class Event(msgspec.Struct, metaclass=EventType, frozen=True, array_like=True, gc=False):
    """The base of all records."""


class Origin(Event):
    """Where a moved message comes from: what the target needs to drop a second copy of it.

    A source numbers its moves 1, 2, 3, …, and begins the next one only after its own log says that the last
    one is done. So a target remembers no more than the last move of each source.
    """

    source: str  # the id of the source queue
    move: int
    sequence: int  # of the message in the source


class Attribute(Event):
    """A message attribute; `text` for String and Number types, `data` for Binary ones."""

    name: str
    type: str
    text: str | None = None
    data: bytes | None = None


class Content(Event):
    """What a consumer gets, unchanged from queue to queue."""

    body: str
    body_md5: str
    sender: str
    attributes: tuple[Attribute, ...] = ()
    trace: str | None = None  # AWSTraceHeader
    tenant: str | None = None  # MessageGroupId on a standard queue, where it orders nothing
    dead_letter_source: str | None = None  # the ARN of the queue that gave the message up


class Sent(Event, tag=1):
    """A message arrived, from a producer or (with an origin) from another queue."""

    sequence: int
    sent_ms: int
    message_id: bytes
    size_bytes: int  # as AWS counts: body and attributes
    content: Content
    visible_ms: int = 0  # of a delayed message
    group: str | None = None  # of a FIFO queue
    deduplication_id: str | None = None
    deduplication_key: bytes | None = None  # the id together with its scope
    origin: Origin | None = None
    received: int = 0  # a moved message has been received before
    first_received_ms: int = 0


class Received(Event, tag=2):
    """Messages were given to a consumer, who has them for itself until `visible_ms`."""

    now_ms: int
    visible_ms: int
    sequences: tuple[int, ...]
    expired: tuple[int, ...] = ()  # found on the way: older than the queue keeps messages
    attempt: str | None = None  # ReceiveRequestAttemptId
    counts: tuple[int, ...] = ()  # with an attempt: how often each has been received, this time included
    began_ms: int = 0  # with an attempt: when it was first made
    again: bool = False  # the same answer to the same attempt: nothing counts as received once more


class Deleted(Event, tag=3):
    """Consumers are done with these, or they were too old."""

    sequences: tuple[int, ...]


class VisibilityChanged(Event, tag=4):
    """From `now_ms` on each message stays hidden until its own time."""

    now_ms: int
    sequences: tuple[int, ...]
    visible_ms: tuple[int, ...]


class Purged(Event, tag=5):
    """Everything up to `sequence` is gone."""

    now_ms: int
    sequence: int


class Departed(Event, tag=6):
    """Move number `move` is done: these messages are in their target's log; what else was leaving stays."""

    move: int
    sequences: tuple[int, ...] = ()


class Leaving(Event, tag=13):
    """Move number `move` begins: these messages are about to be written into another queue's log."""

    move: int
    target: str
    sequences: tuple[int, ...]


class Kept(Event, tag=7):
    """A message as it stands, written again so that its first record may go."""

    sent: Sent
    status: int
    visible_ms: int
    received: int
    received_ms: int
    first_received_ms: int


class Remembered(Event, tag=8):
    """A deduplication id whose message is gone but whose five minutes are not over."""

    key: bytes
    sent_ms: int
    sequence: int
    message_id: bytes


class Attempted(Event, tag=9):
    """What a ReceiveRequestAttemptId was answered with."""

    attempt: str
    now_ms: int
    visible_ms: int
    sequences: tuple[int, ...]
    counts: tuple[int, ...]


class Arrived(Event, tag=10):
    """What came with the last move from a source."""

    source: str
    move: int
    sequences: tuple[int, ...]


class Counted(Event, tag=12):
    """The newest sequence given out, where nothing else says so."""

    sequence: int


class Several(Event, tag=11):
    """Records that replace one record in a rewrite."""

    events: tuple[AnyRecord, ...]


class SentHead(Event, tag=1):
    """A `Sent` whose content is left as bytes: what a replay reads."""

    sequence: int
    sent_ms: int
    message_id: bytes
    size_bytes: int
    content: msgspec.Raw
    visible_ms: int = 0
    group: str | None = None
    deduplication_id: str | None = None
    deduplication_key: bytes | None = None
    origin: Origin | None = None
    received: int = 0
    first_received_ms: int = 0


class KeptHead(Event, tag=7):
    """A `Kept` whose content is left as bytes."""

    sent: SentHead
    status: int
    visible_ms: int
    received: int
    received_ms: int
    first_received_ms: int


class SeveralHead(Event, tag=11):
    """A `Several` whose contents are left as bytes."""

    events: tuple[AnyHead, ...]


Bookkeeping = (
    Received
    | Deleted
    | VisibilityChanged
    | Purged
    | Departed
    | Remembered
    | Attempted
    | Arrived
    | Counted
    | Leaving
)
AnyRecord = Sent | Kept | Several | Bookkeeping
AnyHead = SentHead | KeptHead | SeveralHead | Bookkeeping

encode = msgspec.msgpack.Encoder().encode
_decode_head = msgspec.msgpack.Decoder(AnyHead).decode
_decode = msgspec.msgpack.Decoder(AnyRecord).decode


def read_head(record: bytes) -> AnyHead:
    """A record without its bodies; Damaged for bytes that are none."""
    try:
        return _decode_head(record)  # type: ignore[no-any-return]
    except msgspec.MsgspecError as error:
        raise Damaged(f"a queue's record: {error}") from error


def read_sent(record: bytes) -> Sent:
    """The message in a record of one, with its body; Damaged for a record of anything else."""
    try:
        event = _decode(record)
    except msgspec.MsgspecError as error:
        raise Damaged(f"a queue's record: {error}") from error
    if isinstance(event, Several):
        event = event.events[0]
    if isinstance(event, Kept):
        event = event.sent
    if not isinstance(event, Sent):
        raise Damaged(f"a queue's message was expected, {type(event).__name__} found")
    return event
