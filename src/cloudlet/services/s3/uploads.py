"""Uploads in parts: begun, filled, completed, aborted, listed.

State   see parts.py
Source  S3 API Reference 2006-03-01, CreateMultipartUpload, UploadPart, CompleteMultipartUpload,
        AbortMultipartUpload, ListParts, ListMultipartUploads; docs/sources/s3.md
Absent  UploadPartCopy

    Completing again what is complete answers as the first time did (completed.py). In the commit that makes
    the object, the upload and all of its parts go: those that were not listed leave blobs that nobody names.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, cast
from urllib.parse import quote

from cloudlet.aws.bodies import Intake
from cloudlet.aws.record import decoder
from cloudlet.aws.request import Prefix
from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.tuples import pack, successor
from cloudlet.services.s3.buckets import check_acl, find_bucket
from cloudlet.services.s3.completed import (
    Completed,
    check_same,
    completed_before,
    completed_key,
    too_old,
)
from cloudlet.services.s3.faults import (
    BadDigest,
    ConditionalConflict,
    EntityTooLarge,
    InvalidRequest,
    NoSuchUpload,
    s3,
)
from cloudlet.services.s3.headers import (
    CHECKSUM_MEMBERS,
    check_described,
    content_of,
    metadata_of,
    tags_given,
)
from cloudlet.services.s3.incoming import bad_digest, md5_of
from cloudlet.services.s3.listing import common_prefixes
from cloudlet.services.s3.paging import PAGE_MAX, page_of, spelling_of
from cloudlet.services.s3.parts import (
    DEFAULT_CHECKSUM,
    Part,
    Upload,
    Whole,
    assembled,
    check_algorithm,
    check_number,
    checksum_asked,
    in_order,
    parts_key,
    upload_key,
    uploads_of,
)
from cloudlet.services.s3.reading import check_write
from cloudlet.services.s3.state import ENABLED, STANDARD, Object, canonical_id
from cloudlet.services.s3.versions import newest_of, placed, present
from cloudlet.services.s3.walk import Span, behind, group_of, take

if TYPE_CHECKING:
    from cloudlet.aws.bodies import Body
    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

PART_BYTES_MAX = 5 << 30
ID_TOKEN_BYTES = 24
ARN = "arn:aws:s3:::{Bucket}/{Key}"
SUMS = (*CHECKSUM_MEMBERS.values(), "ChecksumAlgorithm")
HARMLESS = ("RequestPayer", *SUMS)


def find_upload(rq: Request, bucket: str, key: str, upload_id: str) -> Upload:
    """The upload, guarded; NoSuchUpload."""
    upload = rq.get(upload_key(bucket, key, upload_id), Upload)
    if upload is None:
        raise NoSuchUpload(NoSuchUpload.message, UploadId=upload_id)
    return upload


# --- begun and filled


@s3.op(resource=ARN, action="s3:PutObject", harmless=["RequestPayer"])
def create_multipart_upload(
    rq: Request, p: shapes.CreateMultipartUploadRequest
) -> shapes.CreateMultipartUploadOutput:
    """Begin an upload; the object will have what is said of it here."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    check_acl("CreateMultipartUpload", p.ACL)
    check_described("CreateMultipartUpload", p)
    algorithm, kind = checksum_asked("CreateMultipartUpload", p.ChecksumAlgorithm, p.ChecksumType)
    upload_id = f"{rq.now_ms:012x}{rq.token(ID_TOKEN_BYTES).hex()}"
    upload = Upload(
        account=rq.account,
        initiator=rq.call.caller.arn,
        initiated_ms=rq.now_ms,
        checksum_algorithm=algorithm,
        checksum_type=kind,
        content=content_of(p),
        metadata=metadata_of(p),
        tags=tags_given(p),
        storage_class=p.StorageClass or STANDARD,
    )
    rq.commit(put={upload_key(p.Bucket, p.Key, upload_id): upload})
    result: shapes.CreateMultipartUploadOutput = {"Bucket": p.Bucket, "Key": p.Key, "UploadId": upload_id}
    if algorithm:
        result["ChecksumAlgorithm"] = algorithm
        result["ChecksumType"] = kind
    return result


