"""Snapshots of derived states: what a long log comes to, so that a restart reads that and the log's rest.

State   log NAME=state   one snapshot, packed: Begin, slices, End; a log beside the one that it stands for
Source  docs/architecture.md, "Logs and traffic"
Absent  none

Theory of operation
    A snapshot stands for the records before one offset of its log. It is good only while the log still holds
    that offset, in the epoch in which it was taken: a rewrite that has trimmed further, or a log that a
    restore has brought back, makes it worthless, and the whole log is replayed. It counts from its End on,
    which names how many slices there are and their checksum; the one before is trimmed away after that. What
    it stands for is made durable first, so that a snapshot is never ahead of its log. Being a log itself it
    is pinned, brought back and dropped with all others.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import msgspec

from cloudlet.kernel.fault import Damaged, ProtocolError
from cloudlet.kernel.keys import Durability
from cloudlet.kernel.logs import Ends, LogName, Logs, Offset
from cloudlet.wire.kafka.records import decode, encode_value

SUFFIX = "=state"


class Begin(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """What a snapshot stands for: the records before `offset`, in this epoch."""

    offset: int
    epoch: int


class Slice(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """A part of a state."""

    packed: bytes


class End(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """A snapshot is whole."""

    slices: int
    checksum: int  # CRC-32 of all slices


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Begin | Slice | End).decode


@runtime_checkable
class Packable(Protocol):
    """A state that can be packed; `apply` goes on from what was unpacked."""

    def weight(self) -> int:
        """How many things it holds: what a snapshot costs."""

    def pack(self) -> Iterator[bytes]:
        """The state in slices, each a few milliseconds of work; nothing may change it meanwhile."""

    def unpack(self, packed: bytes) -> None:
        """Take one slice into a state that began empty, in the order of `pack`."""

    def unpacked(self) -> None:
        """The last slice was taken in."""


class Loaded(NamedTuple):
    """A state and the offset from which the log's records still have to be applied."""

    state: Packable
    offset: Offset


def beside(name: LogName) -> LogName:
    """The log of a log's snapshots."""
    return LogName(name + SUFFIX)


async def save(logs: Logs, name: LogName, slices: Sequence[bytes], begin: Begin) -> None:
    """Write a snapshot, and let the one before go."""
    await logs.sync()
    log = beside(name)
    epoch = logs.epoch(log)
    first = await logs.append(log, encode_value(_encode(begin), 0), epoch=epoch)
    checksum = 0
    for packed in slices:
        checksum = zlib.crc32(packed, checksum)
        await logs.append(log, encode_value(_encode(Slice(packed)), 0), epoch=epoch)
        await asyncio.sleep(0)
    end = End(len(slices), checksum)
    await logs.append(log, encode_value(_encode(end), 0), epoch=epoch, durability=Durability.SYNC)
    await logs.trim(log, first)


async def load(logs: Logs, name: LogName, epoch: int, empty: Callable[[], object]) -> Loaded | None:
    """The newest whole snapshot that the log can be replayed from."""
    log = beside(name)
    reading = _Reading(logs.ends(name), epoch, empty)
    offset, stop = logs.ends(log)
    while offset < stop:
        batch = await logs.read(log, offset, bytes_max=1)
        try:
            for at, _, _, value in decode(batch):
                reading.take(_decode(value or b""))
                offset = Offset(at + 1)
        except (msgspec.MsgspecError, ProtocolError, Damaged):
            return reading.whole  # what follows is not to be trusted
        await asyncio.sleep(0)
    return reading.whole


class _Reading:
    """Puts snapshots together as they are read."""

    def __init__(self, ends: Ends, epoch: int, empty: Callable[[], object]) -> None:
        self.whole: Loaded | None = None
        self._ends = ends
        self._epoch = epoch
        self._empty = empty
        self._partial: Loaded | None = None
        self._slices = 0
        self._checksum = 0

    def take(self, part: Begin | Slice | End) -> None:
        if isinstance(part, Begin):
            self._partial, self._slices, self._checksum = None, 0, 0
            state = self._empty()
            if part.epoch == self._epoch and self._ends.start <= part.offset <= self._ends.stop:
                assert isinstance(state, Packable)
                self._partial = Loaded(state, Offset(part.offset))
        elif self._partial is None:
            return
        elif isinstance(part, Slice):
            self._slices += 1
            self._checksum = zlib.crc32(part.packed, self._checksum)
            self._partial.state.unpack(part.packed)
        elif part == End(self._slices, self._checksum):
            self._partial.state.unpacked()
            self.whole, self._partial = self._partial, None
