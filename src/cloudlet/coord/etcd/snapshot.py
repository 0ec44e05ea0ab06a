"""A snapshot as etcd saves it: a file of bbolt's that `etcdutl snapshot restore` makes a member's data of.

State   none
Source  etcd 3.6: server/storage/schema (buckets and their keys), mvcc (key_index, revisions), lease/leasepb,
        v3rpc/maintenance (the sum behind the file)
Absent  users and roles: etcd keeps passwords by another hash; revisions before that of the snapshot, as after
        a compaction to it

The file holds each key as it is at the snapshot's revision, under the revision that has put it, and says that
all before is compacted. An etcd that starts from it goes on with the revision behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from heapq import merge
from typing import NamedTuple

import orjson

from cloudlet.coord.etcd.ranges import key_value
from cloudlet.kernel.keys import Entry, Lease, LocalKeys, Revision
from cloudlet.kernel.spaces import ETCD, ETCD_STOP
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.bbolt import BboltFile, Items, Pairs
from cloudlet.wire.protobuf import encode, varint

MS = 1000
ROWS_A_TURN = 2_000
EMPTY = ("alarm", "auth", "authRoles", "authUsers", "members_removed")  # as etcd's first start leaves them

Row = tuple[int, int, Entry]
"""An entry under the two numbers of its revision: that of the commit, and its place in it."""


class KeyRows:
    """The bucket `key`."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, index: int) -> bytes:
        main, sub, _ = self._rows[index]
        return revision_key(main, sub)

    def value_bytes(self, index: int) -> int:
        entry = self._rows[index][2]
        key = len(entry.key) - 1
        size = 1 + width(key) + key
        for number in (entry.create_revision, entry.mod_revision, entry.version, entry.lease):
            size += 1 + width(number) if number else 0
        value = len(entry.value)
        return size + (1 + width(value) + value if value else 0)

    def value(self, index: int) -> bytes:
        return encode(key_value(self._rows[index][2]))


def width(number: int) -> int:
    """How many bytes a varint takes."""
    return -(-number.bit_length() // 7) or 1


def revision_key(main: int, sub: int) -> bytes:
    return main.to_bytes(8) + b"_" + sub.to_bytes(8)


def lease_pair(lease: Lease) -> tuple[bytes, bytes]:
    """A row of the bucket `lease`: leasepb.Lease, whose fields are ID and TTL."""
    return lease.id.to_bytes(8), b"\x08" + varint(lease.id) + b"\x10" + varint(lease.ttl_ms // MS)


class Cluster(NamedTuple):
    """What is told of whom the data is of; `version` is that of the store's form."""

    member: pb.Member
    version: str
    term: int


def buckets(
    rows: Sequence[Row], leases: Sequence[Lease], revision: Revision, cluster: Cluster
) -> list[tuple[bytes, Items]]:
    """What the file holds."""
    member, version, term = cluster
    here = revision_key(revision, 0)
    told = {
        "id": member.ID, "peerURLs": member.peerURLs, "name": member.name, "clientURLs": member.clientURLs,
    }  # fmt: skip
    state = {"voters": [member.ID], "auto_leave": False}
    meta = [
        (b"confState", orjson.dumps(state)),
        (b"consistent_index", (1).to_bytes(8)),
        (b"finishedCompactRev", here),
        (b"scheduledCompactRev", here),
        (b"storageVersion", version.encode()),
        (b"term", term.to_bytes(8)),
    ]
    found: list[tuple[bytes, Items]] = [
        (b"key", KeyRows(rows)),
        (b"meta", Pairs(meta)),
        (b"lease", Pairs([lease_pair(lease) for lease in leases])),
        (b"members", Pairs([(f"{member.ID:x}".encode(), orjson.dumps(told))])),
        (b"cluster", Pairs([(b"clusterVersion", version.encode())])),
    ]
    return found + [(name.encode(), Pairs()) for name in EMPTY]


async def ordered(entries: Sequence[Entry]) -> list[Row]:
    """By their revisions, and by keys where these are alike, over many turns of the loop."""
    runs = []
    for at in range(0, len(entries), ROWS_A_TURN):
        some = entries[at : at + ROWS_A_TURN]
        runs.append(sorted((int(entry.mod_revision), entry.key, entry) for entry in some))
        await asyncio.sleep(0)
    rows: list[Row] = []
    before, sub = 0, 0
    for main, _, entry in merge(*runs):
        sub = sub + 1 if main == before else 0
        before = main
        rows.append((main, sub, entry))
        if len(rows) % ROWS_A_TURN == 0:
            await asyncio.sleep(0)
    return rows


async def snapshot_of(keys: LocalKeys, cluster: Cluster) -> AsyncIterator[tuple[bytes, int]]:
    """The file piece by piece, and how many bytes are still to come; last its SHA-256. Other
    calls have a turn between them."""
    await keys.settle(keys.head)
    revision = keys.settled
    leases = keys.leases()
    rows = await ordered(await keys.scan_at(revision, ETCD, ETCD_STOP))
    file = BboltFile(buckets(rows, leases, revision, cluster))
    for _ in file.measured():
        await asyncio.sleep(0)
    digest, left = sha256(), file.size_bytes
    for piece in file.written():
        digest.update(piece)
        left -= len(piece)
        yield piece, left
        await asyncio.sleep(0)
    yield digest.digest(), 0
