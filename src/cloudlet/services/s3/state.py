"""What S3 keeps: buckets, and the versions of objects.

State   ("s3", "bucket", bucket)               -> Bucket
        ("s3", "object", bucket, key)          -> Object: the newest version, unless it is a marker
        ("s3", "version", bucket, key, rank)   -> Object: the other versions and the delete markers
Source  S3 User Guide, "Buckets overview", "How S3 Versioning works"; docs/sources/s3.md
Absent  none

    Versions of a key are numbered from 1 by their ordinal; rank counts down, so that a walk meets the newest
    first. A version id carries the ordinal, so a version is found without a walk. The null version may stand
    anywhere: the newest version of a key says where (`null_ordinal`) unless it is the null version itself.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from cloudlet.aws.record import Key, Record, decoder
from cloudlet.kernel.blobs import BlobId

NULL = "null"
ENABLED, SUSPENDED = "Enabled", "Suspended"
STANDARD = "STANDARD"

RANK_TOP = 2**62
TOKEN_BYTES = 16
ORDINAL_BYTES = 8
VERSION_ALPHABET = b"._"  # beside letters and digits; a hyphen in front would read as an option in a shell


class Bucket(Record):
    """A bucket. `versioning` is "" until it is first turned on; it then is Enabled or Suspended for good."""

    name: str
    account: str
    region: str
    created_ms: int
    versioning: str = ""
    is_asked_for_as_eu: bool = False


class Piece(NamedTuple):
    """A part of an object's body: a whole blob, or "" for a part without bytes."""

    blob: BlobId
    size_bytes: int


class Object(Record, array_like=True):
    """One version of an object, or a delete marker.

    `etag` is the MD5 in hex, with "-N" behind it where N parts were uploaded. `pieces` are its one blob, or
    one per part; none for an empty body. `content` are the headers to give back, by member: ContentType ….
    `checksum` is in base64; its type is FULL_OBJECT or COMPOSITE.
    """

    ordinal: int
    version_id: str
    modified_ms: int
    size_bytes: int
    etag: str
    pieces: tuple[Piece, ...] = ()
    is_marker: bool = False
    checksum_algorithm: str = ""
    checksum: str = ""
    checksum_type: str = ""
    content: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    storage_class: str = STANDARD
    null_ordinal: int = 0  # of the newest version alone: where the null version stands, 0 for nowhere below
    unused: str = ""  # a record is an array, in which every field keeps its place
    part_checksums: tuple[bytes, ...] = ()  # of each piece, by `checksum_algorithm`; of an object in parts


def bucket_key(bucket: str) -> Key:
    """Where a bucket is kept."""
    return ("s3", "bucket", bucket)


def objects_of(bucket: str) -> Key:
    """The space of a bucket's newest objects."""
    return ("s3", "object", bucket)


def versions_of(bucket: str) -> Key:
    """The space of a bucket's other versions and markers."""
    return ("s3", "version", bucket)


def object_key(bucket: str, key: str) -> Key:
    """Where the newest version of a key is kept, unless it is a marker."""
    return ("s3", "object", bucket, key)


def version_key(bucket: str, key: str, ordinal: int) -> Key:
    """Where a version is kept that is not the newest, or is a marker."""
    return ("s3", "version", bucket, key, rank_of(ordinal))


def rank_of(ordinal: int) -> int:
    """The place of a version among those of its key: the newest has the lowest."""
    return RANK_TOP - ordinal


def place_of(bucket: str, key: str, newest: Object) -> Key:
    """Where the newest version of a key is kept."""
    return version_key(bucket, key, newest.ordinal) if newest.is_marker else object_key(bucket, key)


# --- version ids


def version_id_of(ordinal: int, token: bytes) -> str:
    """The id of a version: 16 random bytes, and the ordinal veiled by them."""
    veil = int.from_bytes(token[:ORDINAL_BYTES], "big")
    raw = token + (ordinal ^ veil).to_bytes(ORDINAL_BYTES, "big")
    return base64.b64encode(raw, VERSION_ALPHABET).decode()


def ordinal_of(version_id: str) -> int | None:
    """The ordinal that a version id carries; None for text that is no id of ours."""
    try:
        raw = base64.b64decode(version_id.encode("ascii"), VERSION_ALPHABET, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != TOKEN_BYTES + ORDINAL_BYTES:
        return None
    return int.from_bytes(raw[TOKEN_BYTES:], "big") ^ int.from_bytes(raw[:ORDINAL_BYTES], "big")


# --- what is derived


@lru_cache(maxsize=256)
def canonical_id(account: str) -> str:
    """The canonical user id of an account: 64 hex digits."""
    return hashlib.sha256(b"cloudlet:" + account.encode()).hexdigest()


def blobs_of_object(value: bytes) -> Iterable[BlobId]:
    """The blobs that an object's record names."""
    return [piece.blob for piece in decoder(Object).decode(value).pieces if piece.blob]
