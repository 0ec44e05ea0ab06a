"""ZooKeeper's protocol: operations, error codes and records, as jute defines them.

State   none
Source  ZooKeeper 3.9: zookeeper.jute, ZooDefs, KeeperException.Code, Watcher.Event, MultiOperationRecord
Absent  the records that servers of a quorum send each other

A frame is an int length and that many bytes. The first frame of a connection is a ConnectRequest, answered
by a ConnectResponse; every later one is a RequestHeader and the operation's request, answered by a
ReplyHeader and, where `err` is 0, the operation's response. A watch event is a ReplyHeader with xid -1 and a
WatcherEvent.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct

from cloudlet.wire.jute import INT, Buffer, Int, Long, Record, Ustring, codec, read_bytes, read_int, read_text

BUFFER_BYTES_MAX = 0xFFFFF
"""jute.maxbuffer, unless it is set otherwise: the longest frame that a client may send."""


class OpCode(IntEnum):
    """What a request asks for."""

    notification = 0
    create = 1
    delete = 2
    exists = 3
    getData = 4
    setData = 5
    getACL = 6
    setACL = 7
    getChildren = 8
    sync = 9
    ping = 11
    getChildren2 = 12
    check = 13
    multi = 14
    create2 = 15
    reconfig = 16
    checkWatches = 17
    removeWatches = 18
    createContainer = 19
    deleteContainer = 20
    createTTL = 21
    multiRead = 22
    auth = 100
    setWatches = 101
    sasl = 102
    getEphemerals = 103
    getAllChildrenNumber = 104
    setWatches2 = 105
    addWatch = 106
    whoAmI = 107
    createSession = -10
    closeSession = -11
    error = -1


class Code(IntEnum):
    """What is answered in `err`."""

    OK = 0
    SYSTEMERROR = -1
    RUNTIMEINCONSISTENCY = -2
    DATAINCONSISTENCY = -3
    CONNECTIONLOSS = -4
    MARSHALLINGERROR = -5
    UNIMPLEMENTED = -6
    OPERATIONTIMEOUT = -7
    BADARGUMENTS = -8
    UNKNOWNSESSION = -12
    NEWCONFIGNOQUORUM = -13
    RECONFIGINPROGRESS = -14
    APIERROR = -100
    NONODE = -101
    NOAUTH = -102
    BADVERSION = -103
    NOCHILDRENFOREPHEMERALS = -108
    NODEEXISTS = -110
    NOTEMPTY = -111
    SESSIONEXPIRED = -112
    INVALIDCALLBACK = -113
    INVALIDACL = -114
    AUTHFAILED = -115
    SESSIONMOVED = -118
    NOTREADONLY = -119
    EPHEMERALONLOCALSESSION = -120
    NOWATCHER = -121
    REQUESTTIMEOUT = -122
    RECONFIGDISABLED = -123
    SESSIONCLOSEDREQUIRESASLAUTH = -124
    QUOTAEXCEEDED = -125
    THROTTLEDOP = -127


class EventType(IntEnum):
    """What a watch event tells."""

    NodeCreated = 1
    NodeDeleted = 2
    NodeDataChanged = 3
    NodeChildrenChanged = 4


SYNC_CONNECTED = 3  # Watcher.Event.KeeperState


class CreateMode(IntEnum):
    """The flags of a create."""

    PERSISTENT = 0
    EPHEMERAL = 1
    PERSISTENT_SEQUENTIAL = 2
    EPHEMERAL_SEQUENTIAL = 3
    CONTAINER = 4
    PERSISTENT_WITH_TTL = 5
    PERSISTENT_SEQUENTIAL_WITH_TTL = 6

    @property
    def is_ephemeral(self) -> bool:
        return self in (CreateMode.EPHEMERAL, CreateMode.EPHEMERAL_SEQUENTIAL)

    @property
    def is_sequential(self) -> bool:
        return self in (2, 3, 6)

    @property
    def has_ttl(self) -> bool:
        return self >= CreateMode.PERSISTENT_WITH_TTL


class Perms(IntEnum):
    """What an ACL allows."""

    READ = 1
    WRITE = 2
    CREATE = 4
    DELETE = 8
    ADMIN = 16


PERMS_ALL = 31

NOTIFICATION_XID = -1
PING_XID = -2
AUTH_XID = -4
SET_WATCHES_XID = -8

PASSWORD_BYTES = 16
TTL_MS_MAX = (1 << 40) - 1


class Id(Record):
    """Who: a scheme and a name in it."""

    scheme: Ustring
    id: Ustring


class ACL(Record):
    """What somebody may do."""

    perms: Int
    id: Id


class Stat(Record):
    """What is known of a znode beside its data."""

    czxid: Long
    mzxid: Long
    ctime: Long
    mtime: Long
    version: Int
    cversion: Int
    aversion: Int
    ephemeralOwner: Long
    dataLength: Int
    numChildren: Int
    pzxid: Long


class ConnectRequest(Record):
    """The opening of a session; a boolean readOnly may follow (clients since 3.4 send it)."""

    protocolVersion: Int
    lastZxidSeen: Long
    timeOut: Int
    sessionId: Long
    passwd: Buffer


class ConnectResponse(Record):
    """Its answer; a boolean readOnly follows for clients that sent one."""

    protocolVersion: Int
    timeOut: Int
    sessionId: Long
    passwd: Buffer


class RequestHeader(Record):
    xid: Int
    type: Int


class ReplyHeader(Record):
    xid: Int
    zxid: Long
    err: Int


class MultiHeader(Record):
    type: Int
    done: bool
    err: Int


class AuthPacket(Record):
    type: Int
    scheme: Ustring
    auth: Buffer


class PathRequest(Record):
    """delete's check, sync, and others that carry a path alone."""

    path: Ustring


