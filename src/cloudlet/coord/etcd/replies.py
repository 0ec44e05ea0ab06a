"""Replies that wait until what they show is as durable as promised, and the header of each.

State   in memory: the replies that wait, in the order of their revisions
Source  etcd 3.6, ResponseHeader; kernel/keys.py, the two marks
Absent  none

A write is applied in the turn in which it came; its reply waits here until the store has settled the write's
revision. All that settles together leaves in one turn, so the connections write once.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol, runtime_checkable

from cloudlet.coord.etcd.faults import refused
from cloudlet.kernel.keys import LocalKeys, Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import DEFERRED, Answer, Call
from cloudlet.wire.protobuf import encode, encoded, varint

CLUSTER_ID = 0x636C6F75_646C6574
MEMBER_ID = 0x6E6F6465_00000001
RAFT_TERM = 2  # what a single etcd that was started once says

WHO = encode(pb.ResponseHeader(cluster_id=CLUSTER_ID, member_id=MEMBER_ID))
TERM = encode(pb.ResponseHeader(raft_term=RAFT_TERM))
"""The pieces of a header: all but the revision is the same in each, and every write has its own."""


def revision_field(revision: int) -> bytes:
    """The revision of a header, encoded: its field 3, which is left out where it is 0."""
    return b"\x18" + varint(revision) if revision else b""


@runtime_checkable
class HasHeader(Protocol):
    """A reply of etcd's."""

    header: Any


class Replies:
    """The replies of one face."""

    def __init__(self, keys: LocalKeys) -> None:
        self._keys = keys
        self._waiting: deque[tuple[Revision, Call, bytes]] = deque()
        self._header_revision = -1
        self._header: Any = None

    def header(self, revision: int) -> Any:
        """The header of a reply, encoded; the newest one is remembered."""
        if revision != self._header_revision:
            self._header = encoded(WHO + revision_field(revision) + TERM)
            self._header_revision = revision
        return self._header

    def answer(self, call: Call, reply: Any, revision: Revision) -> Answer:
        """The reply with its header, now or once `revision` has settled."""
        reply.header = self.header(revision)
        message = encode(reply)
        keys = self._keys
        if keys.settled >= revision and not self._waiting:
            return message
        if not self._waiting:
            keys.when_settled(revision, self._release)
        self._waiting.append((revision, call, message))
        return DEFERRED

    async def settled(self, reply: Any, revision: Revision) -> bytes:
        """The same for a handler that waits itself."""
        await self._keys.settle(revision)
        reply.header = self.header(revision)
        return encode(reply)

    def _release(self) -> None:
        """The first that waits may go, or the store has closed."""
        waiting, keys = self._waiting, self._keys
        settled = keys.settled
        if waiting and waiting[0][0] > settled:
            self.close()
        # Revisions rise from reply to reply but for reads between writes, which share theirs.
        while waiting and waiting[0][0] <= settled:
            _, call, message = waiting.popleft()
            call.finish(message)
        if waiting:
            keys.when_settled(waiting[0][0], self._release)

    def close(self) -> None:
        """Refuse what still waits."""
        while self._waiting:
            self._waiting.popleft()[1].fail(refused("Stopped"))
