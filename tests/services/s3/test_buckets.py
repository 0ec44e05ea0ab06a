"""Buckets as boto3 meets them."""

import botocore.exceptions
import pytest

from cloudlet.services.s3.buckets import is_bucket_name


def code_of(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**members)
    return refused.value.response["Error"]["Code"]


def message_of(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**members)
    return refused.value.response["Error"]["Message"]


def status_of(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**members)
    return refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_bucket_lives(s3):
    assert s3.create_bucket(Bucket="first-bucket")["Location"] == "/first-bucket"
    found = s3.head_bucket(Bucket="first-bucket")
    assert found["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="first-bucket")["LocationConstraint"] is None
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["first-bucket"]
    assert s3.list_buckets()["Owner"]["ID"]
    s3.delete_bucket(Bucket="first-bucket")
    assert s3.list_buckets()["Buckets"] == []
    assert status_of(s3.head_bucket, Bucket="first-bucket") == 404
    with pytest.raises(s3.exceptions.NoSuchBucket) as refused:
        s3.delete_bucket(Bucket="first-bucket")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert refused.value.response["Error"]["BucketName"] == "first-bucket"


def test_a_bucket_made_twice(cloud, s3):
    s3.create_bucket(Bucket="twice")
    s3.create_bucket(Bucket="twice")  # us-east-1 answers as if it had been made
    west = cloud.client("s3", region="us-west-2")
    place = {"LocationConstraint": "us-west-2"}
    west.create_bucket(Bucket="west", CreateBucketConfiguration=place)
    assert code_of(west.create_bucket, Bucket="west", CreateBucketConfiguration=place) == (
        "BucketAlreadyOwnedByYou"
    )
    other = cloud.client("s3", key="111111111111")
    with pytest.raises(other.exceptions.BucketAlreadyExists) as refused:
        other.create_bucket(Bucket="twice")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 409
    assert other.list_buckets()["Buckets"] == []
    assert status_of(other.head_bucket, Bucket="twice") == 403


def test_regions(cloud, s3):
    s3.create_bucket(Bucket="europe", CreateBucketConfiguration={"LocationConstraint": "EU"})
    assert s3.get_bucket_location(Bucket="europe")["LocationConstraint"] == "EU", "as it was asked for"
    head = s3.head_bucket(Bucket="europe")
    assert head["BucketRegion"] == "eu-west-1"
    assert head["ResponseMetadata"]["HTTPHeaders"]["content-type"] == "application/xml"
    west = cloud.client("s3", region="us-west-2")
    assert code_of(west.create_bucket, Bucket="west") == "IllegalLocationConstraintException"
    for region, code in {
        "eu-west-1": "IllegalLocationConstraintException", "nowhere": "IllegalLocationConstraintException",
        "us-east-1": "IllegalLocationConstraintException",
    }.items():  # fmt: skip
        place = {"LocationConstraint": region}
        assert code_of(west.create_bucket, Bucket="west", CreateBucketConfiguration=place) == code
    place = {"LocationConstraint": "us-east-1"}
    assert code_of(s3.create_bucket, Bucket="east", CreateBucketConfiguration=place) == (
        "InvalidLocationConstraint"
    )
    assert [each["Name"] for each in s3.list_buckets(BucketRegion="us-east-1")["Buckets"]] == []


def test_names():
    good = ["abc", "a" * 63, "a.b-c", "1.2.3.4.5", "0ab"]
    bad = ["ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", "a..b", "192.168.5.4", "xn--abc", "abc--ol-s3"]
    bad += ["foo.-bar", "foo-.bar", "foo\n"]
    assert [name for name in good if not is_bucket_name(name)] == []
    assert [name for name in bad if is_bucket_name(name)] == []


def test_a_bad_name_is_refused(s3):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        s3.create_bucket(Bucket="Capital")
    assert refused.value.response["Error"] == {
        "Code": "InvalidBucketName",
        "Message": "The specified bucket is not valid.",
        "BucketName": "Capital",
    }


def test_buckets_are_listed_in_pages(s3):
    names = [f"{kind}-{number}" for kind in ("one", "two") for number in range(3)]
    for name in reversed(names):
        s3.create_bucket(Bucket=name)
    pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2}))
    assert [[each["Name"] for each in page["Buckets"]] for page in pages] == [
        names[:2], names[2:4], names[4:],
    ]  # fmt: skip
    assert [each["Name"] for each in s3.list_buckets(Prefix="two")["Buckets"]] == names[3:]
    assert code_of(s3.list_buckets, ContinuationToken="nonsense") == "InvalidArgument"


def test_versioning_is_turned_on_and_suspended(s3):
    s3.create_bucket(Bucket="versions")
    assert "Status" not in s3.get_bucket_versioning(Bucket="versions")
    for status in ("Enabled", "Suspended"):
        s3.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": status})
        assert s3.get_bucket_versioning(Bucket="versions")["Status"] == status
    for configuration, code in (
        ({"Status": "Enabled", "MFADelete": "Enabled"}, "NotImplemented"),
        ({"Status": "Off"}, "MalformedXML"),
    ):
        assert code_of(
            s3.put_bucket_versioning, Bucket="versions", VersioningConfiguration=configuration
        ) == code  # fmt: skip


def test_a_buckets_tags(s3):
    s3.create_bucket(Bucket="tagged")
    assert code_of(s3.get_bucket_tagging, Bucket="tagged") == "NoSuchTagSet"
    tags = [{"Key": "team", "Value": "blue"}, {"Key": "cost", "Value": ""}]
    said = s3.put_bucket_tagging(Bucket="tagged", Tagging={"TagSet": tags})
    assert said["ResponseMetadata"]["HTTPStatusCode"] == 204
    system = {"TagSet": [{"Key": "aws:x", "Value": ""}]}
    assert message_of(s3.put_bucket_tagging, Bucket="tagged", Tagging=system) == (
        "System tags cannot be added/updated by requester"
    )
    assert s3.get_bucket_tagging(Bucket="tagged")["TagSet"] == tags
    twice = {"TagSet": tags + tags}
    assert code_of(s3.put_bucket_tagging, Bucket="tagged", Tagging=twice) == "InvalidTag"
    s3.delete_bucket_tagging(Bucket="tagged")
    assert code_of(s3.get_bucket_tagging, Bucket="tagged") == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket="tagged", Tagging={"TagSet": tags})
    s3.delete_bucket(Bucket="tagged")
    s3.create_bucket(Bucket="tagged")
    assert code_of(s3.get_bucket_tagging, Bucket="tagged") == "NoSuchTagSet"


def test_the_expected_owner_is_checked(s3):
    s3.create_bucket(Bucket="owned")
    s3.head_bucket(Bucket="owned", ExpectedBucketOwner="000000000000")
    assert status_of(s3.head_bucket, Bucket="owned", ExpectedBucketOwner="111111111111") == 403


def test_what_is_absent_is_refused_by_name(s3):
    for more in ({"ACL": "public-read"}, {"ObjectLockEnabledForBucket": True}, {"GrantRead": "id=1"}):
        assert code_of(s3.create_bucket, Bucket="plain", **more) == "NotImplemented"
    s3.create_bucket(Bucket="plain", ACL="private")
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        s3.get_bucket_policy(Bucket="plain")
    assert "GetBucketPolicy" in refused.value.response["Error"]["Message"]
