"""Objects: put, read, looked at, and taken to pieces.

State   see state.py
Source  S3 API Reference 2006-03-01, PutObject, GetObject, HeadObject, GetObjectAttributes; docs/sources/s3.md
Absent  appending (WriteOffsetBytes); checksums other than S3's five older ones; what headers.py lists
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import TYPE_CHECKING, cast

import msgspec

from cloudlet.aws.bodies import Intake, Slice, Slices
from cloudlet.aws.service import Answer
from cloudlet.services.s3.buckets import check_acl, find_bucket
from cloudlet.services.s3.faults import (
    EntityTooLarge,
    InvalidRequest,
    failed,
    invalid_argument,
    s3,
)
from cloudlet.services.s3.headers import (
    CHECKSUM_MEMBERS,
    check_described,
    checksum_shown,
    content_of,
    described,
    metadata_of,
    override,
    part_checksum_shown,
    tags_given,
)
from cloudlet.services.s3.incoming import bad_digest, md5_of
from cloudlet.services.s3.reading import (
    Conditions,
    Span,
    check_write,
    cut,
    part_span,
    parts_of,
    span_asked,
)
from cloudlet.services.s3.state import ENABLED, NULL, STANDARD, Object, Piece
from cloudlet.services.s3.versions import newest_of, placed, present, read_version

if TYPE_CHECKING:
    from cloudlet.aws.bodies import Body
    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

OBJECT_BYTES_MAX = 5 << 30  # of one PUT
ARN = "arn:aws:s3:::{Bucket}/{Key}"
FULL_OBJECT = "FULL_OBJECT"
DEFAULT_CHECKSUM = "CRC64NVME"
ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
PARTS_PAGE_MAX = 1000
PARTIAL, NOT_MODIFIED = 206, 304
NO_CONDITIONS = (None, None, None, None)
SHOWN_UNCHANGED = frozenset({"ETag", "LastModified", "CacheControl", "Expires", "VersionId"})

SUMMED = Intake(OBJECT_BYTES_MAX, EntityTooLarge, ("MD5",))  # a body that comes with a checksum
UNSUMMED = Intake(OBJECT_BYTES_MAX, EntityTooLarge, ("MD5", DEFAULT_CHECKSUM))

# The framework compares these sums with the body before the operation sees it.
SUMS = (*CHECKSUM_MEMBERS.values(), "ChecksumAlgorithm")
HARMLESS = ("RequestPayer", *SUMS)


# --- put


def admit_put(rq: Request, p: shapes.PutObjectRequest) -> Intake:
    """Refuse early what can be told from the head; the sums that are wanted of the body."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    check_acl("PutObject", p.ACL)
    check_described("PutObject", p)
    if p.IfMatch is not None or p.IfNoneMatch is not None:
        check_write(p.Key, present(newest_of(rq, bucket, p.Key)), p.IfMatch, p.IfNoneMatch)
    if p.ContentMD5 is not None:
        md5_of(p.ContentMD5)
    return SUMMED if is_summed(p) else UNSUMMED


def is_summed(p: shapes.PutObjectRequest) -> bool:
    """Whether the client sends a checksum, in a header or (then it names its algorithm) in a trailer."""
    sums = (p.ChecksumCRC32, p.ChecksumCRC32C, p.ChecksumCRC64NVME, p.ChecksumSHA1, p.ChecksumSHA256)
    absent = sums.count(None)
    if absent < len(sums) - 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    return absent < len(sums) or p.ChecksumAlgorithm is not None


@s3.op(resource=ARN, admit=admit_put, harmless=HARMLESS, is_data=True)
def put_object(rq: Request, p: shapes.PutObjectRequest, body: Body) -> shapes.PutObjectOutput:
    """Make the newest version of a key."""
    md5 = body.digests["MD5"]
    if p.ContentMD5 is not None and md5_of(p.ContentMD5) != md5:
        raise bad_digest(p.ContentMD5, md5)
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    newest = None  # of a bucket without versions the last writer wins, whatever was there
    is_conditional = p.IfMatch is not None or p.IfNoneMatch is not None
    if bucket.versioning or is_conditional:
        newest = newest_of(rq, bucket, p.Key)
        if is_conditional:
            check_write(p.Key, present(newest), p.IfMatch, p.IfNoneMatch)
    algorithm = body.promised or (DEFAULT_CHECKSUM if DEFAULT_CHECKSUM in body.digests else "")
    new = Object(
        ordinal=1,
        version_id=NULL,
        modified_ms=rq.now_ms,
        size_bytes=body.size_bytes,
        etag=md5.hex(),
        pieces=() if body.blob is None else (Piece(body.blob, body.size_bytes),),
        checksum_algorithm=algorithm,
        checksum=b2a_base64(body.digests[algorithm], newline=False).decode() if algorithm else "",
        checksum_type=FULL_OBJECT if algorithm else "",
        content=content_of(p),
        metadata=metadata_of(p),
        tags=tags_given(p),
        storage_class=p.StorageClass or STANDARD,
    )
    new, change = placed(rq, bucket, p.Key, new, newest)
    rq.commit(put=change.put, drop=change.drop)
    result: dict[str, object] = {"ETag": f'"{new.etag}"', **checksum_shown(new)}
    if bucket.versioning == ENABLED:
        result["VersionId"] = new.version_id
    return cast("shapes.PutObjectOutput", result)


# --- get and head


