"""Listings of a bucket: its objects, and all of their versions.

State   none of its own; reads the objects and versions of state.py
Source  S3 API Reference 2006-03-01, ListObjects, ListObjectsV2, ListObjectVersions; docs/sources/s3.md
Absent  OptionalObjectAttributes (RestoreStatus), refused by name
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.aws.pages import BadToken, seal, unseal
from cloudlet.aws.record import decoder
from cloudlet.aws.service import Answer, Result
from cloudlet.kernel.tuples import pack, prefix_range, successor
from cloudlet.services.s3.buckets import find_bucket
from cloudlet.services.s3.faults import InvalidArgument, invalid_argument, s3
from cloudlet.services.s3.paging import PAGE_MAX, Spell, page_of, spelling_of
from cloudlet.services.s3.state import (
    NULL,
    Bucket,
    Object,
    canonical_id,
    object_key,
    objects_of,
    ordinal_of,
    rank_of,
    versions_of,
)
from cloudlet.services.s3.versions import version_of
from cloudlet.services.s3.walk import (
    Merged,
    Page,
    Row,
    Span,
    behind,
    behind_group,
    behind_key,
    group_of,
    take,
)
from cloudlet.wire.aws.s3_spelling import Placed

if TYPE_CHECKING:
    from cloudlet.aws.record import Key
    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

OBJECT, GROUP = b"k", b"g"  # what a continuation token goes on behind


@s3.op(resource="arn:aws:s3:::{Bucket}", action="s3:ListBucket", harmless=["RequestPayer"])
def list_objects(rq: Request, p: shapes.ListObjectsRequest) -> Answer:
    """A page of a bucket's objects, behind a marker that is a key or a common prefix."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    owner: shapes.OwnerDict = {"ID": canonical_id(bucket.account)}
    spell = spelling_of(p.EncodingType)
    limit = page_of(p.MaxKeys, "maxKeys")
    prefix, delimiter, marker = p.Prefix or "", p.Delimiter or "", p.Marker or ""
    space = objects_of(p.Bucket)
    start = behind(space, marker, prefix, delimiter) if marker else b""
    page = take(Span(rq.entries, space, prefix, start), prefix, delimiter, limit)
    result: shapes.ListObjectsOutput = {
        "Name": p.Bucket,
        "Prefix": spell(prefix),
        "Marker": spell(marker),
        "MaxKeys": PAGE_MAX if p.MaxKeys is None else p.MaxKeys,
        "IsTruncated": page.is_truncated,
        "Contents": contents(page, spell, owner),
        "CommonPrefixes": common_prefixes(page, spell),
    }
    if delimiter:
        result["Delimiter"] = spell(delimiter)
        if page.is_truncated:
            result["NextMarker"] = spell(page.last)
    if p.EncodingType is not None:
        result["EncodingType"] = p.EncodingType
    return told(bucket, result)


@s3.op(resource="arn:aws:s3:::{Bucket}", action="s3:ListBucket", harmless=["RequestPayer"])
def list_objects_v2(rq: Request, p: shapes.ListObjectsV2Request) -> Answer:
    """A page of a bucket's objects, behind a key or where the token of the page before says."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    owner: shapes.OwnerDict = {"ID": canonical_id(bucket.account)}
    spell = spelling_of(p.EncodingType)
    prefix, delimiter = p.Prefix or "", p.Delimiter or ""
    space = objects_of(p.Bucket)
    start = b""
    if p.ContinuationToken is not None:
        start = resumed(space, p.ContinuationToken)
    elif p.StartAfter:
        start = behind_key(space, p.StartAfter)
    limit = page_of(p.MaxKeys, "maxKeys")
    page = take(Span(rq.entries, space, prefix, start), prefix, delimiter, limit)
    result: shapes.ListObjectsV2Output = {
        "Name": p.Bucket,
        "Prefix": spell(prefix),
        "MaxKeys": PAGE_MAX if p.MaxKeys is None else p.MaxKeys,
        "KeyCount": len(page.rows) + len(page.prefixes),
        "IsTruncated": page.is_truncated,
        "Contents": contents(page, spell, owner if p.FetchOwner else None),
        "CommonPrefixes": common_prefixes(page, spell),
    }
    if p.ContinuationToken is not None:
        result["ContinuationToken"] = p.ContinuationToken
    if p.StartAfter is not None and p.ContinuationToken is None:
        result["StartAfter"] = spell(p.StartAfter)
    if page.is_truncated:
        result["NextContinuationToken"] = token_of(space, page)
    if delimiter:
        result["Delimiter"] = spell(delimiter)
    if p.EncodingType is not None:
        result["EncodingType"] = p.EncodingType
    return told(bucket, result)


def told(bucket: Bucket, result: Result) -> Answer:
    """A page of objects, with the bucket's region beside it."""
    return Answer(result, headers=[("x-amz-bucket-region", bucket.region)])


