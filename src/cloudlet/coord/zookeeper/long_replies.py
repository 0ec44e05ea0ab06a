"""Replies that take more than one turn of the loop: nobody else waits while they are made.

State   in memory: the replies that are being made, and other work that is left to later turns
Source  coord/zookeeper/children.py, requests.py and reads.py, where the slices come from
Absent  a multi of very many operations (9 us each, as many as a frame holds), and reading the keys of a list
        itself (10 ns a child): one turn

A list tells what was there in the turn in which its request came. Its place among the client's frames is kept
by a frame that is never settled. A multiRead or a setWatches of very many paths is *live*: each slice looks
at what is there in its own turn. So what changes meanwhile may have its event before the reply that does not
show it, never behind one that does: the reply's place is behind the events of its turns.

The connection serves no further request until the reply is sent, so a client has one at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from cloudlet.coord.zookeeper.client import OUTBOX_BYTES_MAX, Client
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.wire.jute import INT, Broken
from cloudlet.wire.zookeeper import Code, reply_head


class Deferred(Exception):
    """A request whose reply is a vector that is made in slices of (how many, their bytes), then `tail`. A
    live one has no count; KeeperFault or Broken of a slice is its error."""

    def __init__(self, slices: Iterator[tuple[int, bytes]], tail: bytes, *, is_live: bool = False) -> None:
        super().__init__()
        self.slices = slices
        self.tail = tail
        self.is_live = is_live


class LongReplies:
    """All of a keeper's. `wake` is told of the first; `step` is to be called until it is False."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] = lambda: None
        self._making: deque[_LongReply | _Work] = deque()

    def begin(self, client: Client, xid: int, zxid: int, deferred: Deferred) -> None:
        """The client's reply comes here, in its turn among the frames sent to it."""
        client.wait()
        self._add(_LongReply(client, xid, zxid, deferred))

    def work(self, slices: Iterator[None]) -> None:
        """Something else that is to be done in slices."""
        self._add(_Work(slices))

    def _add(self, one: _LongReply | _Work) -> None:
        if not self._making:
            self.wake()
        self._making.append(one)

    def step(self) -> bool:
        """Make a slice of the one that has waited longest; whether there is more to do. What raises is given
        up: the others go on with the next step."""
        if self._making:
            reply = self._making.popleft()
            is_given_up = True
            try:
                is_more = reply.step()
                is_given_up = False
            finally:
                if is_given_up:
                    reply.give_up()
            if is_more:
                self._making.append(reply)
        return bool(self._making)

    def clear(self) -> None:
        """Nobody is there any more to get them."""
        self._making.clear()


class _Work:
    """What nobody waits for."""

    def __init__(self, slices: Iterator[None]) -> None:
        self._slices = slices

    def step(self) -> bool:
        for _ in self._slices:
            return True
        return False

    def give_up(self) -> None:
        """Nobody is to be told."""


class _LongReply:
    """One of them."""

    def __init__(self, client: Client, xid: int, zxid: int, deferred: Deferred) -> None:
        self._client = client
        self._xid = xid
        self._zxid = zxid
        self._deferred = deferred
        self._count = 0
        self._made: list[bytes] = []
        self._size = 0

    def step(self) -> bool:
        """Make a slice, or send the whole; whether there is more to do."""
        deferred = self._deferred
        if self._client.is_gone:
            return False
        error = 0
        try:
            more = next(deferred.slices, None)
        except KeeperFault as fault:
            more, error = None, fault.error
        except Broken:
            more, error = None, Code.MARSHALLINGERROR
        if more is not None:
            self._count += more[0]
            self._made.append(more[1])
            self._size += len(more[1])
            if not deferred.is_live or self._size < OUTBOX_BYTES_MAX:
                return True
            error = Code.SYSTEMERROR  # no client takes such a frame
        if deferred.is_live:
            whole = b"" if error else b"".join([*self._made, deferred.tail])
            self._client.send_instead(self._xid, whole, error)
            return False
        body = [INT.pack(self._count), *self._made, deferred.tail]
        head = reply_head(self._xid, self._zxid, sum(map(len, body)))
        self._client.fulfil(b"".join([head, *body]), self._zxid)
        return False

    def give_up(self) -> None:
        """The client cannot be answered, so its connection ends."""
        self._client.outbox.clear()
        self._client.close()
