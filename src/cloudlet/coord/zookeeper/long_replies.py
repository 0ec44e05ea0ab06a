"""Replies that take more than one turn of the loop: nobody else waits while they are made.

State   in memory: the replies that are being made
Source  coord/zookeeper/children.py, where the slices come from
Absent  a multiRead of long lists, and reading the keys of the list itself (10 ns a child): one turn

What such a reply tells was read in the turn in which its request came. Its place among the client's frames is
kept by a frame that is never settled; the connection serves no further request until it is sent, so a client
has one at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from cloudlet.coord.zookeeper.client import Client
from cloudlet.wire.jute import INT
from cloudlet.wire.zookeeper import reply_head


class Deferred(Exception):
    """A request whose reply is a vector that is made in slices of (how many, their bytes), then `tail`."""

    def __init__(self, slices: Iterator[tuple[int, bytes]], tail: bytes) -> None:
        super().__init__()
        self.slices = slices
        self.tail = tail


class LongReplies:
    """All of a keeper's. `wake` is told of the first; `step` is to be called until it is False."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._making: deque[_LongReply] = deque()

    def begin(self, client: Client, xid: int, zxid: int, deferred: Deferred) -> None:
        """The client's reply comes here, in its turn among the frames sent to it."""
        client.wait()
        if not self._making:
            self.wake()
        self._making.append(_LongReply(client, xid, zxid, deferred))

    def step(self) -> bool:
        """Make a slice of the one that has waited longest; whether there is more to do."""
        if self._making:
            reply = self._making.popleft()
            if reply.step():
                self._making.append(reply)
        return bool(self._making)

    def clear(self) -> None:
        """Nobody is there any more to get them."""
        self._making.clear()


class _LongReply:
    """One of them."""

    def __init__(self, client: Client, xid: int, zxid: int, deferred: Deferred) -> None:
        self._client = client
        self._xid = xid
        self._zxid = zxid
        self._deferred = deferred
        self._count = 0
        self._made: list[bytes] = []

    def step(self) -> bool:
        """Make a slice, or send the whole; whether there is more to do."""
        if self._client.is_gone:
            return False
        more = next(self._deferred.slices, None)
        if more is not None:
            self._count += more[0]
            self._made.append(more[1])
            return True
        body = [INT.pack(self._count), *self._made, self._deferred.tail]
        head = reply_head(self._xid, self._zxid, sum(map(len, body)))
        self._client.fulfil(b"".join([head, *body]), self._zxid)
        return False