def token_of(space: Key, page: Page) -> str:
    """The token of the page behind this one."""
    kind = GROUP if page.prefixes and page.prefixes[-1] == page.last else OBJECT
    return seal(listing_name(space), kind + page.last.encode())


def resumed(space: Key, token: str) -> bytes:
    """Where the page begins that a token stands for."""
    try:
        position = unseal(listing_name(space), token)
    except BadToken:
        raise InvalidArgument(
            "The continuation token provided is incorrect", ArgumentName="continuation-token"
        ) from None
    last = position[1:].decode()
    return behind_group(space, last) if position[:1] == GROUP else behind_key(space, last)


def listing_name(space: Key) -> str:
    """What a token is good for: any listing of the same bucket, as on AWS."""
    return repr(space)


def contents(page: Page, spell: Spell, owner: shapes.OwnerDict | None) -> list[shapes.Object]:
    """The objects of a page."""
    decode = decoder(Object).decode
    found: list[shapes.Object] = []
    for row in page.rows:
        record = decode(row.entry.value)
        shown: shapes.Object = {
            "Key": spell(row.key),
            "LastModified": record.modified_ms // 1000,
            "ETag": f'"{record.etag}"',
            "Size": record.size_bytes,
            "StorageClass": record.storage_class,
        }
        if record.checksum:
            shown["ChecksumAlgorithm"] = [record.checksum_algorithm]
            shown["ChecksumType"] = record.checksum_type
        if owner is not None:
            shown["Owner"] = owner
        found.append(shown)
    return found


def common_prefixes(page: Page, spell: Spell) -> list[shapes.CommonPrefix]:
    """The common prefixes of a page."""
    return [{"Prefix": spell(common)} for common in page.prefixes]


# --- versions


