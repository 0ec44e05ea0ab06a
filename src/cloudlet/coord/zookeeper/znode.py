"""One znode: what is read of its entry, and the entry that is written for it.

State   the `meta` beside a znode's value, laid out as below
Source  ZooKeeper 3.9: StatPersisted, EphemeralType; docs/zookeeper.md, "How a znode is kept"
Absent  none

Most of a Stat is the entry's own: czxid and mzxid are the create and mod revision, version is the entry's
less one, the owner of an ephemeral is the entry's lease. `meta` has the rest:

    flags u8 | ctime u64 | mtime u64 | ttl u64 if HAS_TTL | czxid u64, base i32 if MOVED | ACL unless open

MOVED stands where revision and version of the entry are not the znode's: of the znodes that are there without
an entry (their first write is version 1), and of one that was deleted and made anew, or written twice, in one
multi, as a commit puts a key only once. version is the entry's less `base`.

A value may have been put without a meta (before this face was there): such a znode is open to all, its times
are zero.
"""

from __future__ import annotations

from struct import Struct

import msgspec

from cloudlet.coord.zookeeper.paths import ZNODES
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.keys import NO_LEASE, Entry, LeaseId, Put

NULL_DATA, CONTAINER, HAS_TTL, HAS_ACL, MOVED = 1, 2, 4, 8, 16

TIMES = Struct(">BQQ")
_ttl = Struct(">Q")
_moved = Struct(">Qi")
EPHEMERAL_KINDS = CONTAINER | HAS_TTL


class Znode(msgspec.Struct, gc=False):
    """A znode as the entry under its key tells."""

    path: str
    data: bytes | None
    czxid: int
    mzxid: int
    ctime: int
    mtime: int
    version: int
    owner: LeaseId  # the session of an ephemeral
    flags: int
    ttl: int
    acl: bytes
    entry: Entry | None = None  # under its key now; None: not looked up, or none


class Side(msgspec.Struct, gc=False):
    """What changes of a znode without its data being set; only those that differ from a fresh one have it.

    `children` is counted from the tree, the rest is kept.
    """

    creates: int = 0  # of children; never goes back, so it names the next sequential one
    pzxid: int = 0  # of the last change of the children; 0: none yet
    aversion: int = 0
    acl: bytes | None = None  # since it was set anew
    children: int = 0
    is_kept: bool = False

    def copy(self) -> Side:
        return Side(self.creates, self.pzxid, self.aversion, self.acl, self.children, self.is_kept)


class SideRecord(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A side as it is kept."""

    creates: int = 0
    pzxid: int = 0
    aversion: int = 0
    acl: bytes | None = None


encode_side = msgspec.msgpack.Encoder().encode
decode_side = msgspec.msgpack.Decoder(SideRecord).decode


def read(path: str, entry: Entry) -> Znode:
    """The znode of an entry."""
    meta = entry.meta
    value: bytes | None = entry.value
    if len(meta) < TIMES.size:
        return Znode(
            path, value, entry.create_revision, entry.mod_revision, 0, 0, entry.version - 1, entry.lease,
            0, 0, b"", entry,
        )  # fmt: skip
    flags, ctime, mtime = TIMES.unpack_from(meta)
    if flags == 0:
        return Znode(
            path, value, entry.create_revision, entry.mod_revision, ctime, mtime, entry.version - 1,
            entry.lease, 0, 0, b"", entry,
        )  # fmt: skip
    at = TIMES.size
    ttl, czxid, base = 0, int(entry.create_revision), 1
    if flags & HAS_TTL:
        (ttl,) = _ttl.unpack_from(meta, at)
        at += _ttl.size
    if flags & MOVED:
        czxid, base = _moved.unpack_from(meta, at)
        at += _moved.size
    if flags & NULL_DATA and not value:
        value = None
    return Znode(
        path, value, czxid, entry.mod_revision, ctime, mtime, entry.version - base, entry.lease,
        flags, ttl, meta[at:] if flags & HAS_ACL else b"", entry,
    )  # fmt: skip


def written(key: bytes, znode: Znode, before: Entry | None, zxid: int) -> Put:
    """The put that makes an entry tell this znode; `before` is the one under the key now."""
    flags = znode.flags & EPHEMERAL_KINDS
    base = (before.version if before is not None else 0) + 1 - znode.version
    born = before.create_revision if before is not None else zxid
    if base != 1 or born != znode.czxid:
        flags |= MOVED
    if znode.data is None:
        flags |= NULL_DATA
    if znode.acl:
        flags |= HAS_ACL
    meta = TIMES.pack(flags, znode.ctime, znode.mtime)
    if flags:
        if flags & HAS_TTL:
            meta += _ttl.pack(znode.ttl)
        if flags & MOVED:
            meta += _moved.pack(znode.czxid, base)
        meta += znode.acl
    return Put(key, znode.data or b"", meta, znode.owner)


def meta_beside(clock: Clock, key: bytes, before: Entry | None) -> bytes:
    """What stands beside a value that another face puts: of a znode what it has, set now; else what was
    there."""
    if not key.startswith(ZNODES):
        return before.meta if before is not None else b""
    cloud_ms = clock.cloud_ms()
    if before is None or len(before.meta) < TIMES.size:
        return TIMES.pack(0, cloud_ms, cloud_ms)
    flags, ctime, _ = TIMES.unpack_from(before.meta)
    return TIMES.pack(flags, ctime, cloud_ms) + before.meta[TIMES.size :]


def fresh(path: str, data: bytes | None, zxid: int, now_ms: int) -> Znode:
    """A znode that is made now."""
    return Znode(path, data, zxid, zxid, now_ms, now_ms, 0, NO_LEASE, 0, 0, b"")