def admit_part(rq: Request, p: shapes.UploadPartRequest) -> Intake:
    """Refuse early what can be told from the head; the sums that are wanted of the part."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    check_number(p.PartNumber)
    upload = find_upload(rq, p.Bucket, p.Key, p.UploadId)
    if p.ContentMD5 is not None:
        md5_of(p.ContentMD5)
    return Intake(PART_BYTES_MAX, EntityTooLarge, ("MD5", upload.checksum_algorithm or DEFAULT_CHECKSUM))


@s3.op(
    resource=ARN, action="s3:PutObject", admit=admit_part, harmless=[*HARMLESS, "ContentLength"], is_data=True
)
def upload_part(rq: Request, p: shapes.UploadPartRequest, body: Body) -> shapes.UploadPartOutput:
    """Keep a part, in the place of one with the same number."""
    md5 = body.digests["MD5"]
    if p.ContentMD5 is not None and md5_of(p.ContentMD5) != md5:
        raise bad_digest(p.ContentMD5, md5, is_part=True)
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    check_algorithm(find_upload(rq, p.Bucket, p.Key, p.UploadId), body.promised)
    sums = {algorithm: sum_ for algorithm, sum_ in body.digests.items() if algorithm != "MD5"}
    part = Part(body.blob or BlobId(""), body.size_bytes, md5, sums, rq.now_ms)
    rq.commit(put={(*parts_key(p.Bucket, p.UploadId), p.PartNumber): part})
    result: dict[str, object] = {"ETag": f'"{md5.hex()}"'}
    if body.promised is not None:
        shown = base64.b64encode(body.digests[body.promised]).decode()
        result[CHECKSUM_MEMBERS[body.promised]] = shown
    return cast("shapes.UploadPartOutput", result)


# --- completed and aborted


@s3.op(resource=ARN, action="s3:PutObject", harmless=HARMLESS)
def complete_multipart_upload(
    rq: Request, p: shapes.CompleteMultipartUploadRequest
) -> shapes.CompleteMultipartUploadOutput:
    """Make the listed parts the newest version of the key."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    given = (p.MultipartUpload.Parts if p.MultipartUpload else None) or []
    newest = newest_of(rq, bucket, p.Key)
    upload = rq.get(upload_key(p.Bucket, p.Key, p.UploadId), Upload)
    if upload is None:
        before = completed_before(rq, p.Bucket, p.Key, p.UploadId)
        if before is None:
            raise NoSuchUpload(NoSuchUpload.message, UploadId=p.UploadId)
        check_same(before, p.UploadId, given)
        return told(rq, p.Bucket, before)
    listed = in_order(given, p.UploadId)
    if p.IfMatch is not None or p.IfNoneMatch is not None:
        check_write(p.Key, present(newest), p.IfMatch, p.IfNoneMatch)
        check_undisturbed(p, upload, newest)
    check_type(p, upload)
    parts = {cast(int, key[-1]): part for key, part in rq.scan(parts_key(p.Bucket, p.UploadId), Part)}
    whole = assembled(upload, p.UploadId, parts, listed)
    check_whole(p, whole)
    new = Object(
        ordinal=1,
        version_id="",
        modified_ms=rq.now_ms,
        size_bytes=whole.size_bytes,
        etag=whole.etag,
        pieces=whole.pieces,
        checksum_algorithm=whole.checksum_algorithm,
        checksum=whole.checksum,
        checksum_type=whole.checksum_type,
        content=upload.content,
        metadata=upload.metadata,
        tags=upload.tags,
        storage_class=upload.storage_class,
        part_checksums=whole.part_checksums,
    )
    new, change = placed(rq, bucket, p.Key, new, newest)
    made = Completed(
        p.Key,
        rq.now_ms,
        new.etag,
        new.version_id if bucket.versioning == ENABLED else "",
        new.checksum_algorithm,
        new.checksum,
        new.checksum_type,
    )
    parts_gone = Prefix(parts_key(p.Bucket, p.UploadId))
    rq.commit(
        put={**change.put, completed_key(p.Bucket, p.UploadId): made},
        drop=[
            *change.drop,
            upload_key(p.Bucket, p.Key, p.UploadId),
            parts_gone,
            *too_old(rq, p.Bucket),
        ],
    )
    return told(rq, p.Bucket, made)


