"""The tags of an object's version.

State   in the object's record
Source  S3 API Reference 2006-03-01, PutObjectTagging, GetObjectTagging, DeleteObjectTagging
Absent  none
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from cloudlet.services.s3.buckets import find_bucket
from cloudlet.services.s3.faults import s3
from cloudlet.services.s3.objects import ARN
from cloudlet.services.s3.state import Bucket, Object, place_of, version_key
from cloudlet.services.s3.tagging import OBJECT_TAGS_MAX, tag_set
from cloudlet.services.s3.versions import newest_of, read_version

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes


@s3.op(resource=ARN, harmless=["RequestPayer", "ChecksumAlgorithm", "ContentMD5"], is_data=True)
def put_object_tagging(rq: Request, p: shapes.PutObjectTaggingRequest) -> shapes.PutObjectTaggingOutput:
    """Give a version these tags and no others."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    found = read_version(rq, bucket, p.Key, p.VersionId, "PUT", of_tags=True)
    retag(rq, bucket, p.Key, found, tag_set(p.Tagging, OBJECT_TAGS_MAX))
    return {"VersionId": found.version_id} if bucket.versioning else {}


@s3.op(resource=ARN, harmless=["RequestPayer"], is_data=True)
def get_object_tagging(rq: Request, p: shapes.GetObjectTaggingRequest) -> shapes.GetObjectTaggingOutput:
    """A version's tags."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    found = read_version(rq, bucket, p.Key, p.VersionId, of_tags=True)
    result: shapes.GetObjectTaggingOutput = {
        "TagSet": [{"Key": name, "Value": value} for name, value in found.tags.items()]
    }
    if bucket.versioning:
        result["VersionId"] = found.version_id
    return result


@s3.op(resource=ARN, is_data=True)
def delete_object_tagging(
    rq: Request, p: shapes.DeleteObjectTaggingRequest
) -> shapes.DeleteObjectTaggingOutput:
    """Take all tags from a version."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    found = read_version(rq, bucket, p.Key, p.VersionId, "DELETE", of_tags=True)
    retag(rq, bucket, p.Key, found, {})
    return {"VersionId": found.version_id} if bucket.versioning else {}


def retag(rq: Request, bucket: Bucket, key: str, found: Object, tags: Mapping[str, str]) -> None:
    """Write a version again with other tags; all else stays, its time too."""
    newest = newest_of(rq, bucket, key)
    is_newest = newest is not None and newest.ordinal == found.ordinal
    place = place_of(bucket.name, key, found) if is_newest else version_key(bucket.name, key, found.ordinal)
    rq.commit(put={place: msgspec.structs.replace(found, tags=tags)})
