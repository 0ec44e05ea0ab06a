"""The operations of ZooKeeper's clients: from a request's frame to its reply.

State   none
Source  ZooKeeper 3.9: FinalRequestProcessor (reads), PrepRequestProcessor (writes), ZooKeeperServer
Absent  none

Each operation is a function of (keeper, client, frame, where the request begins) that returns the body of the
reply, or raises KeeperFault, or Deferred for a reply too long to be made at once. It runs in one turn, and a
write is committed when it returns.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from itertools import chain, islice
from types import MappingProxyType

from cloudlet.coord.faults import Fate
from cloudlet.coord.zookeeper import acl as acls
from cloudlet.coord.zookeeper import reads, writes
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.long_replies import Deferred
from cloudlet.coord.zookeeper.sasl import DigestServer, Failed
from cloudlet.coord.zookeeper.watches import PERSISTENT, RECURSIVE, STANDARD, WATCHER_TYPES
from cloudlet.kernel.fault import Fault
from cloudlet.wire.jute import Broken, codec
from cloudlet.wire.zookeeper import (
    HEADER,
    REPLY,
    AuthPacket,
    Code,
    EventType,
    NumberResponse,
    OpCode,
    PathModeRequest,
    SaslToken,
    SetWatches,
    SetWatches2,
    event_frame,
    reply_frame,
)

PATHS_MAX = 300  # of a setWatches in one turn: a millisecond

Operation = Callable[[Keeper, Client, bytes, int], bytes]

_path_mode = codec(PathModeRequest)
_number_reply = codec(NumberResponse)
_read_header = HEADER.unpack_from
_reply = REPLY.pack
HEADER_BYTES = HEADER.size


def answer(keeper: Keeper, client: Client, frame: bytes) -> None:
    """Carry out one request of a client that has a session, and send its reply. Broken for no request."""
    if len(frame) < HEADER_BYTES:
        raise Broken("a request without its header")
    xid, kind = _read_header(frame)
    session = client.session
    assert session is not None
    session.heard_ms = keeper.clock.monotonic_ms()
    client.received += 1
    client.last_xid = xid
    faults = keeper.faults
    if faults.failing or faults.unanswered:
        fate = faults.of_ping() if kind == OpCode.ping else faults.of_request()
        if fate is not Fate.SERVED:
            _spoil(keeper, client, frame, fate)
            return
    operation = _operation(kind)
    if operation is None:
        client.send(reply_frame(xid, keeper.keys.head, Code.UNIMPLEMENTED))
        client.close()
        return
    required = keeper.settings.schemes_required
    if required and kind not in BEFORE_AUTH and not has_one_of(client, required):
        client.send(reply_frame(xid, keeper.keys.head, Code.SESSIONCLOSEDREQUIRESASLAUTH))
        client.close()
        return
    try:
        body, error = operation(keeper, client, frame, HEADER_BYTES), 0
    except KeeperFault as fault:
        body, error = fault.body, fault.error
    except Broken:
        body, error = b"", Code.MARSHALLINGERROR
    except Deferred as deferred:
        head = client.last_zxid = keeper.keys.head
        keeper.long_replies.begin(client, xid, head, deferred)
        return
    head = client.last_zxid = keeper.keys.head
    client.send(_reply(16 + len(body), xid, head, error) + body, head)
    if error in (Code.AUTHFAILED, Code.SESSIONCLOSEDREQUIRESASLAUTH):
        client.close()


def _spoil(keeper: Keeper, client: Client, frame: bytes, fate: Fate) -> None:
    """A request under a fault."""
    xid, kind = HEADER.unpack_from(frame)
    if fate is Fate.FAILED:
        client.send(reply_frame(xid, keeper.keys.head, Code.OPERATIONTIMEOUT))
        return
    operation = _operation(kind)
    try:
        if operation is not None:
            operation(keeper, client, frame, HEADER_BYTES)
    except Deferred as deferred:
        keeper.long_replies.work(_unheard(deferred))
    except (KeeperFault, Broken):
        pass  # nobody is told of the outcome


def _unheard(deferred: Deferred) -> Iterator[None]:
    """Carry it out; nobody is told of the outcome."""
    try:
        for _ in deferred.slices:
            yield
    except (KeeperFault, Broken):
        pass


def has_one_of(client: Client, schemes: Container[str]) -> bool:
    """Whether the client has proven who it is in one of the schemes."""
    return any(scheme in schemes for scheme, _ in client.identities)


def reconfig(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    # As a standalone server, which has no ensemble to change even where it is allowed.
    raise KeeperFault(Code.UNIMPLEMENTED if keeper.settings.has_reconfig else Code.RECONFIGDISABLED)


def close_session(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    assert client.session is not None
    keeper.end_session(client.session)  # closes the client behind the reply
    return b""


# --- watches


def add_watch(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_mode.decode(frame, at)
    if asked.mode not in (0, 1):
        raise KeeperFault(Code.MARSHALLINGERROR, asked.path)
    keeper.watches.add(asked.path, client, RECURSIVE if asked.mode else PERSISTENT)
    return _number_reply.encode(NumberResponse(0))


def check_watches(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_mode.decode(frame, at)
    _check_type(asked.mode, asked.path)
    if not keeper.watches.has(asked.path, client, asked.mode):
        raise KeeperFault(Code.NOWATCHER, asked.path)
    return b""


def remove_watches(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_mode.decode(frame, at)
    _check_type(asked.mode, asked.path)
    if not keeper.watches.remove(asked.path, client, asked.mode):
        raise KeeperFault(Code.NOWATCHER, asked.path)
    return b""


def _check_type(kind: int, path: str) -> None:
    """That there are watches of a type."""
    if kind not in WATCHER_TYPES:
        raise KeeperFault(Code.MARSHALLINGERROR, path)


def set_watches(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = codec(SetWatches).decode(frame, at)
    return _over_turns(_set_watches(keeper, client, asked))


def set_watches2(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = codec(SetWatches2).decode(frame, at)
    persistent = [(path, PERSISTENT) for path in asked.persistentWatches]
    persistent += [(path, RECURSIVE) for path in asked.persistentRecursiveWatches]
    return _over_turns(chain(_set_watches(keeper, client, asked), _add_watches(keeper, client, persistent)))


def _over_turns(paths: Iterator[object]) -> bytes:
    """An operation on paths, in this turn if there are few."""
    if len(list(islice(paths, PATHS_MAX))) < PATHS_MAX:
        return b""

    def slices() -> Iterator[tuple[int, bytes]]:
        while len(list(islice(paths, PATHS_MAX))) == PATHS_MAX:
            yield 0, b""

    raise Deferred(slices(), b"", is_live=True)


def _add_watches(keeper: Keeper, client: Client, asked: Sequence[tuple[str, int]]) -> Iterator[object]:
    for path, mode in asked:
        keeper.watches.add(path, client, mode)
        yield path


def _set_watches(keeper: Keeper, client: Client, asked: SetWatches | SetWatches2) -> Iterator[object]:
    """The watches of a client that comes back, and at once the events that it has missed; path by path."""
    tree, watches, since = keeper.tree, keeper.watches, asked.relativeZxid

    def tell(kind: EventType, path: str) -> None:
        client.send(event_frame(kind, path, keeper.keys.head))

    for path in asked.dataWatches:
        znode = tree.find(path)
        if znode is None:
            tell(EventType.NodeDeleted, path)
        elif znode.mzxid > since:
            tell(EventType.NodeDataChanged, path)
        else:
            watches.data.add(path, client, STANDARD)
        yield path
    for path in asked.existWatches:
        if tree.find(path) is not None:
            tell(EventType.NodeCreated, path)
        else:
            watches.data.add(path, client, STANDARD)
        yield path
    for path in asked.childWatches:
        znode = tree.find(path)
        if znode is None:
            tell(EventType.NodeDeleted, path)
        elif tree.stat(znode).pzxid > since:
            tell(EventType.NodeChildrenChanged, path)
        else:
            watches.children.add(path, client, STANDARD)
        yield path


# --- proving who one is


def auth(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = codec(AuthPacket).decode(frame, at)
    settings = keeper.settings
    if asked.scheme == "digest" and settings.has_digest and asked.auth:
        digest = acls.digest_of(asked.auth, settings.digest_hash)
        if settings.super_digest and digest == settings.super_digest:
            client.be(acls.SUPER)
        client.be(("digest", digest))
        return b""
    if asked.scheme == "ip":
        return b""  # what every connection is from the start
    if asked.scheme == "x509" and has_one_of(client, ("x509",)):
        return b""
    if asked.scheme == "ensemble" and settings.ensembles is not None:
        name = (asked.auth or b"").decode("utf-8", "replace")
        if not name or not settings.ensembles or name in settings.ensembles:
            return b""
        keeper.leave(client)  # without an answer, so that the client looks for another server
    raise KeeperFault(Code.AUTHFAILED)


def sasl(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = codec(SaslToken).decode(frame, at)
    if not keeper.settings.sasl_users:
        return codec(SaslToken).encode(SaslToken(None))  # as a server without a JAAS configuration
    if client.sasl is None or client.sasl.user is not None:
        client.sasl = DigestServer(keeper.settings.sasl_users, keeper.ids.token(24).hex())
    try:
        said = client.sasl.step(asked.token or b"")
    except Fault as fault:
        client.sasl = None
        if fault.code != Failed.code:
            raise
        # Java's client reads a token whatever the error is: without one it takes the connection for broken,
        # and tries for ever.
        no_token = codec(SaslToken).encode(SaslToken(None))
        if "sasl" in keeper.settings.schemes_required:
            raise KeeperFault(Code.SESSIONCLOSEDREQUIRESASLAUTH, body=no_token) from None
        if keeper.settings.keeps_failed_sasl:
            return no_token
        raise KeeperFault(Code.AUTHFAILED, body=no_token) from None
    if client.sasl.user is not None:
        client.be(("sasl", client.sasl.user))
        if client.sasl.user in keeper.settings.sasl_supers:
            client.be(acls.SUPER)
        if keeper.settings.sasl_anyone:
            client.be(("", keeper.settings.sasl_anyone))
    return codec(SaslToken).encode(SaslToken(said))


OPERATIONS: Mapping[int, Operation] = MappingProxyType(
    {
        OpCode.create: writes.create,
        OpCode.delete: writes.delete,
        OpCode.exists: reads.exists,
        OpCode.getData: reads.data,
        OpCode.setData: writes.set_data,
        OpCode.getACL: reads.acl,
        OpCode.setACL: writes.set_acl,
        OpCode.getChildren: reads.children,
        OpCode.sync: reads.sync,
        OpCode.ping: reads.ping,
        OpCode.getChildren2: reads.children2,
        OpCode.multi: writes.multi,
        OpCode.create2: writes.create2,
        OpCode.reconfig: reconfig,
        OpCode.checkWatches: check_watches,
        OpCode.removeWatches: remove_watches,
        OpCode.createContainer: writes.create2,
        OpCode.createTTL: writes.create_ttl,
        OpCode.multiRead: reads.multi_read,
        OpCode.auth: auth,
        OpCode.setWatches: set_watches,
        OpCode.sasl: sasl,
        OpCode.getEphemerals: reads.ephemerals,
        OpCode.getAllChildrenNumber: reads.all_children_number,
        OpCode.setWatches2: set_watches2,
        OpCode.addWatch: add_watch,
        OpCode.whoAmI: reads.who_am_i,
        OpCode.closeSession: close_session,
    }
)

_operation = dict(OPERATIONS).get
BEFORE_AUTH = frozenset((OpCode.sasl, OpCode.auth))
"""What a client may ask before it has proven who it is, where it must."""
