"""Buckets: made, found, listed, deleted; their versioning and their tags.

State   see state.py; tags as the framework keeps them
Source  S3 API Reference 2006-03-01, the operations' pages; S3 User Guide, "General purpose bucket
        naming rules", "Access control list (ACL) overview"; texts: docs/sources/s3.md
Absent  buckets of other accounts are closed to a caller (bucket policies and ACLs come with the security
        services); a bucket is reached under every region's signature, so no redirects; MFA delete; object
        lock; ownership controls; directory buckets and their configuration
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws import tags as kept_tags
from cloudlet.aws.pages import BadToken, seal, unseal
from cloudlet.aws.request import Prefix
from cloudlet.aws.service import Answer
from cloudlet.services.s3.faults import (
    AccessDenied,
    BucketAlreadyExists,
    BucketAlreadyOwnedByYou,
    BucketNotEmpty,
    IllegalLocation,
    IllegalVersioning,
    InvalidArgument,
    InvalidBucketName,
    InvalidLocation,
    InvalidTag,
    MalformedXML,
    NoSuchBucket,
    NoSuchTagSet,
    invalid_argument,
    not_implemented,
    s3,
)
from cloudlet.services.s3.state import (
    ENABLED,
    SUSPENDED,
    Bucket,
    Object,
    bucket_key,
    canonical_id,
    objects_of,
    versions_of,
)
from cloudlet.services.s3.tagging import tag_set

if TYPE_CHECKING:
    from cloudlet.aws.record import Key
    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

FIRST_REGION = "us-east-1"
EU = "EU"  # how the first location was called, and is still told to whoever asked for it so
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+\Z")
NAME = re.compile(r"(?=.{3,63}\Z)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*\Z")  # labels
PREFIXES_RESERVED = ("xn--", "sthree-", "amzn-s3-demo-")
SUFFIXES_RESERVED = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3", "-an")
BUCKETS_PAGE_MAX = 10_000
BUCKET_TAGS_MAX = 50
CANNED_HARMLESS = ("private", "bucket-owner-full-control")  # what holds here anyway: the owner has all

ARN = "arn:aws:s3:::{Bucket}"


# --- finding


def find_bucket(rq: Request, name: str, expected_owner: str | None = None) -> Bucket:
    """The bucket, guarded; NoSuchBucket, and AccessDenied for another account's or an unexpected owner."""
    bucket = rq.get(bucket_key(name), Bucket)
    if bucket is None:
        raise NoSuchBucket(NoSuchBucket.message, BucketName=name)
    if bucket.account != rq.account or (expected_owner is not None and expected_owner != bucket.account):
        raise AccessDenied
    return bucket


def owner_of(bucket: Bucket) -> shapes.OwnerDict:
    """Who owns a bucket, and all in it."""
    return {"ID": canonical_id(bucket.account)}


def check_acl(operation: str, acl: str | None) -> None:
    """Refuse every canned ACL but those that say what holds here anyway."""
    if acl is not None and acl not in CANNED_HARMLESS:
        raise not_implemented(operation, f"the canned ACL {acl}")


def is_bucket_name(name: str) -> bool:
    """Whether a general purpose bucket may be called so."""
    if NAME.match(name) is None:
        return False
    if name.startswith(PREFIXES_RESERVED) or name.endswith(SUFFIXES_RESERVED):
        return False
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return True
    return False


# --- life


