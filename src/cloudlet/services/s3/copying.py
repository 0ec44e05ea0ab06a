"""CopyObject: a new version that names the bytes of another one; no byte moves, some are read.

State   see state.py
Source  S3 API Reference 2006-03-01, CopyObject; docs/sources/s3.md
Absent  access points as a source

A copy is an object that came whole: where its source was uploaded in parts, its ETag and a checksum that was
one over the parts' checksums are computed anew, and so is a checksum of another algorithm that is asked for.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import unquote, unquote_plus

import msgspec

from cloudlet.aws.bodies import Slice
from cloudlet.aws.service import Access
from cloudlet.services.s3.buckets import check_acl, find_bucket
from cloudlet.services.s3.faults import (
    InvalidRequest,
    failed,
    invalid_argument,
    not_implemented,
    s3,
)
from cloudlet.services.s3.headers import (
    check_described,
    checksum_shown,
    content_of,
    metadata_of,
    tags_given,
)
from cloudlet.services.s3.parts import COMPOSITE, FULL_OBJECT, checksum_asked
from cloudlet.services.s3.reading import Conditions, check_write, parts_of
from cloudlet.services.s3.state import ENABLED, STANDARD, Object
from cloudlet.services.s3.versions import newest_of, placed, present, read_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

SOURCE_BYTES_MAX = 5 << 30
COPY, REPLACE = "COPY", "REPLACE"
VERSION_MARK = "?versionId="


class Source(NamedTuple):
    """What an x-amz-copy-source header names."""

    bucket: str
    key: str
    version_id: str | None


def source_of(header: str) -> Source:
    """bucket/key, encoded as in a form, with or without a slash in front and a version behind."""
    path, mark, version_id = header.partition(VERSION_MARK)
    if unquote(header).startswith("arn:"):
        raise not_implemented("CopyObject", "access points as a source")
    bucket, slash, key = unquote_plus(path).removeprefix("/").partition("/")
    if not (bucket and slash and key):
        raise invalid_argument("Invalid copy source object key", "x-amz-copy-source", "x-amz-copy-source")
    return Source(bucket, key, unquote(version_id) if mark else None)


def accesses(_: Request, params: msgspec.Struct) -> Sequence[Access]:
    """A copy reads one object and writes another."""
    p = cast("shapes.CopyObjectRequest", params)
    source = source_of(p.CopySource)
    action = "s3:GetObject" if source.version_id is None else "s3:GetObjectVersion"
    return [
        Access(action, f"arn:aws:s3:::{source.bucket}/{source.key}", {}),
        Access("s3:PutObject", f"arn:aws:s3:::{p.Bucket}/{p.Key}", {}),
    ]


@s3.op(resource=accesses, harmless=["RequestPayer"], is_data=True)
def copy_object(rq: Request, p: shapes.CopyObjectRequest) -> shapes.CopyObjectOutput:
    """Make the newest version of a key out of another object."""
    check_acl("CopyObject", p.ACL)
    check_described("CopyObject", p)
    source = source_of(p.CopySource)
    from_bucket = find_bucket(rq, source.bucket, p.ExpectedSourceBucketOwner)
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    found = read_version(rq, from_bucket, source.key, source.version_id)
    check_source(p, source, found, rq.now_ms)
    algorithm, _ = checksum_asked("CopyObject", p.ChecksumAlgorithm, None)
    newest = newest_of(rq, bucket, p.Key)
    if p.IfMatch is not None or p.IfNoneMatch is not None:
        check_write(p.Key, present(newest), p.IfMatch, p.IfNoneMatch)
    keeps = directive("x-amz-metadata-directive", p.MetadataDirective) == COPY
    keeps_tags = directive("x-amz-tagging-directive", p.TaggingDirective) == COPY
    draft = msgspec.structs.replace(
        as_whole(rq, found, algorithm or found.checksum_algorithm),
        modified_ms=rq.now_ms,
        content=found.content if keeps else content_of(p),
        metadata=found.metadata if keeps else metadata_of(p),
        tags=found.tags if keeps_tags else tags_given(p),
        storage_class=p.StorageClass or STANDARD,
    )
    new, change = placed(rq, bucket, p.Key, draft, newest)
    rq.commit(put=change.put, drop=change.drop)
    copied = {"ETag": f'"{new.etag}"', "LastModified": new.modified_ms // 1000, **checksum_shown(new)}
    result: shapes.CopyObjectOutput = {"CopyObjectResult": cast("shapes.CopyObjectResult", copied)}
    if bucket.versioning == ENABLED:
        result["VersionId"] = new.version_id
    if from_bucket.versioning:
        result["CopySourceVersionId"] = found.version_id
    return result


def as_whole(rq: Request, found: Object, algorithm: str) -> Object:
    """The object as if its bytes had come in one piece, with a checksum of this algorithm."""
    is_in_parts = parts_of(found) > 0
    is_kept = algorithm == found.checksum_algorithm and found.checksum_type != COMPOSITE
    wanted = [*(["MD5"] if is_in_parts else []), *([] if is_kept else [algorithm])]
    if not wanted:
        return found
    slices = [Slice(piece.blob, 0, piece.size_bytes) for piece in found.pieces if piece.blob]
    sums = rq.sums(slices, wanted)
    return msgspec.structs.replace(
        found,
        etag=sums["MD5"].hex() if is_in_parts else found.etag,
        checksum_algorithm=algorithm,
        checksum=found.checksum if is_kept else base64.b64encode(sums[algorithm]).decode(),
        checksum_type=FULL_OBJECT,
        part_checksums=(),
    )


def directive(header: str, asked: str | None) -> str:
    """COPY or REPLACE."""
    if asked not in (None, COPY, REPLACE):
        raise invalid_argument(
            f"Unknown {header.removeprefix('x-amz-').replace('-', ' ')}.", header, asked or ""
        )
    return asked or COPY


def check_source(p: shapes.CopyObjectRequest, source: Source, found: Object, now_ms: int) -> None:
    """Refuse a source that does not meet its conditions, is too large, or would change nothing."""
    conditions = Conditions(
        p.CopySourceIfMatch,
        p.CopySourceIfNoneMatch,
        p.CopySourceIfModifiedSince,
        p.CopySourceIfUnmodifiedSince,
    )
    if broken := conditions.broken(found) or conditions.unchanged(found, now_ms):
        raise failed(f"x-amz-copy-source-{broken}")
    if found.size_bytes > SOURCE_BYTES_MAX:
        raise InvalidRequest(
            "The specified copy source is larger than the maximum allowable size for a copy source: "
            f"{SOURCE_BYTES_MAX}"
        )
    is_itself = (source.bucket, source.key, source.version_id) == (p.Bucket, p.Key, None)
    changes = (p.StorageClass, p.ServerSideEncryption)  # named they count, even where they are what they were
    if is_itself and p.MetadataDirective != REPLACE and changes == (None, None):
        raise InvalidRequest(
            "This copy request is illegal because it is trying to copy an object to itself without changing "
            "the object's metadata, storage class, website redirect location or encryption attributes."
        )
