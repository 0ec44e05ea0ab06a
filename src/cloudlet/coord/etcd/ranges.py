"""etcd's ranges as the store's: keys of the face, half-open, with etcd's two special ends.

State   none
Source  etcd 3.6, RangeRequest: an empty range_end is one key, "\\0" is everything from key on
Absent  none
"""

from __future__ import annotations

from cloudlet.kernel.keys import Entry
from cloudlet.kernel.spaces import ETCD, ETCD_STOP
from cloudlet.wire import etcd_messages as pb

FROM_KEY = b"\0"


def stored(key: bytes) -> bytes:
    """Where the store keeps a key."""
    return ETCD + key


def range_of(key: bytes, range_end: bytes) -> tuple[bytes, bytes]:
    """The store's range (start, stop) of a request; an empty one where the end is not above the key."""
    if not range_end:
        return ETCD + key, ETCD + key + b"\0"
    return ETCD + key, ETCD_STOP if range_end == FROM_KEY else ETCD + range_end


def key_value(entry: Entry, *, with_value: bool = True) -> pb.KeyValue:
    """An entry as clients see it."""
    return pb.KeyValue(
        key=entry.key[1:],
        create_revision=entry.create_revision,
        mod_revision=entry.mod_revision,
        version=entry.version,
        value=entry.value if with_value else b"",
        lease=entry.lease,
    )