@s3.op(resource=ARN)
def create_bucket(rq: Request, p: shapes.CreateBucketRequest) -> shapes.CreateBucketOutput:
    """Make a bucket; where it is there and the caller's, us-east-1 answers as if it had been made."""
    check_acl("CreateBucket", p.ACL)
    if not is_bucket_name(p.Bucket):
        raise InvalidBucketName(InvalidBucketName.message, BucketName=p.Bucket)
    if p.ObjectLockEnabledForBucket:
        raise not_implemented("CreateBucket", "the member ObjectLockEnabledForBucket")
    if p.ObjectOwnership not in (None, "BucketOwnerEnforced"):
        raise not_implemented("CreateBucket", f"ObjectOwnership {p.ObjectOwnership}")
    region = region_asked(rq, p.CreateBucketConfiguration)
    old = rq.get(bucket_key(p.Bucket), Bucket)
    if old is not None:
        if old.account != rq.account:
            raise BucketAlreadyExists(BucketAlreadyExists.message, BucketName=p.Bucket)
        if not rq.region == old.region == region == FIRST_REGION:
            raise BucketAlreadyOwnedByYou(BucketAlreadyOwnedByYou.message, BucketName=p.Bucket)
        return {"Location": f"/{p.Bucket}", "BucketArn": arn_of(p.Bucket)}
    asked = p.CreateBucketConfiguration.LocationConstraint if p.CreateBucketConfiguration else None
    bucket = Bucket(p.Bucket, rq.account, region, rq.now_ms, is_asked_for_as_eu=asked == EU)
    rq.commit(put={bucket_key(p.Bucket): bucket})
    return {"Location": f"/{p.Bucket}", "BucketArn": arn_of(p.Bucket)}


def region_asked(rq: Request, configuration: shapes.CreateBucketConfiguration | None) -> str:
    """The region that a new bucket is to be in: that of the endpoint, which the signature tells."""
    asked = configuration.LocationConstraint if configuration is not None else None
    if not asked:
        if rq.region != FIRST_REGION:
            raise IllegalLocation(
                "The unspecified location constraint is incompatible for the region specific endpoint this "
                "request was sent to."
            )
        return FIRST_REGION
    region = "eu-west-1" if asked == EU else asked
    if rq.region not in (FIRST_REGION, region):
        raise IllegalLocation(
            f"The {asked} location constraint is incompatible for the region specific endpoint this request "
            "was sent to."
        )
    if region == FIRST_REGION or REGION.match(region) is None:
        raise InvalidLocation(InvalidLocation.message, LocationConstraint=asked)
    return region


@s3.op(resource=ARN)
def delete_bucket(rq: Request, p: shapes.DeleteBucketRequest) -> None:
    """Delete a bucket that holds nothing but uploads on their way, which go with it."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    if rq.scan(objects_of(p.Bucket), Object, limit=1) or rq.scan(versions_of(p.Bucket), Object, limit=1):
        hint = ". You must delete all versions in the bucket." if bucket.versioning else ""
        raise BucketNotEmpty(BucketNotEmpty.message + hint, BucketName=p.Bucket)
    drop: list[Key | Prefix] = [
        bucket_key(p.Bucket),
        kept_tags.key(rq, arn_of(p.Bucket)),
        Prefix(("s3", "upload", p.Bucket)),
        Prefix(("s3", "part", p.Bucket)),
        Prefix(("s3", "completed", p.Bucket)),
    ]
    rq.commit(drop=drop)


@s3.op(resource=ARN, action="s3:ListBucket")
def head_bucket(rq: Request, p: shapes.HeadBucketRequest) -> Answer:
    """Whether a bucket is there and open to the caller, and its region."""
    found = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    told = {"BucketRegion": found.region, "BucketArn": arn_of(found.name), "AccessPointAlias": False}
    return Answer(told, headers=[("content-type", "application/xml")])


@s3.op(resource=ARN)
def get_bucket_location(rq: Request, p: shapes.GetBucketLocationRequest) -> shapes.GetBucketLocationOutput:
    """A bucket's region; us-east-1 has no name here."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    if bucket.is_asked_for_as_eu:
        return {"LocationConstraint": EU}
    return {"LocationConstraint": "" if bucket.region == FIRST_REGION else bucket.region}