class PathWatchRequest(Record):
    """exists, getData, getChildren, getChildren2."""

    path: Ustring
    watch: bool


class PathVersionRequest(Record):
    """delete, check."""

    path: Ustring
    version: Int


class PathModeRequest(Record):
    """checkWatches, removeWatches (a WatcherType), addWatch (a mode)."""

    path: Ustring
    mode: Int


class CreateRequest(Record):
    path: Ustring
    data: Buffer
    acl: list[ACL]
    flags: Int


class CreateTTLRequest(Record):
    path: Ustring
    data: Buffer
    acl: list[ACL]
    flags: Int
    ttl: Long


class SetDataRequest(Record):
    path: Ustring
    data: Buffer
    version: Int


class SetACLRequest(Record):
    path: Ustring
    acl: list[ACL]
    version: Int


class SetWatches(Record):
    relativeZxid: Long
    dataWatches: list[Ustring]
    existWatches: list[Ustring]
    childWatches: list[Ustring]


class SetWatches2(Record):
    relativeZxid: Long
    dataWatches: list[Ustring]
    existWatches: list[Ustring]
    childWatches: list[Ustring]
    persistentWatches: list[Ustring]
    persistentRecursiveWatches: list[Ustring]


class SaslToken(Record):
    """GetSASLRequest, SetSASLResponse."""

    token: Buffer


class PathResponse(Record):
    """create, sync."""

    path: Ustring


class Create2Response(Record):
    path: Ustring
    stat: Stat


class StatResponse(Record):
    """exists, setData, setACL."""

    stat: Stat


class GetDataResponse(Record):
    data: Buffer
    stat: Stat


class GetACLResponse(Record):
    acl: list[ACL]
    stat: Stat


class GetChildrenResponse(Record):
    """getChildren, getEphemerals."""

    children: list[Ustring]


class GetChildren2Response(Record):
    children: list[Ustring]
    stat: Stat


class NumberResponse(Record):
    """getAllChildrenNumber's number; the error of an error result and of addWatch."""

    number: Int


class ClientInfo(Record):
    authScheme: Ustring
    user: Ustring


class WhoAmIResponse(Record):
    clientInfo: list[ClientInfo]


class WatcherEvent(Record):
    type: Int
    state: Int
    path: Ustring


class ACLs(Record):
    """A vector of ACLs alone, as it is kept."""

    acl: list[ACL]


HEADER = Struct(">ii")
REPLY = Struct(">iiqi")
MULTI_END = codec(MultiHeader).encode(MultiHeader(-1, True, -1))


OPEN_LIST = (ACL(PERMS_ALL, Id("world", "anyone")),)
_OPEN_BYTES = codec(ACLs).encode(ACLs(list(OPEN_LIST)))
_create = codec(CreateRequest).decode


def read_create(data: bytes, at: int) -> tuple[CreateRequest, int]:
    """A CreateRequest. The list that nearly all of them bring is known by its bytes: reading it would be most
    of the work."""
    path, behind = read_text(data, at)
    value, behind = read_bytes(data, behind)
    stop = behind + len(_OPEN_BYTES) + INT.size
    if not data.startswith(_OPEN_BYTES, behind) or stop > len(data):
        return _create(data, at)
    return CreateRequest(path, value, list(OPEN_LIST), read_int(data, stop - INT.size)), stop


def reply_frame(xid: int, zxid: int, err: int, body: bytes = b"") -> bytes:
    """A whole reply."""
    return REPLY.pack(16 + len(body), xid, zxid, err) + body


def reply_head(xid: int, zxid: int, size: int) -> bytes:
    """What stands before the body of a reply, for a body of so many bytes."""
    return REPLY.pack(16 + size, xid, zxid, 0)


def event_frame(kind: EventType, path: str, zxid: int) -> bytes:
    """A whole watch event. Since 3.9 its header tells the zxid of the change."""
    body = codec(WatcherEvent).encode(WatcherEvent(kind, SYNC_CONNECTED, path))
    return reply_frame(NOTIFICATION_XID, zxid, 0, body)
