"""Commits of the etcd engine: a transaction is sent until its outcome is known, and never blindly twice.

State   the session that fences them
Source  docs/architecture.md, "Keys"
Absent  none

Theory of operation
    A commit whose connection breaks may have been applied, or still be on its way. It is never made again
    blindly. The session's fence is put: from then on etcd refuses every transaction of the session, those on
    their way too. When the mirror has reached the fence, the commit's token stood at `head` before it, or it
    never will: then it is made again, in a new session.

        commit ──reply──▶ done
           '───lost──▶ put the fence of the session ──▶ mirror reaches it ──token seen──▶ done
                              ^        '─lost─'                 '──not seen──▶ commit, in a new session
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cloudlet.engines.etcd_layout import HeadRecord, Layout
from cloudlet.engines.etcd_link import AMBIGUOUS, NO_LEASE, NO_SPACE, Link
from cloudlet.engines.etcd_mirror import Mirror
from cloudlet.kernel.fault import Conflict, InvalidCommit, NoSpace, NoSuchLease, OutcomeUnknown, StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Revision
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus

TRIES_MAX = 5  # of a commit whose connection broke and that was not applied
SETTLE_S = 60.0  # for the outcome of such a commit to be known
NEAR_S = 0.05  # a conflict that the mirror does not show is about to come to it
TXN = "/etcdserverpb.KV/Txn"


class Commits:
    """See the module."""

    def __init__(self, link: Link, layout: Layout, mirror: Mirror, ids: Ids) -> None:
        self._link = link
        self._layout = layout
        self._mirror = mirror
        self._ids = ids
        self._session = ids.token(16)
        self._fenced_at = Revision(0)
        self.fencing: asyncio.Task[Revision] | None = None

    async def apply(self, record: HeadRecord, make: Callable[[], pb.TxnRequest]) -> Revision:
        """Send a transaction until its outcome is known, and wait until the mirror holds it."""
        mine = self._mirror.mine
        for _ in range(TRIES_MAX):
            if self.fencing is not None:
                await asyncio.wait([self.fencing])  # what is sent now would be refused
            if self._link.is_closed:
                raise StoreError("the store is closed")
            request = make()
            request.compare = [*request.compare, self._layout.fence(self._session)]
            session = self._session
            mine[record.token] = None
            try:
                reply = await self._link.call(TXN, request, pb.TxnResponse)
                if reply.succeeded or session == self._session:
                    return await self._outcome(reply)
                # It may be the fence that has refused it.
            except GrpcStatus as status:
                if status.code not in AMBIGUOUS:
                    raise self._refusal(status) from None
                revision = await self._find(record.token, session)
                if revision is not None:
                    return revision
            finally:
                del mine[record.token]
        raise OutcomeUnknown("the connection broke again and again; nothing was applied")

    async def _outcome(self, reply: pb.TxnResponse) -> Revision:
        assert reply.header is not None
        revision = Revision(reply.header.revision)
        if reply.succeeded:
            if not changed(reply):
                await self._catch_up(revision)
                return self._mirror.newest.head
            await self._mirror.feed.settle(revision)
            return revision
        looked = reply.responses[0].response_range if reply.responses else None
        if looked is not None and looked.kvs:
            await self._mirror.feed.settle(Revision(looked.kvs[0].mod_revision))
        await self._catch_up(revision)
        raise Conflict(self._mirror.newest.head)

    async def _catch_up(self, revision: Revision) -> None:
        """Wait a moment for a revision that need not concern us: others may write to the etcd too."""
        if revision > self._mirror.newest.head:
            try:
                await asyncio.wait_for(self._mirror.feed.settle(revision), NEAR_S)
            except TimeoutError:
                pass

    async def _find(self, token: bytes, session: bytes) -> Revision | None:
        """The revision of a commit whose reply was lost, or None if it was not and will not be applied."""
        try:
            async with asyncio.timeout(SETTLE_S):
                while True:
                    fencing = self.fencing
                    if fencing is None:
                        if session != self._session:
                            break
                        fencing = self.fencing = asyncio.create_task(self._fence())
                    await asyncio.shield(fencing)
                await self._mirror.feed.settle(self._fenced_at)
        except (TimeoutError, GrpcStatus) as error:
            raise OutcomeUnknown(f"etcd does not answer: {error}") from None
        return self._mirror.mine[token]

    async def _fence(self) -> Revision:
        """End the session: nothing of it is applied any more from the revision that is returned."""
        try:
            put = pb.PutRequest(key=self._layout.sessions + self._session, value=self._session)
            reply = await self._link.again("/etcdserverpb.KV/Put", put, pb.PutResponse)
            assert reply.header is not None
            self._session = self._ids.token(16)
            self._fenced_at = Revision(reply.header.revision)
            return self._fenced_at
        finally:
            self.fencing = None

    def _refusal(self, status: GrpcStatus) -> Exception:
        if status.message == NO_LEASE:
            return NoSuchLease("a lease of the commit")
        if status.message == NO_SPACE:
            return NoSpace(status.message)
        return InvalidCommit(status.message)


def changed(reply: pb.TxnResponse) -> bool:
    """Whether a transaction that was let through has changed anything."""
    if not reply.responses:
        return False
    first = reply.responses[0]
    # A commit without puts stands in a transaction inside, which succeeds where there was nothing to drop.
    return not (first.response_txn is not None and first.response_txn.succeeded)
