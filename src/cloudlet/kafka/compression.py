"""Decompresses the records of a batch.

State   none
Source  Apache Kafka, KIP-98 and KIP-110: codec ids; RFC 1952
Absent  snappy, lz4, zstd: Unreadable
"""

from __future__ import annotations

import zlib

from cloudlet.kernel.fault import ProtocolError

GZIP = 1
RECORDS_BYTES_MAX = 256 << 20
"""The most that a batch may hold: a small batch could ask for any amount of memory else."""


class Unreadable(Exception):
    """The records are compressed with a codec that is not read here."""


def decompress(codec: int, data: bytes) -> bytes:
    """The records as they were. ProtocolError for damage, Unreadable for a codec that is not read."""
    if codec != GZIP:
        raise Unreadable(f"codec {codec}")
    reader = zlib.decompressobj(wbits=31)
    try:
        found = reader.decompress(data, RECORDS_BYTES_MAX)
    except zlib.error as error:
        raise ProtocolError(f"records that do not decompress: {error}") from error
    if not reader.eof:
        raise ProtocolError("records that decompress to too much, or are cut short")
    return found
