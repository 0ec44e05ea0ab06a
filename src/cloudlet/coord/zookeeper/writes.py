"""The writes of ZooKeeper's clients.

State   none
Source  ZooKeeper 3.9: PrepRequestProcessor, FinalRequestProcessor, MultiResponse
Absent  none

Each is a function of (keeper, client, frame, where the request begins): see requests.py.
"""

from __future__ import annotations

from cloudlet.coord.zookeeper import plain
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.transaction import NO_TTL, Transaction
from cloudlet.coord.zookeeper.znode import Znode
from cloudlet.wire.jute import Broken, codec
from cloudlet.wire.zookeeper import (
    MULTI_END,
    Code,
    Create2Response,
    CreateMode,
    CreateRequest,
    CreateTTLRequest,
    MultiHeader,
    NumberResponse,
    OpCode,
    PathResponse,
    PathVersionRequest,
    SetACLRequest,
    SetDataRequest,
    Stat,
    StatResponse,
    read_create,
)

MODES = frozenset(int(mode) for mode in CreateMode)

_path_version = codec(PathVersionRequest)
_create_ttl = codec(CreateTTLRequest)
_set_data = codec(SetDataRequest)
_set_acl = codec(SetACLRequest)
_stat_reply = codec(StatResponse)
_path_reply = codec(PathResponse)
_create2_reply = codec(Create2Response)
_number_reply = codec(NumberResponse)
_multi_header = codec(MultiHeader)