@s3.op(action="s3:ListAllMyBuckets")
def list_buckets(rq: Request, p: shapes.ListBucketsRequest) -> shapes.ListBucketsOutput:
    """The caller's buckets by name; a page of them where one is asked for."""
    limit = p.MaxBuckets if p.MaxBuckets is not None else BUCKETS_PAGE_MAX
    if not 1 <= limit <= BUCKETS_PAGE_MAX:
        raise invalid_argument(
            f"Argument max-buckets must be an integer between 1 and {BUCKETS_PAGE_MAX}",
            "max-buckets",
            str(limit),
        )
    listing = f"s3:ListBuckets:{rq.account}"
    after = ""
    if p.ContinuationToken:
        try:
            after = unseal(listing, p.ContinuationToken).decode()
        except BadToken:
            raise InvalidArgument("The continuation token provided is incorrect") from None
    prefix = p.Prefix or ""
    is_paged = any(each is not None for each in (p.MaxBuckets, p.ContinuationToken, p.Prefix, p.BucketRegion))
    found = [
        bucket
        for _, bucket in rq.glance(("s3", "bucket"), Bucket, after=bucket_key(after) if after else None)
        if bucket.account == rq.account
        and bucket.name.startswith(prefix)
        and p.BucketRegion in (None, bucket.region)
    ]
    result: shapes.ListBucketsOutput = {
        "Owner": {"ID": canonical_id(rq.account)},
        "Buckets": [shown(bucket, with_region=is_paged) for bucket in found[:limit]],
    }
    if p.Prefix is not None:
        result["Prefix"] = p.Prefix
    if len(found) > limit:
        result["ContinuationToken"] = seal(listing, found[limit - 1].name.encode())
    return result


def shown(bucket: Bucket, *, with_region: bool) -> shapes.Bucket:
    """A bucket in a listing; its region is told where the request "contains at least one valid parameter"."""
    result: shapes.Bucket = {"Name": bucket.name, "CreationDate": bucket.created_ms // 1000}
    if with_region:
        result["BucketRegion"] = bucket.region
    result["BucketArn"] = arn_of(bucket.name)
    return result


# --- versioning


@s3.op(resource=ARN, harmless=["ChecksumAlgorithm", "ContentMD5"])
def put_bucket_versioning(rq: Request, p: shapes.PutBucketVersioningRequest) -> None:
    """Turn versioning on, or suspend it."""
    bucket = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    asked = p.VersioningConfiguration
    if asked.MFADelete == "Enabled":
        raise not_implemented("PutBucketVersioning", "the member VersioningConfiguration.MFADelete")
    if asked.Status is None:
        raise IllegalVersioning
    if asked.Status not in (ENABLED, SUSPENDED):
        raise MalformedXML
    rq.commit(put={bucket_key(p.Bucket): msgspec.structs.replace(bucket, versioning=asked.Status)})


@s3.op(resource=ARN)
def get_bucket_versioning(
    rq: Request, p: shapes.GetBucketVersioningRequest
) -> shapes.GetBucketVersioningOutput:
    """Whether versioning is on; nothing where it never was."""
    versioning = find_bucket(rq, p.Bucket, p.ExpectedBucketOwner).versioning
    return {"Status": versioning} if versioning else {}


# --- tags


def arn_of(bucket: str) -> str:
    """A bucket's ARN."""
    return f"arn:aws:s3:::{bucket}"


@s3.op(resource=ARN, harmless=["ChecksumAlgorithm", "ContentMD5"])
def put_bucket_tagging(rq: Request, p: shapes.PutBucketTaggingRequest) -> Answer:
    """Give a bucket these tags and no others."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    tags = tag_set(p.Tagging, BUCKET_TAGS_MAX)
    key = kept_tags.key(rq, arn_of(p.Bucket))
    rq.commit(put={key: kept_tags.added({}, tags, InvalidTag, InvalidTag)})
    return Answer({}, status=204)  # the model says 200


@s3.op(resource=ARN)
def get_bucket_tagging(rq: Request, p: shapes.GetBucketTaggingRequest) -> shapes.GetBucketTaggingOutput:
    """A bucket's tags; NoSuchTagSet where it has none."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    tags = kept_tags.read(rq, arn_of(p.Bucket))
    if not tags:
        raise NoSuchTagSet(NoSuchTagSet.message, BucketName=p.Bucket)
    return {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}


@s3.op(resource=ARN, action="s3:PutBucketTagging")
def delete_bucket_tagging(rq: Request, p: shapes.DeleteBucketTaggingRequest) -> None:
    """Take all tags from a bucket."""
    find_bucket(rq, p.Bucket, p.ExpectedBucketOwner)
    rq.commit(drop=[kept_tags.key(rq, arn_of(p.Bucket))])