@s3.op(resource="arn:aws:s3:::{Bucket}", action="s3:ListBucketVersions", harmless=["RequestPayer"])
def list_object_versions(rq: Request, p: shapes.ListObjectVersionsRequest) -> shapes.ListObjectVersionsOutput:
    """A page of every version and delete marker, by key, of one key the newest first."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    owner: shapes.OwnerDict = {"ID": canonical_id(bucket.account)}
    spell = spelling_of(p.EncodingType)
    limit = page_of(p.MaxKeys, "maxKeys")
    prefix, delimiter, marker = p.Prefix or "", p.Delimiter or "", p.KeyMarker or ""
    if p.VersionIdMarker is not None and not p.KeyMarker:
        raise invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            p.VersionIdMarker,
        )
    current, older = starts(rq, p, bucket)
    rows = Merged(
        Span(rq.entries, objects_of(p.Bucket), prefix, current),
        Span(rq.entries, versions_of(p.Bucket), prefix, older),
    )
    page = take(rows, prefix, delimiter, limit)
    versions, markers = shown_versions(rq, p.Bucket, page, spell, owner)
    result: shapes.ListObjectVersionsOutput = {
        "Name": p.Bucket,
        "Prefix": spell(prefix),
        "KeyMarker": spell(marker),
        "VersionIdMarker": p.VersionIdMarker or "",
        "MaxKeys": PAGE_MAX if p.MaxKeys is None else p.MaxKeys,
        "IsTruncated": page.is_truncated,
        "Versions": versions,
        "DeleteMarkers": markers,
        "CommonPrefixes": common_prefixes(page, spell),
    }
    if page.is_truncated:
        result["NextKeyMarker"] = spell(page.last)
        if page.rows and page.rows[-1].key == page.last:
            result["NextVersionIdMarker"] = decoder(Object).decode(page.rows[-1].entry.value).version_id
    if delimiter:
        result["Delimiter"] = spell(delimiter)
    if p.EncodingType is not None:
        result["EncodingType"] = p.EncodingType
    return result


def starts(rq: Request, p: shapes.ListObjectVersionsRequest, bucket: Bucket) -> tuple[bytes, bytes]:
    """Where a page begins among the current versions, and where among the others."""
    current, older, marker = objects_of(p.Bucket), versions_of(p.Bucket), p.KeyMarker
    if not marker:
        return b"", b""
    prefix, delimiter = p.Prefix or "", p.Delimiter or ""
    if not p.VersionIdMarker or group_of(marker, prefix, delimiter) is not None:
        return behind(current, marker, prefix, delimiter), behind(older, marker, prefix, delimiter)
    ordinal = ordinal_of(p.VersionIdMarker)
    if p.VersionIdMarker == NULL:
        found = version_of(rq, bucket, marker, NULL)
        if found is None:
            # It went while its bucket was walked, and where it stood is not known: from the front of its key,
            # for who empties a bucket page by page must meet every version.
            return pack((*current, marker)), pack((*older, marker))
        ordinal = found.ordinal
    if ordinal is None:
        raise invalid_argument("Invalid version id specified", "version-id-marker", p.VersionIdMarker)
    newest = rq.get(object_key(p.Bucket, marker), Object)
    has_risen = newest is not None and newest.ordinal < ordinal  # to the front, since those before it went
    front = pack((*current, marker)) if has_risen else behind_key(current, marker)
    return front, successor(pack((*older, marker, rank_of(ordinal))))


def shown_versions(
    rq: Request, bucket: str, page: Page, spell: Spell, owner: shapes.OwnerDict
) -> tuple[Placed, Placed]:
    """The versions and the delete markers of a page, in the one order that they have together."""
    decode = decoder(Object).decode
    versions, markers = Placed(), Placed()
    before: str | None = None
    for place, row in enumerate(page.rows):
        record = decode(row.entry.value)
        is_latest = row.key != before and (not row.rest or is_newest(rq, bucket, row))
        before = row.key
        if record.is_marker:
            marker: shapes.DeleteMarkerEntry = {
                "Key": spell(row.key),
                "VersionId": record.version_id,
                "IsLatest": is_latest,
                "LastModified": record.modified_ms // 1000,
                "Owner": owner,
            }
            markers.put(marker, place)
            continue
        shown: shapes.ObjectVersion = {
            "Key": spell(row.key),
            "VersionId": record.version_id,
            "IsLatest": is_latest,
            "LastModified": record.modified_ms // 1000,
            "ETag": f'"{record.etag}"',
            "Size": record.size_bytes,
            "StorageClass": record.storage_class,
            "Owner": owner,
        }
        if record.checksum:
            shown["ChecksumAlgorithm"] = [record.checksum_algorithm]
            shown["ChecksumType"] = record.checksum_type
        versions.put(shown, place)
    return versions, markers


def is_newest(rq: Request, bucket: str, row: Row) -> bool:
    """Whether an entry among the older versions is a key's newest: it has none that is current."""
    current = pack((*objects_of(bucket), row.key))
    if rq.entries(current, successor(current), 1):
        return False
    first = rq.entries(*prefix_range((*versions_of(bucket), row.key)), 1)
    return bool(first) and first[0].key == row.entry.key