def create(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = read_create(frame, at)
    transaction = keeper.begin(client)
    made = make(keeper, transaction, asked, NO_TTL)
    keeper.apply(transaction, client.author)
    return _path_reply.encode(PathResponse(made.path))


def create2(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = read_create(frame, at)
    return _made(keeper, client, asked, NO_TTL)


def create_ttl(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _create_ttl.decode(frame, at)
    return _made(keeper, client, asked, asked.ttl)


def _made(keeper: Keeper, client: Client, asked: CreateRequest | CreateTTLRequest, ttl: int) -> bytes:
    transaction = keeper.begin(client)
    made = make(keeper, transaction, asked, ttl)
    keeper.apply(transaction, client.author)
    return _create2_reply.encode(Create2Response(made.path, transaction.stat(made)))


def delete(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _path_version.decode(frame, at)
    transaction = keeper.begin(client)
    transaction.delete(asked.path, asked.version)
    keeper.apply(transaction, client.author)
    return b""


def set_data(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _set_data.decode(frame, at)
    done = plain.set_data(keeper, client, asked)
    if done is not None:
        return done
    transaction = keeper.begin(client)
    znode = change(keeper, transaction, asked)
    keeper.apply(transaction, client.author)
    return _stat_reply.encode(StatResponse(transaction.stat(znode)))


def set_acl(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    asked, _ = _set_acl.decode(frame, at)
    transaction = keeper.begin(client)
    znode = transaction.set_acl(asked.path, asked.acl, asked.version)
    keeper.apply(transaction, client.author)
    return _stat_reply.encode(StatResponse(transaction.stat(znode)))


def make(
    keeper: Keeper, transaction: Transaction, asked: CreateRequest | CreateTTLRequest, ttl: int
) -> Znode:
    """Stage a create."""
    if asked.flags >= CreateMode.PERSISTENT_WITH_TTL and not keeper.settings.has_ttl_nodes:
        raise KeeperFault(Code.UNIMPLEMENTED, asked.path)
    made = transaction.create(asked.path, asked.data, asked.acl, asked.flags, ttl)
    if not keeper.quotas.is_idle:
        keeper.quotas.check(made.path, len(asked.data or b""), 1, enforced=keeper.settings.enforces_quotas)
    return made


def change(keeper: Keeper, transaction: Transaction, asked: SetDataRequest) -> Znode:
    """Stage a setData."""
    if keeper.quotas.is_idle:
        return transaction.set_data(asked.path, asked.data, asked.version)
    before = transaction.find(asked.path)
    more = len(asked.data or b"") - len((before.data if before is not None else None) or b"")
    try:
        changed = transaction.set_data(asked.path, asked.data, asked.version)
    except KeeperFault as fault:
        if fault.error == Code.BADVERSION:  # which ZooKeeper looks at last
            keeper.quotas.check(asked.path, more, 0, enforced=keeper.settings.enforces_quotas)
        raise
    keeper.quotas.check(asked.path, more, 0, enforced=keeper.settings.enforces_quotas)
    return changed


def multi(keeper: Keeper, client: Client, frame: bytes, at: int) -> bytes:
    """Several writes as one: all, or none and which one was at fault."""
    transaction = keeper.begin(client)
    done: list[tuple[int, str, Stat | None]] = []
    fault: KeeperFault | None = None
    count = 0
    while True:
        header, at = _multi_header.decode(frame, at)
        if header.done:
            break
        count += 1
        step, at = _decoded(header.type, frame, at)
        if fault is None:
            try:
                done.append(_staged(keeper, transaction, header.type, step))
            except KeeperFault as raised:
                fault = raised
    if fault is not None:
        errors = [Code.OK] * len(done) + [fault.error]
        errors += [Code.RUNTIMEINCONSISTENCY] * (count - len(errors))
        return b"".join([*map(_error_result, errors), MULTI_END])
    keeper.apply(transaction, client.author)
    return b"".join([*(_result(*row) for row in done), MULTI_END])


Step = CreateRequest | CreateTTLRequest | PathVersionRequest | SetDataRequest


def _decoded(kind: int, frame: bytes, at: int) -> tuple[Step, int]:
    if kind in (OpCode.create, OpCode.create2, OpCode.createContainer):
        return _with_mode(*read_create(frame, at))
    if kind == OpCode.createTTL:
        return _with_mode(*_create_ttl.decode(frame, at))
    if kind in (OpCode.delete, OpCode.check):
        return _path_version.decode(frame, at)
    if kind == OpCode.setData:
        return _set_data.decode(frame, at)
    raise Broken(f"operation {kind} in a multi")


def _with_mode(
    asked: CreateRequest | CreateTTLRequest, at: int
) -> tuple[CreateRequest | CreateTTLRequest, int]:
    """In a multi, unlike alone, flags that are none make the request unreadable."""
    if asked.flags not in MODES:
        raise Broken(f"create flags {asked.flags}")
    return asked, at


def _staged(keeper: Keeper, transaction: Transaction, kind: int, step: Step) -> tuple[int, str, Stat | None]:
    """Stage one operation; the kind of its result, and the Stat that it leaves."""
    if isinstance(step, CreateTTLRequest):
        made = make(keeper, transaction, step, step.ttl)
        return OpCode.create2, made.path, transaction.stat(made)
    if isinstance(step, CreateRequest):
        made = make(keeper, transaction, step, NO_TTL)
        is_plain = kind == OpCode.create and step.flags != CreateMode.CONTAINER
        kind = OpCode.create if is_plain else OpCode.create2
        return kind, made.path, transaction.stat(made)
    if isinstance(step, SetDataRequest):
        return kind, step.path, transaction.stat(change(keeper, transaction, step))
    if kind == OpCode.delete:
        transaction.delete(step.path, step.version)
    else:
        transaction.check(step.path, step.version)
    return kind, step.path, None


def _result(kind: int, path: str, stat: Stat | None) -> bytes:
    head = _multi_header.encode(MultiHeader(kind, False, 0))  # noqa: FBT003
    if kind == OpCode.create:
        return head + _path_reply.encode(PathResponse(path))
    if stat is None:
        return head
    if kind == OpCode.create2:
        return head + _create2_reply.encode(Create2Response(path, stat))
    return head + _stat_reply.encode(StatResponse(stat))


def _error_result(error: Code) -> bytes:
    head = _multi_header.encode(MultiHeader(OpCode.error, False, error))  # noqa: FBT003
    return head + _number_reply.encode(NumberResponse(error))
