"""Objects deleted: one or many, by key or by version.

State   see state.py
Source  S3 API Reference 2006-03-01, DeleteObject, DeleteObjects; S3 User Guide, "Deleting object versions",
        "Conditional deletes"; docs/sources/s3.md
Absent  MFA delete; conditions on size and time, which are directory buckets'
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from cloudlet.aws.service import Access, Several
from cloudlet.kernel.fault import Fault
from cloudlet.services.s3.buckets import find_bucket
from cloudlet.services.s3.faults import (
    InvalidArgument,
    MalformedXML,
    NoSuchKey,
    NoSuchVersion,
    failed,
    invalid_argument,
    s3,
)
from cloudlet.services.s3.objects import ARN
from cloudlet.services.s3.reading import names_etag
from cloudlet.services.s3.state import Object
from cloudlet.services.s3.versions import newest_of, placed, present, removed, version_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

KEYS_MAX = 1000
HARMLESS = ("RequestPayer",)
BYPASS = "x-amz-bypass-governance-retention"


class Gone(NamedTuple):
    """What a delete did: the version that it made (a marker) or took away, if the bucket has versions."""

    version_id: str | None = None
    is_marker: bool = False
    is_by_version: bool = False


@s3.op(resource=ARN, harmless=HARMLESS, is_data=True)
def delete_object(rq: Request, p: shapes.DeleteObjectRequest) -> shapes.DeleteObjectOutput:
    """Delete an object, put a marker before it, or take one version away; what is not there is no error."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    check_bypass(p.BypassGovernanceRetention)
    gone = deleted(rq, p.Bucket, p.Key, p.VersionId, p.IfMatch)
    result: shapes.DeleteObjectOutput = {}
    if gone.version_id is not None:
        result["VersionId"] = gone.version_id
    if gone.is_marker:
        result["DeleteMarker"] = True
    return result


def check_bypass(asked: bool | None) -> None:  # noqa: FBT001 - what the header says
    """No bucket has object locks, and where there are none S3 takes no word about them."""
    if asked is not None:
        raise InvalidArgument(
            f"{BYPASS} is only applicable to Object Lock enabled buckets.", ArgumentName=BYPASS
        )


def deleted(rq: Request, name: str, key: str, version_id: str | None, if_match: str | None) -> Gone:
    """Delete one key or version, as the whole commit of a call or step."""
    bucket = find_bucket(rq, name)
    if version_id is not None:
        if not version_id:
            raise invalid_argument("Version id cannot be the empty string", "versionId", "")
        if if_match is not None:  # "evaluations only apply to the current version of the object"
            check_match(key, present(newest_of(rq, bucket, key)), if_match)
        found = version_of(rq, bucket, key, version_id)
        if found is not None:
            change = removed(rq, bucket, key, found)
            rq.commit(put=change.put, drop=change.drop)
        shown = version_id if bucket.versioning else None
        return Gone(shown, found is not None and found.is_marker, is_by_version=True)
    newest = newest_of(rq, bucket, key)
    check_match(key, present(newest), if_match)
    if not bucket.versioning:
        if newest is not None:
            change = removed(rq, bucket, key, newest)
            rq.commit(put=change.put, drop=change.drop)
        return Gone()
    draft = Object(ordinal=1, version_id="", modified_ms=rq.now_ms, size_bytes=0, etag="", is_marker=True)
    marker, change = placed(rq, bucket, key, draft, newest)
    rq.commit(put=change.put, drop=change.drop)
    return Gone(marker.version_id, is_marker=True)


def check_match(key: str, found: Object | None, if_match: str | None) -> None:
    """Refuse to delete another object than the caller knows."""
    if if_match is None:
        return
    if found is None:
        raise NoSuchKey(NoSuchKey.message, Key=key)
    if not names_etag(if_match, found.etag):
        raise failed("If-Match")


# --- many at once


def accesses(_: Request, params: msgspec.Struct) -> Sequence[Access]:
    """Each key is judged by itself."""
    p = cast("shapes.DeleteObjectsRequest", params)
    return [
        Access(
            "s3:DeleteObject" if each.VersionId is None else "s3:DeleteObjectVersion",
            f"arn:aws:s3:::{p.Bucket}/{each.Key}",
            {},
        )
        for each in p.Delete.Objects or ()
    ]


@s3.op(resource=accesses, harmless=[*HARMLESS, "ChecksumAlgorithm"], is_data=True)
def delete_objects(rq: Request, p: shapes.DeleteObjectsRequest) -> Several:
    """Delete up to a thousand keys or versions, each in a commit of its own; some may fail."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    check_bypass(p.BypassGovernanceRetention)
    asked = p.Delete.Objects or []
    if not 0 < len(asked) <= KEYS_MAX or any(not each.Key for each in asked):
        raise MalformedXML
    steps = [partial(delete_one, p.Bucket, each) for each in asked]
    return Several(steps, partial(told, asked, is_quiet=bool(p.Delete.Quiet)))


def delete_one(bucket: str, each: shapes.ObjectIdentifier, rq: Request) -> Gone:
    """One step of DeleteObjects, where an id that never was one is a version that is not there."""
    try:
        return deleted(rq, bucket, each.Key, each.VersionId, each.ETag)
    except Fault as fault:
        if each.VersionId and fault.code == InvalidArgument.code:
            raise NoSuchVersion from None
        raise


def told(
    asked: Sequence[shapes.ObjectIdentifier], outcomes: Sequence[object], *, is_quiet: bool
) -> shapes.DeleteObjectsOutput:
    """The answer: what went, unless nobody wants to know, and what did not."""
    gone: list[shapes.DeletedObject] = []
    errors: list[shapes.Error] = []
    for each, outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, Gone):
            gone.append(gone_shown(each, outcome))
        elif isinstance(outcome, Fault):
            error: shapes.Error = {"Key": each.Key, "Code": outcome.code, "Message": outcome.message}
            if each.VersionId is not None:
                error["VersionId"] = each.VersionId
            errors.append(error)
    result: shapes.DeleteObjectsOutput = {} if is_quiet else {"Deleted": gone}
    if errors:
        result["Errors"] = errors
    return result


def gone_shown(each: shapes.ObjectIdentifier, outcome: Gone) -> shapes.DeletedObject:
    """One entry of the answer."""
    shown: shapes.DeletedObject = {"Key": each.Key}
    if each.VersionId is not None:
        shown["VersionId"] = each.VersionId
    if outcome.is_marker:
        shown["DeleteMarker"] = True
        if outcome.version_id is not None:
            shown["DeleteMarkerVersionId"] = outcome.version_id
    return shown