def check_undisturbed(
    p: shapes.CompleteMultipartUploadRequest, upload: Upload, newest: Object | None
) -> None:
    """Refuse a conditional completion where the key was written, or a marker put, since the upload began."""
    if newest is not None and newest.modified_ms > upload.initiated_ms:
        condition = "If-Match" if p.IfMatch is not None else "If-None-Match"
        raise ConditionalConflict(ConditionalConflict.message, Condition=condition, Key=p.Key)


def check_type(p: shapes.CompleteMultipartUploadRequest, upload: Upload) -> None:
    """Refuse another checksum type than the upload was begun with."""
    if p.ChecksumType is not None and p.ChecksumType != upload.checksum_type:
        kind = upload.checksum_type or "null"
        raise InvalidRequest(
            f"The upload was created using the {kind} checksum mode. The complete request must use the same "
            "checksum mode."
        )


def check_whole(p: shapes.CompleteMultipartUploadRequest, whole: Whole) -> None:
    """Refuse where the whole is not what its maker says that it is."""
    if p.MpuObjectSize is not None and p.MpuObjectSize != whole.size_bytes:
        raise InvalidRequest(
            f"The provided 'x-amz-mp-object-size' header value {p.MpuObjectSize} does not match what was "
            f"computed: {whole.size_bytes}"
        )
    accepted = {whole.checksum, whole.checksum.partition("-")[0]}  # the number of parts may be left out
    for algorithm, member in CHECKSUM_MEMBERS.items():
        given = getattr(p, member)
        if given is not None and (algorithm != whole.checksum_algorithm or given not in accepted):
            raise BadDigest(f"The {algorithm.lower()} you specified did not match the calculated checksum.")


def told(rq: Request, bucket: str, made: Completed) -> shapes.CompleteMultipartUploadOutput:
    """What is told of a completed upload."""
    result: dict[str, object] = {
        "Location": f"{rq.call.base_url}/{bucket}/{quote(made.key, safe='/~')}",
        "Bucket": bucket,
        "Key": made.key,
        "ETag": f'"{made.etag}"',
        CHECKSUM_MEMBERS[made.checksum_algorithm]: made.checksum,
        "ChecksumType": made.checksum_type,
    }
    if made.version_id:
        result["VersionId"] = made.version_id
    return cast("shapes.CompleteMultipartUploadOutput", result)


@s3.op(resource=ARN, harmless=["RequestPayer"])
def abort_multipart_upload(rq: Request, p: shapes.AbortMultipartUploadRequest) -> None:
    """Forget an upload and its parts; nothing is left to forget of one that was completed."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    if rq.get(upload_key(p.Bucket, p.Key, p.UploadId), Upload) is None:
        if completed_before(rq, p.Bucket, p.Key, p.UploadId) is not None:
            return
        raise NoSuchUpload(NoSuchUpload.message, UploadId=p.UploadId)
    rq.commit(drop=[upload_key(p.Bucket, p.Key, p.UploadId), Prefix(parts_key(p.Bucket, p.UploadId))])


# --- listed


@s3.op(resource=ARN, action="s3:ListMultipartUploadParts", harmless=["RequestPayer"])
def list_parts(rq: Request, p: shapes.ListPartsRequest) -> shapes.ListPartsOutput:
    """A page of an upload's parts, those behind a number."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    upload = find_upload(rq, p.Bucket, p.Key, p.UploadId)
    limit = page_of(p.MaxParts, "max-parts")
    marker = p.PartNumberMarker or 0
    page_of(marker, "part-number-marker")
    space = parts_key(p.Bucket, p.UploadId)
    found = rq.glance(space, Part, after=(*space, marker), limit=limit + 1)
    numbers = [cast(int, key[-1]) for key, _ in found[:limit]]
    result: shapes.ListPartsOutput = {
        "Bucket": p.Bucket,
        "Key": p.Key,
        "UploadId": p.UploadId,
        "PartNumberMarker": marker,
        "NextPartNumberMarker": numbers[-1] if numbers else 0,
        "MaxParts": limit,
        "IsTruncated": limit > 0 and len(found) > limit,
        "Parts": [
            part_shown(number, part, upload) for number, (_, part) in zip(numbers, found, strict=False)
        ],
        "Initiator": {"ID": upload.initiator},
        "Owner": {"ID": canonical_id(upload.account)},
        "StorageClass": upload.storage_class,
    }
    if upload.checksum_algorithm:
        result["ChecksumAlgorithm"] = upload.checksum_algorithm
        result["ChecksumType"] = upload.checksum_type
    return result


