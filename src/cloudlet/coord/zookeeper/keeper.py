"""The server: sessions, watches and the tree together, without sockets.

State   see tree.py and sessions.py; in memory: the clients
Source  ZooKeeper 3.9: ZooKeeperServer, FinalRequestProcessor, ContainerManager
Absent  a quorum, and what only one has: reconfig, read-only mode, local sessions

Theory of operation
    A request is read, decided, committed and answered within one turn of the loop, so requests of a
    connection are answered in their order, and all that one turn commits is one fdatasync. What an answer
    shows may not be settled yet: the frames wait in the client's outbox (client.py).

    Events are put into the outboxes in the turn in which the change is applied, before any answer that was
    made later. So a client gets the event of a change before the answer that shows it, and events in the
    order of revisions, whoever made the change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

import msgspec

from cloudlet.coord.faults import Faults
from cloudlet.coord.zookeeper import outside
from cloudlet.coord.zookeeper.acl import SKIPS, SUPER, Identity
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.endings import end
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.long_replies import LongReplies
from cloudlet.coord.zookeeper.paths import ZNODES, ZNODES_STOP
from cloudlet.coord.zookeeper.quotas import Quotas
from cloudlet.coord.zookeeper.sessions import BACKSTOP_MS, Session, Sessions, is_password
from cloudlet.coord.zookeeper.settings import KeeperSettings
from cloudlet.coord.zookeeper.transaction import Transaction
from cloudlet.coord.zookeeper.tree import Tree
from cloudlet.coord.zookeeper.upkeep import end_sessions, sweep
from cloudlet.coord.zookeeper.watches import Watches
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.fault import Conflict, InvalidCommit, NoSpace, NoSuchLease, StoreError
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import (
    LOCAL_LIMITS,
    Author,
    Change,
    Commit,
    Drop,
    Durability,
    LocalKeys,
    Revision,
    Tap,
)
from cloudlet.wire.jute import INT, codec
from cloudlet.wire.zookeeper import (
    PASSWORD_BYTES,
    Code,
    ConnectRequest,
    ConnectResponse,
)

log = logging.getLogger(__name__)

_connect = codec(ConnectRequest)
_connected = codec(ConnectResponse)


class Statistics(msgspec.Struct):
    """What has been counted since the start, or since `srst`."""

    received: int = 0
    sent: int = 0
    rejected: int = 0
    batches: int = 0
    latency_ms_sum: float = 0.0
    latency_ms_min: float = 0.0
    latency_ms_max: float = 0.0
    trace_mask: int = 306  # of ZooTrace: requests, packets, sessions, warnings

    @property
    def average_ms(self) -> float:
        return self.latency_ms_sum / self.batches if self.batches else 0.0

    def note(self, latency_ms: float) -> None:
        """What a client asked in one go has been answered."""
        if latency_ms < self.latency_ms_min or not self.batches:
            self.latency_ms_min = latency_ms
        if latency_ms > self.latency_ms_max:
            self.latency_ms_max = latency_ms
        self.latency_ms_sum += latency_ms
        self.batches += 1

    def reset(self) -> None:
        fresh = Statistics(trace_mask=self.trace_mask)
        for field in self.__struct_fields__:
            setattr(self, field, getattr(fresh, field))


class Keeper:
    """One server over one store. `open` before anything else; `wake` is told of clients with frames to
    send."""

    def __init__(
        self,
        keys: LocalKeys,
        clock: Clock,
        ids: Ids,
        settings: KeeperSettings = KeeperSettings(),  # noqa: B008 (frozen)
    ) -> None:
        self.keys = keys
        self.clock = clock
        self.ids = ids
        self.settings = settings
        self.tree = Tree(keys)
        self.watches = Watches()
        self.sessions = Sessions(keys)
        self.quotas = Quotas(self.tree)
        self.faults = Faults()
        self.statistics = Statistics()
        self.long_replies = LongReplies()
        self.began_ms = clock.monotonic_ms()
        self.config = b""  # of /zookeeper/config, which a standalone server leaves empty
        self.clients: dict[Client, None] = {}
        self._strangers: dict[Client, float] = {}  # those without a session, and since when; oldest first
        self.unsent: dict[Client, None] = {}  # clients with frames to send, or to be closed
        self.on_outside: Callable[[], None] = lambda: None
        self._tap: Tap | None = None  # of other faces' changes
        self.suspects: dict[Session, None] = {}  # whose lease may be gone
        self._swept_ms = 0  # cloud time
        self.is_sweeping = False

    def open(self) -> None:
        """Take in what the store holds."""
        self.tree.open()
        self.quotas.open()
        self.sessions.open(self.clock.monotonic_ms(), self.clock.cloud_ms())
        self._swept_ms = self.clock.cloud_ms()
        self._tap = self.keys.tap(ZNODES, ZNODES_STOP, self._applied)
        self.repay()

    def forget(self) -> None:
        """Let go of everything that was derived from the store, and of every client."""
        if self._tap is not None:
            self._tap.end()
            self._tap = None
        for client in list(self.clients):
            client.close()
            self.leave(client)
        self.long_replies.clear()
        self.watches = Watches()
        self.sessions = Sessions(self.keys)

    # --- clients

    def join(
        self, address: str, *, port: int = 0, is_secure: bool = False, subject: str | None = None
    ) -> Client:
        """A connection was made."""
        client = Client(
            self.keys, address, self.unsent, port=port, is_secure=is_secure, subject=subject,
            began_ms=self.clock.wall_ms(),
        )  # fmt: skip
        if subject is not None and subject == self.settings.x509_super:
            client.be((SUPER[0], subject))
        if self.settings.skips_acl:
            client.be(SKIPS)
        self.clients[client] = None
        self._strangers[client] = self.clock.monotonic_ms()
        return client

    def is_full(self, client: Client) -> bool:
        """Whether a connection that was just made is one more than there may be."""
        settings = self.settings
        if 0 < settings.clients_max < len(self.clients):
            return True
        address = client.author.address
        most = settings.address_clients_max
        return 0 < most < sum(1 for each in self.clients if each.author.address == address)

    def leave(self, client: Client) -> None:
        """A connection has gone; its session may come back on another."""
        client.is_gone = True
        client.outbox.clear()
        self.clients.pop(client, None)
        self._strangers.pop(client, None)
        forgetting = self.watches.forget(client)
        for _ in forgetting:
            self.long_replies.work(forgetting)
            break
        session = client.session
        if session is not None and session.client is client:
            session.client = None
            session.heard_cloud_ms = self.clock.cloud_ms()

    def connect(self, client: Client, frame: bytes) -> None:
        """The first frame of a connection: a session begins, or goes on. Broken."""
        asked, at = _connect.decode(frame, 0)
        if asked.lastZxidSeen > self.keys.head:
            client.close()  # it has seen more than we have: another server's client, or of wiped data
            return
        has_flag = len(frame) > at
        least, most = self.settings.least_ms, self.settings.most_ms
        timeout_ms = min(max(asked.timeOut, least), most)
        if asked.sessionId:
            session = self._returned(client, asked, timeout_ms)
        else:
            session = self._begun(client, timeout_ms)
            if session is None:
                client.close()  # without an answer, which could only say that a session is over
                return
        if session is None:
            answer = ConnectResponse(0, 0, 0, bytes(PASSWORD_BYTES))
        else:
            answer = ConnectResponse(0, timeout_ms, session.id, session.password)
        body = _connected.encode(answer) + (b"\0" if has_flag else b"")
        client.send(INT.pack(len(body)) + body)
        if session is None:
            client.close()

    def _begun(self, client: Client, timeout_ms: int) -> Session | None:
        session = Session(
            self.sessions.next_id(self.clock.wall_ms()), self.ids.token(PASSWORD_BYTES), timeout_ms
        )
        author = Author("zookeeper", f"{session.id:#x}", client.author.address)
        put = [session.record()]
        try:
            self.keys.lease_begin(session.id, timeout_ms + BACKSTOP_MS)
            self.write(Commit(author, (), put, (), Durability.SYNC, LOCAL_LIMITS))
        except (KeeperFault, StoreError) as error:
            log.warning("no session can be made: %s", error)
            return None
        self._attach(session, client)
        self.sessions.add(session, self.clock.monotonic_ms())
        return session

    def _returned(self, client: Client, asked: ConnectRequest, timeout_ms: int) -> Session | None:
        session = self.sessions.by_id.get(self.sessions.as_id(asked.sessionId))
        if session is None or not is_password(session, asked.passwd):
            return None
        if not self.renew(session):
            return None
        former = session.client
        if former is not None:
            self.leave(former)
            former.close()
        self._attach(session, client)
        session.timeout_ms = timeout_ms
        self.sessions.add(session, self.clock.monotonic_ms())
        return session

    def _attach(self, session: Session, client: Client) -> None:
        self._strangers.pop(client, None)
        session.client = client
        client.session = session
        client.author = Author("zookeeper", f"{session.id:#x}", client.author.address)

    # --- sessions

    def renew(self, session: Session) -> bool:
        """The session was heard of; False where its lease has been revoked, which ends it."""
        session.heard_ms = self.clock.monotonic_ms()
        try:
            self.keys.lease_keepalive(session.id)
        except NoSuchLease:
            self.end_session(session)
            return False
        return True

    def end_session(self, session: Session) -> None:
        """A session is over: see endings.py; its client is closed."""
        if self.sessions.by_id.get(session.id) is session:
            end(self, session)

    def tick(self) -> None:
        """Time has passed: sessions may be over, znodes may have lived long enough. What is more than a turn
        takes is done in later ones."""
        over = list(self.sessions.due(self.clock.monotonic_ms()))
        if over:
            self._in_slices(end_sessions(self, over))
        for session in self.sessions.to_renew():
            try:
                self.keys.lease_keepalive(session.id)
            except NoSuchLease:
                self.try_to_end(session)
        if self.clock.cloud_ms() - self._swept_ms >= self.settings.sweep_ms and not self.is_sweeping:
            self._swept_ms = self.clock.cloud_ms()
            self._in_slices(sweep(self))

    def cut_strangers(self) -> None:
        """Close the connections that have been without a session for too long."""
        until_ms = self.clock.monotonic_ms() - self.settings.sessionless_ms_max
        while self._strangers:
            client, since_ms = next(iter(self._strangers.items()))
            if since_ms > until_ms:
                return
            self.leave(client)
            client.close()

    def clock_moved(self) -> None:
        """Cloud time has made a step."""
        over = self.sessions.jumped(self.clock.monotonic_ms(), self.clock.cloud_ms())
        if over:
            self._in_slices(end_sessions(self, over))
        self.tick()

    def _in_slices(self, work: Iterator[None]) -> None:
        """The first slice now, the others each in a turn of its own."""
        for _ in work:
            self.long_replies.work(work)
            return

    def try_to_end(self, session: Session) -> None:
        """End a session, or (the disk may be full) come back to it soon."""
        try:
            self.end_session(session)
        except KeeperFault as fault:
            log.warning("session %#x cannot be ended: %s", session.id, fault)
            self.sessions.postpone(session)

    # --- writing

    def begin(self, client: Client) -> Transaction:
        """A transaction of the client's session."""
        assert client.session is not None
        identities: Sequence[Identity] = client.identities
        now_ms, has_digest = self.clock.cloud_ms(), self.settings.has_digest
        return Transaction(self.tree, client.session.id, identities, now_ms, has_digest=has_digest)

    def apply(self, transaction: Transaction, author: Author, drops: Sequence[Drop] = ()) -> None:
        """Commit what is staged and tell who watches; KeeperFault with nothing changed."""
        commit = transaction.commit(author, drops)
        if commit is None:
            return
        revision = self.write(commit)
        assert revision == transaction.zxid
        self.tree.take(transaction.sides, transaction.kinds, transaction.more_nodes, transaction.more_bytes)
        if not self.quotas.is_idle:
            self.quotas.follow(transaction.nodes)
        if not self.watches.is_idle:
            for happened in transaction.events:
                self.watches.tell(happened, revision)

    def write(self, commit: Commit) -> Revision:
        """Commit in this turn; KeeperFault with nothing changed."""
        tap = self._tap
        assert tap is not None, "the keeper is not open"
        tap.is_paused = True
        try:
            return self.keys.commit_now(commit)
        except NoSuchLease:
            raise KeeperFault(Code.SESSIONEXPIRED) from None
        except (NoSpace, InvalidCommit, Conflict) as error:
            raise KeeperFault(Code.SYSTEMERROR, str(error)) from None
        finally:
            tap.is_paused = False

    # --- other faces' changes

    def _applied(self, change: Change) -> None:
        outside.follow(self, change)
        self.on_outside()

    def repay(self) -> None:
        """Commit all that other faces' changes owe, and end sessions whose lease was revoked."""
        while self.repay_some():
            pass

    def repay_some(self) -> bool:
        """The same as far as one turn goes, in turns after such a change; whether there is more."""
        return outside.repay(self)