class Look(msgspec.Struct, frozen=True, gc=False):
    """What a read found: the object, the bytes that are wanted of it, and all of the answer but these."""

    found: Object
    span: Span
    result: dict[str, object]
    status: int | None = None


@s3.op(resource=ARN, harmless=["RequestPayer"], is_data=True)
def get_object(rq: Request, p: shapes.GetObjectRequest) -> Answer:
    """An object's bytes, all or a range of them."""
    look = looked_at(rq, p)
    if look.status != NOT_MODIFIED:
        stretches = cut(look.found.pieces, look.span)
        look.result["Body"] = Slices([Slice(piece.blob, start, stop) for piece, start, stop in stretches])
    return Answer(look.result, look.status)


@s3.op(resource=ARN, action="s3:GetObject", harmless=["RequestPayer"], is_data=True)
def head_object(rq: Request, p: shapes.HeadObjectRequest) -> Answer:
    """What a read would answer, without the bytes."""
    look = looked_at(rq, p)
    if look.status != NOT_MODIFIED:
        look.result["ContentLength"] = look.span.stop - look.span.start
    return Answer(look.result, look.status)


def looked_at(rq: Request, p: shapes.GetObjectRequest | shapes.HeadObjectRequest) -> Look:
    """Find what a read means, or refuse it."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    found = read_version(rq, bucket, p.Key, p.VersionId)
    whole = Span(0, found.size_bytes)
    result = described(bucket, found)
    given = (p.IfMatch, p.IfNoneMatch, p.IfModifiedSince, p.IfUnmodifiedSince)
    if given != NO_CONDITIONS:
        conditions = Conditions(*given)
        if broken := conditions.broken(found):
            raise failed(broken)
        if conditions.unchanged(found, rq.now_ms):
            kept = {name: value for name, value in result.items() if name in SHOWN_UNCHANGED}
            return Look(found, whole, kept, NOT_MODIFIED)
    override(result, p)
    span = None if p.Range is None and p.PartNumber is None else span_wanted(p.Range, p.PartNumber, found)
    if p.PartNumber is not None and parts_of(found):
        result["PartsCount"] = parts_of(found)
    is_asked = p.ChecksumMode is not None and p.ChecksumMode.upper() == "ENABLED"
    if span is None or not found.size_bytes:
        if is_asked:
            result.update(checksum_shown(found))
        return Look(found, whole, result)
    result["ContentRange"] = f"bytes {span.start}-{span.stop - 1}/{found.size_bytes}"
    if is_asked and p.PartNumber is not None and parts_of(found):
        if shown := part_checksum_shown(found, p.PartNumber):
            result.update(shown, ChecksumType=found.checksum_type)
    elif is_asked and span == whole:
        result.update(checksum_shown(found))
    return Look(found, span, result, PARTIAL)


def span_wanted(asked: str | None, part: int | None, found: Object) -> Span | None:
    """The bytes that a read asks for; None for all."""
    if part is None:
        return None if asked is None else span_asked(asked, found.size_bytes)
    if asked is not None:
        raise InvalidRequest("Cannot specify both Range header and partNumber query parameter")
    return part_span(found, part)


# --- attributes


@s3.op(resource=ARN, harmless=["RequestPayer"], is_data=True)
def get_object_attributes(
    rq: Request, p: shapes.GetObjectAttributesRequest
) -> shapes.GetObjectAttributesOutput:
    """Those attributes of an object that are asked for."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    found = read_version(rq, bucket, p.Key, p.VersionId)
    asked = frozenset(p.ObjectAttributes or ())
    if not asked or not asked <= ATTRIBUTES:
        raise invalid_argument(
            "Invalid attribute name specified.",
            "x-amz-object-attributes",
            ", ".join(sorted(asked - ATTRIBUTES)),
        )
    result: shapes.GetObjectAttributesOutput = {"LastModified": found.modified_ms // 1000}
    if bucket.versioning:
        result["VersionId"] = found.version_id
    if "ETag" in asked:
        result["ETag"] = found.etag
    if "Checksum" in asked and found.checksum_algorithm:
        shown = checksum_shown(found)
        member = CHECKSUM_MEMBERS[found.checksum_algorithm]
        # without the number of parts, which ObjectParts tells
        result["Checksum"] = cast("shapes.Checksum", {**shown, member: found.checksum.partition("-")[0]})
    if "ObjectParts" in asked and parts_of(found):
        result["ObjectParts"] = parts_shown(found, p.PartNumberMarker or 0, p.MaxParts)
    if "StorageClass" in asked:
        result["StorageClass"] = found.storage_class
    if "ObjectSize" in asked:
        result["ObjectSize"] = found.size_bytes
    return result


def parts_shown(found: Object, marker: int, parts_max: int | None) -> shapes.GetObjectAttributesParts:
    """A page of an object's parts, those behind the marker; but for their count S3 tells of those alone that
    came with checksums."""
    if not found.part_checksums:
        return {"TotalPartsCount": parts_of(found)}
    limit = PARTS_PAGE_MAX if parts_max is None else min(max(parts_max, 0), PARTS_PAGE_MAX)
    count = parts_of(found)
    last = min(marker + limit, count)
    return {
        "TotalPartsCount": count,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": last if last > marker else 0,
        "MaxParts": limit,
        "IsTruncated": last < count,
        "Parts": [
            cast(
                "shapes.ObjectPart",
                {
                    "PartNumber": number,
                    "Size": found.pieces[number - 1].size_bytes,
                    **part_checksum_shown(found, number),
                },
            )
            for number in range(marker + 1, last + 1)
        ],
    }