def part_shown(number: int, part: Part, upload: Upload) -> shapes.Part:
    """A part in a listing, with the sum that its upload is made with."""
    shown: dict[str, object] = {
        "PartNumber": number,
        "LastModified": part.modified_ms // 1000,
        "ETag": f'"{part.md5.hex()}"',
        "Size": part.size_bytes,
    }
    algorithm = upload.checksum_algorithm
    if algorithm:
        shown[CHECKSUM_MEMBERS[algorithm]] = base64.b64encode(part.sums[algorithm]).decode()
    return cast("shapes.Part", shown)


@s3.op(resource="arn:aws:s3:::{Bucket}", action="s3:ListBucketMultipartUploads", harmless=["RequestPayer"])
def list_multipart_uploads(
    rq: Request, p: shapes.ListMultipartUploadsRequest
) -> shapes.ListMultipartUploadsOutput:
    """A page of a bucket's uploads by key, of one key by their time."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    spell = spelling_of(p.EncodingType)
    limit = page_of(p.MaxUploads, "max-uploads")
    prefix, delimiter, marker = p.Prefix or "", p.Delimiter or "", p.KeyMarker or ""
    space = uploads_of(p.Bucket)
    start = behind(space, marker, prefix, delimiter) if marker else b""
    if marker and p.UploadIdMarker and group_of(marker, prefix, delimiter) is None:
        start = successor(pack((*space, marker, p.UploadIdMarker)))
    page = take(Span(rq.entries, space, prefix, start), prefix, delimiter, limit)
    last = page.rows[-1] if page.rows and page.rows[-1].key == page.last else None
    uploads: list[shapes.MultipartUpload] = []
    for row in page.rows:
        upload = decoder(Upload).decode(row.entry.value)
        shown: shapes.MultipartUpload = {
            "UploadId": str(row.rest[0]),
            "Key": spell(row.key),
            "Initiated": upload.initiated_ms // 1000,
            "StorageClass": upload.storage_class,
            "Owner": {"ID": canonical_id(upload.account)},
            "Initiator": {"ID": upload.initiator},
        }
        if upload.checksum_algorithm:
            shown["ChecksumAlgorithm"] = upload.checksum_algorithm
            shown["ChecksumType"] = upload.checksum_type
        uploads.append(shown)
    result: shapes.ListMultipartUploadsOutput = {
        "Bucket": p.Bucket,
        "KeyMarker": spell(marker),
        "UploadIdMarker": p.UploadIdMarker or "",
        "NextKeyMarker": spell(page.last) if page.is_truncated or last else "",
        "NextUploadIdMarker": str(last.rest[0]) if last else "",
        "MaxUploads": PAGE_MAX if p.MaxUploads is None else limit,
        "IsTruncated": page.is_truncated,
        "Uploads": uploads,
        "CommonPrefixes": common_prefixes(page, spell),
    }
    if prefix:
        result["Prefix"] = spell(prefix)
    if delimiter:
        result["Delimiter"] = spell(delimiter)
    if p.EncodingType is not None:
        result["EncodingType"] = p.EncodingType
    return result
