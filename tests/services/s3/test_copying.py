"""CopyObject."""

import base64
import datetime
import hashlib

import pytest
from tests.services.s3.test_objects import BODY, code_of, refusal
from tests.services.s3.test_uploads import LARGE, begin, complete, send, sum_of


@pytest.fixture
def bucket(s3):
    s3.create_bucket(Bucket="bucket")
    s3.put_object(
        Bucket="bucket", Key="from/a b", Body=BODY, ContentType="text/x", Metadata={"m": "1"}, Tagging="t=1"
    )
    return "bucket"


SOURCE = {"Bucket": "bucket", "Key": "from/a b"}


def test_a_copy_has_all_of_its_source(s3, bucket):
    s3.create_bucket(Bucket="other")
    said = s3.copy_object(Bucket="other", Key="to", CopySource=SOURCE)
    head = s3.head_object(Bucket=bucket, Key="from/a b")
    assert said["CopyObjectResult"]["ETag"] == head["ETag"]
    s3.delete_object(Bucket=bucket, Key="from/a b")
    found = s3.get_object(Bucket="other", Key="to")
    assert found["Body"].read() == BODY
    assert (found["ContentType"], found["Metadata"], found["TagCount"]) == ("text/x", {"m": "1"}, 1)


def test_directives(s3, bucket):
    s3.copy_object(
        Bucket=bucket, Key="to", CopySource="/bucket/from/a b", MetadataDirective="REPLACE",
        Metadata={"m": "2"}, ContentType="text/y", TaggingDirective="REPLACE", Tagging="u=2",
        StorageClass="STANDARD_IA",
    )  # fmt: skip
    found = s3.head_object(Bucket=bucket, Key="to")
    assert (found["ContentType"], found["Metadata"], found["StorageClass"]) == (
        "text/y", {"m": "2"}, "STANDARD_IA",
    )  # fmt: skip
    assert s3.get_object_tagging(Bucket=bucket, Key="to")["TagSet"] == [{"Key": "u", "Value": "2"}]
    assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=SOURCE, MetadataDirective="X") == (
        "InvalidArgument"
    )


def test_onto_itself(s3, bucket):
    assert code_of(s3.copy_object, **SOURCE, CopySource=SOURCE) == "InvalidRequest"
    s3.copy_object(**SOURCE, CopySource=SOURCE, MetadataDirective="REPLACE", Metadata={"m": "3"})
    found = s3.get_object(**SOURCE)
    assert (found["Metadata"], found["Body"].read()) == ({"m": "3"}, BODY)
    s3.copy_object(**SOURCE, CopySource=SOURCE, StorageClass="STANDARD")  # what it has; said is enough
    s3.copy_object(**SOURCE, CopySource=SOURCE, ServerSideEncryption="AES256")
    s3.copy_object(**SOURCE, CopySource=SOURCE, StorageClass="STANDARD_IA")
    assert s3.head_object(**SOURCE)["StorageClass"] == "STANDARD_IA"


@pytest.mark.parametrize(("algorithm", "kind"), [("SHA1", "COMPOSITE"), ("CRC32", "FULL_OBJECT")])
def test_a_copy_of_an_object_in_parts_is_one_that_came_whole(s3, bucket, algorithm, kind):
    member = f"Checksum{algorithm}"
    upload = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    for number, body in ((1, LARGE), (2, b"end")):
        send(s3, bucket, upload, number, body, ChecksumAlgorithm=algorithm)
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    parts = [{name: part[name] for name in ("PartNumber", "ETag", member)} for part in listed]
    made = complete(s3, bucket, upload, parts)
    for number, part in enumerate(parts, 1):  # each part has a checksum of its own
        asked = s3.get_object(Bucket=bucket, Key="k", PartNumber=number, ChecksumMode="ENABLED")
        assert asked[member] == part[member]
        assert len(asked["Body"].read()) == listed[number - 1]["Size"]
    shown = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectParts"])
    assert [each[member] for each in shown["ObjectParts"]["Parts"]] == [part[member] for part in parts]

    whole = LARGE + b"end"
    etag = f'"{hashlib.md5(whole).hexdigest()}"'
    said = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "k"})
    assert said["CopyObjectResult"]["ETag"] == etag != made["ETag"]
    found = s3.get_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")
    assert (found["ETag"], found["Body"].read()) == (etag, whole)
    assert found[member] == base64.b64encode(sum_of(algorithm, whole)).decode()
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert "PartsCount" not in s3.head_object(Bucket=bucket, Key="to", PartNumber=1)


@pytest.mark.parametrize("algorithm", ["SHA256", "CRC32C"])
def test_another_checksum_may_be_asked_for(s3, bucket, algorithm):
    s3.copy_object(Bucket=bucket, Key="to", CopySource=SOURCE, ChecksumAlgorithm=algorithm)
    found = s3.head_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")
    assert found[f"Checksum{algorithm}"] == base64.b64encode(sum_of(algorithm, BODY)).decode()
    assert found["ETag"] == s3.head_object(**SOURCE)["ETag"]
    refused = code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=SOURCE, ChecksumAlgorithm="X")
    assert refused == "InvalidRequest"


def test_conditions(s3, bucket):
    head = s3.head_object(**SOURCE)
    etag, when = head["ETag"], head["LastModified"]
    before = when - datetime.timedelta(seconds=5)
    for is_good, more in (
        (True, {"CopySourceIfMatch": etag}), (False, {"CopySourceIfMatch": '"x"'}),
        (True, {"CopySourceIfNoneMatch": '"x"'}), (False, {"CopySourceIfNoneMatch": etag}),
        (False, {"CopySourceIfUnmodifiedSince": before}), (False, {"CopySourceIfModifiedSince": when}),
        (True, {"CopySourceIfMatch": etag, "CopySourceIfUnmodifiedSince": before}),
    ):  # fmt: skip
        if is_good:
            s3.copy_object(Bucket=bucket, Key="to", CopySource=SOURCE, **more)
        else:
            refused = refusal(s3.copy_object, Bucket=bucket, Key="to", CopySource=SOURCE, **more)
            assert refused["Error"]["Code"] == "PreconditionFailed"
            assert refused["ResponseMetadata"]["HTTPStatusCode"] == 412


def test_a_source_that_is_not_there(s3, bucket):
    for source, code in (
        ("bucket/nothing", "NoSuchKey"), ("nowhere/k", "NoSuchBucket"), ("bucket", "InvalidArgument"),
        ("bucket/from/a b?versionId=bad", "InvalidArgument"),
    ):  # fmt: skip
        assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=source) == code


@pytest.mark.parametrize("kind", ["accesspoint/mine/object/a", "outpost/mine/object/a"])
def test_an_access_point_as_a_source_is_refused_by_name(s3, bucket, kind):
    """boto3 sends the colons quoted; a bucket of the name "arn:aws:…" would be looked for."""
    source = f"arn:aws:s3:us-east-1:000000000000:{kind}"
    assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=source) == "NotImplemented"
