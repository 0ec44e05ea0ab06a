"""The logs store: sequences of records in Kafka's own record batches; the port every engine serves.

State   none here; an engine owns the logs
Source  Kafka's record batch, magic 2 (KIP-98); docs/architecture.md, "Logs and traffic"
Absent  none

Theory of operation
    A log is a sequence of record batches, and every record in it has an offset; offsets grow without gaps
    except where a compaction took records out. The port deals in whole batches as bytes: nobody decodes a
    record on the way in or out. An append patches two fields of the batch header that the batch's checksum
    does not cover: the base offset, and the leader epoch. The engine checks the checksum and refuses what is
    not a whole batch.

    `append(at=...)` is what decisions are built on: a decision made on the state at offset N is appended
    *at* N, and is refused (OutOfRange) if anything came in between. `fence` raises the log's epoch, and
    appends under a lower one are refused: that is how an owner is deposed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, NewType, Protocol

from cloudlet.kernel.keys import Durability

LogName = NewType("LogName", str)
"""A path of segments of [A-Za-z0-9._=@-]+ joined with "/": also the log's folder on disk."""

Offset = NewType("Offset", int)

_SEGMENT = r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._=@-]+"
_NAME = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})*")
# What engines call their own files beside the segments' names: a log "a/00000000000000000000.log" would be
# one.
_RESERVED = re.compile(r"(?:^|/)(?:\d{20}\.[a-z.]+|[a-z-]*checkpoint)(?:/|$)")
NAME_CHARACTERS_MAX = 1024


def check_name(log: LogName) -> None:
    """Raise AssertionError for what is no log's name; an engine asks when it makes the log."""
    if len(log) > NAME_CHARACTERS_MAX or not _NAME.fullmatch(log) or _RESERVED.search(log):
        raise AssertionError(f"not a log's name: {log!r}")


class Ends(NamedTuple):
    """The half-open range of offsets that a log holds."""

    start: Offset
    stop: Offset


class Logs(Protocol):
    """The port. A local engine never suspends in `append` (relaxed) and `read`; a remote one may."""

    async def append(
        self,
        log: LogName,
        batches: bytes,
        *,
        at: Offset | None = None,
        epoch: int = 0,
        durability: Durability = Durability.RELAXED,
    ) -> Offset:
        """Append whole record batches; returns the offset of the first record. Makes the log if there is
        none.

        OutOfRange unless the log stops at `at`; Fenced for an epoch below the log's (a higher one raises it);
        ProtocolError for bytes that are not whole, checksummed batches, or over batches.APPEND_BYTES_MAX;
        NoSpace. As durable as asked when it returns; refused, it has changed nothing.
        """

    async def read(self, log: LogName, offset: Offset, *, bytes_max: int) -> bytes:
        """Whole batches from the one that holds `offset` on: at least one if the log has it, and no more than
        `bytes_max` beyond the first, perhaps less although there is more. Empty at the log's stop; OutOfRange
        below its start or above its stop."""

    def ends(self, log: LogName) -> Ends:
        """The log's ends; (0, 0) for a log that does not exist."""

    def epoch(self, log: LogName) -> int:
        """The epoch that appends must have at least; 0 for a log that does not exist."""

    def size(self, log: LogName) -> int:
        """Bytes of the batches held, whole segments counted."""

    def names(self, prefix: str = "") -> Sequence[LogName]:
        """The logs whose name starts with `prefix`, sorted."""

    async def trim(self, log: LogName, start: Offset) -> None:
        """Move the log's start up to `start`: older records are gone for readers at once, their bytes with
        their segment. A start below the present one changes nothing; OutOfRange above the stop."""

    async def truncate(self, log: LogName, stop: Offset) -> None:
        """Cut the batches that hold offsets from `stop` on: the log then stops where the first of them began,
        though not below its start. OutOfRange outside of the ends."""

    async def fence(self, log: LogName, epoch: int) -> None:
        """Raise the epoch that appends must have; durable. Makes the log if there is none. Fenced if the
        log's is higher already."""

    async def drop(self, log: LogName) -> None:
        """Delete the log; no error if there is none. A log of the same name made later starts at 0, in epoch
        0."""

    async def sync(self) -> None:
        """Make every append so far survive power loss."""

    async def close(self) -> None:
        """Sync and let go."""
