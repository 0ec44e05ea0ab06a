"""Objects as boto3 meets them: put, read in every way, refused."""

import base64
import datetime
import hashlib
import threading
import urllib.request

import botocore.exceptions
import pytest

from cloudlet.wire.checksums import digest_of

BODY = bytes(range(256)) * 4


@pytest.fixture
def bucket(s3):
    s3.create_bucket(Bucket="bucket")
    return "bucket"


def refusal(call, **members):
    with pytest.raises(botocore.exceptions.ClientError) as refused:
        call(**members)
    return refused.value.response


def code_of(call, **members):
    return refusal(call, **members)["Error"]["Code"]


def status_of(call, **members):
    return refusal(call, **members)["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("body", [b"", b"small", bytes(3 << 20)], ids=["empty", "small", "large"])
def test_an_object_comes_back(s3, bucket, body):
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    said = s3.put_object(Bucket=bucket, Key="a/b", Body=body)
    assert said["ETag"] == etag
    assert said["ChecksumType"] == "FULL_OBJECT"
    assert "VersionId" not in said
    found = s3.get_object(Bucket=bucket, Key="a/b")
    assert found["Body"].read() == body
    assert found["ContentLength"] == len(body)
    assert (found["ETag"], found["ContentType"], found["AcceptRanges"]) == (
        etag,
        "binary/octet-stream",
        "bytes",
    )
    head = s3.head_object(Bucket=bucket, Key="a/b")
    assert (head["ContentLength"], head["ETag"]) == (len(body), etag)
    assert head["LastModified"] == found["LastModified"]


def test_what_is_not_there(s3, bucket):
    missing = refusal(s3.get_object, Bucket=bucket, Key="no")
    assert (missing["Error"]["Code"], missing["Error"]["Key"]) == ("NoSuchKey", "no")
    assert missing["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert status_of(s3.head_object, Bucket=bucket, Key="no") == 404
    assert code_of(s3.get_object, Bucket="nowhere", Key="no") == "NoSuchBucket"
    assert code_of(s3.put_object, Bucket="nowhere", Key="no", Body=b"x") == "NoSuchBucket"
    assert s3.delete_object(Bucket=bucket, Key="no")["ResponseMetadata"]["HTTPStatusCode"] == 204


def test_headers_and_metadata_come_back(s3, bucket):
    when = datetime.datetime(2030, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    given = {
        "CacheControl": "no-cache", "ContentDisposition": 'attachment; filename="a.txt"',
        "ContentEncoding": "gzip", "ContentLanguage": "de", "ContentType": "text/plain", "Expires": when,
        "Metadata": {"colour": "blue", "size": "7"}, "StorageClass": "STANDARD_IA",
    }  # fmt: skip
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, Tagging="a=1&b=c%20d", **given)
    for found in (s3.head_object(Bucket=bucket, Key="k"), s3.get_object(Bucket=bucket, Key="k")):
        assert {name: found[name] for name in given} == given
        assert found["TagCount"] == 2
    found = s3.get_object(
        Bucket=bucket, Key="k", ResponseContentType="image/png", ResponseCacheControl="max-age=1",
    )  # fmt: skip
    assert (found["ContentType"], found["CacheControl"]) == ("image/png", "max-age=1")
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Metadata={"a": "x" * 2048}) == "MetadataTooLarge"
    s3.put_object(Bucket=bucket, Key="k", Metadata={"a": "x" * 2047})


def test_aws_chunked_is_not_kept(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ContentEncoding="aws-chunked")
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="k")
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ContentEncoding="gzip,aws-chunked")
    assert s3.head_object(Bucket=bucket, Key="k")["ContentEncoding"] == "gzip"


@pytest.mark.parametrize(
    "key", ["a b+c", "ünïcode/☃", "//double", "dots/../x", "%2F", "a" * 1024, "?x=1&y", "\x7f"]
)
def test_keys(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    s3.delete_object(Bucket=bucket, Key=key)
    assert code_of(s3.get_object, Bucket=bucket, Key=key) == "NoSuchKey"


def test_a_key_too_long(s3, bucket):
    assert code_of(s3.put_object, Bucket=bucket, Key="ü" * 513, Body=b"") == "KeyTooLongError"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("bytes=0-0", 0, 1), ("bytes=10-", 10, 1024), ("bytes=-24", 1000, 1024), ("bytes=1000-5000", 1000, 1024),
     ("bytes=-5000", 0, 1024)],
)  # fmt: skip
def test_a_range(s3, bucket, asked, start, stop):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    found = s3.get_object(Bucket=bucket, Key="k", Range=asked, ChecksumMode="ENABLED")
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert found["ContentRange"] == f"bytes {start}-{stop - 1}/1024"
    assert found["ContentLength"] == stop - start
    assert found["Body"].read() == BODY[start:stop]
    head = s3.head_object(Bucket=bucket, Key="k", Range=asked)
    assert (head["ContentLength"], head["ResponseMetadata"]["HTTPStatusCode"]) == (stop - start, 206)


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=0-1", "bytes=5-2", "bytes=a-b"])
def test_a_range_that_is_none_gives_all(s3, bucket, asked):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    found = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    assert found["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert found["Body"].read() == BODY


def test_a_range_behind_the_end(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    for asked in ("bytes=1024-", "bytes=-0"):
        refused = refusal(s3.get_object, Bucket=bucket, Key="k", Range=asked)
        assert refused["Error"]["Code"] == "InvalidRange"
        assert refused["Error"]["ActualObjectSize"] == "1024"
        assert refused["ResponseMetadata"]["HTTPStatusCode"] == 416
        assert refused["ResponseMetadata"]["HTTPHeaders"]["content-range"] == "bytes */1024"
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert code_of(s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-") == "InvalidRange"


def test_parts_of_a_whole_object(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    found = s3.get_object(Bucket=bucket, Key="k", PartNumber=1)
    assert found["Body"].read() == BODY
    assert "PartsCount" not in found
    assert code_of(s3.get_object, Bucket=bucket, Key="k", PartNumber=2) == "InvalidPartNumber"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", PartNumber=1, Range="bytes=0-") == "InvalidRequest"


def test_conditional_reads(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=BODY)["ETag"]
    when = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    before, after = when - datetime.timedelta(seconds=5), when + datetime.timedelta(seconds=5)
    for status, conditions in (
        (200, {"IfMatch": etag}), (200, {"IfMatch": "*"}), (200, {"IfMatch": f'"x", {etag}'}),
        (412, {"IfMatch": '"x"'}), (304, {"IfNoneMatch": etag}), (200, {"IfNoneMatch": '"x"'}),
        (304, {"IfModifiedSince": when}), (200, {"IfModifiedSince": before}),
        (412, {"IfUnmodifiedSince": before}), (200, {"IfUnmodifiedSince": after}),
        (200, {"IfMatch": etag, "IfUnmodifiedSince": before}),
        (304, {"IfNoneMatch": etag, "IfModifiedSince": before}),
    ):  # fmt: skip
        for call in (s3.get_object, s3.head_object):
            if status == 200:
                assert call(Bucket=bucket, Key="k", **conditions)["ContentLength"] == 1024
            else:
                refused = refusal(call, Bucket=bucket, Key="k", **conditions)["ResponseMetadata"]
                assert refused["HTTPStatusCode"] == status
                if status == 304:
                    assert refused["HTTPHeaders"]["etag"] == etag


def test_conditional_writes(s3, bucket):
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"1", IfMatch='"x"') == "NoSuchKey"
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    refused = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch="*")
    assert refused["Error"]["Code"] == "PreconditionFailed"
    assert refused["Error"]["Condition"] == "If-None-Match"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfMatch='"x"') == "PreconditionFailed"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"2", IfNoneMatch=etag) == "NotImplemented"
    s3.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=etag)
    assert code_of(s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag) == "PreconditionFailed"
    s3.delete_object(Bucket=bucket, Key="k", IfMatch="*")
    assert code_of(s3.delete_object, Bucket=bucket, Key="k", IfMatch="*") == "NoSuchKey"
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_checksums(s3, bucket, algorithm):
    try:
        said = s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm=algorithm)
    except botocore.exceptions.MissingDependencyException:
        pytest.skip("botocore needs the AWS common runtime for this one")
    member = f"Checksum{algorithm}"
    if algorithm.startswith("SHA"):
        assert said[member] == base64.b64encode(hashlib.new(algorithm, BODY).digest()).decode()
    found = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert found[member] == said[member]
    assert found["ChecksumType"] == "FULL_OBJECT"
    assert found["Body"].read() == BODY
    refused = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"other", **{member: said[member]})
    assert refused["Error"]["Code"] == "BadDigest"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


def test_attributes_must_be_named(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    error = refusal(s3.get_object_attributes, Bucket=bucket, Key="k", ObjectAttributes=[])["Error"]
    assert (error["Code"], "x-amz-object-attributes" in error["Message"]) == ("InvalidRequest", True)


def test_crc64_where_none_is_sent(cloud, s3, bucket):
    plain = cloud.client("s3", request_checksum_calculation="when_required")
    said = plain.put_object(Bucket=bucket, Key="k", Body=b"123456789")
    assert said["ChecksumCRC64NVME"] == base64.b64encode(0xAE8B14860A799888.to_bytes(8, "big")).decode()
    assert (
        s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")["ChecksumCRC64NVME"]
        == (said["ChecksumCRC64NVME"])
    )
    assert "ChecksumCRC64NVME" not in plain.head_object(Bucket=bucket, Key="k")
    large = bytes(range(256)) * 12_000  # three megabytes, which come in pieces
    said = plain.put_object(Bucket=bucket, Key="k", Body=large)
    summed = base64.b64encode(digest_of("CRC64NVME", large)).decode()
    assert (said["ChecksumCRC64NVME"], said["ChecksumType"]) == (summed, "FULL_OBJECT")
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [each["ChecksumAlgorithm"] for each in listed] == [["CRC64NVME"]]


def test_content_md5(s3, bucket):
    good = base64.b64encode(hashlib.md5(BODY).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ContentMD5=good)
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5=good) == "BadDigest"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=BODY, ContentMD5="bad") == "InvalidDigest"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


@pytest.mark.parametrize("version", [None, "s3v4"])  # boto3's own choice in us-east-1 is Version 2
def test_presigned_urls(cloud, bucket, version):
    s3 = cloud.client("s3", signature_version=version)
    url = s3.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k 1"})
    put = urllib.request.Request(url, data=BODY, method="PUT", headers={"content-type": ""})
    with urllib.request.urlopen(put, timeout=10) as reply:
        assert reply.status == 200
    expires = "Wed, 21 Oct 2015 07:28:00 GMT"
    members = {"Bucket": bucket, "Key": "k 1", "ResponseContentType": "text/x", "ResponseExpires": expires}
    with urllib.request.urlopen(s3.generate_presigned_url("get_object", members), timeout=10) as reply:
        assert reply.read() == BODY
        assert reply.headers["content-type"] == "text/x"
        assert reply.headers["expires"] == expires


def test_attributes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ChecksumAlgorithm="SHA256")
    names = ["ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"]
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=names)
    assert found["ETag"] == hashlib.md5(BODY).hexdigest()
    assert found["ObjectSize"] == 1024
    assert found["StorageClass"] == "STANDARD"
    assert found["Checksum"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    assert "ObjectParts" not in found
    found = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["ObjectSize"])
    assert "ETag" not in found
    assert "StorageClass" not in found


def test_tags(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, Tagging="a=1")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [{"Key": "b", "Value": "2"}]})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [{"Key": "b", "Value": "2"}]
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    many = {"TagSet": [{"Key": str(n), "Value": ""} for n in range(11)]}
    assert code_of(s3.put_object_tagging, Bucket=bucket, Key="k", Tagging=many) == "BadRequest"
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="a=1&a=2") == "InvalidArgument"
    refused = refusal(s3.put_object, Bucket=bucket, Key="k", Body=b"", Tagging="aws:a=1")["Error"]
    assert (refused["Code"], refused["Message"]) == ("InvalidTag", "Your TagKey cannot be prefixed with aws:")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == BODY


def test_many_are_deleted(s3, bucket):
    for name in "abc":
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    objects = [{"Key": "a"}, {"Key": "nothing"}, {"Key": "b", "ETag": '"x"'}]
    said = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})
    assert [each["Key"] for each in said["Deleted"]] == ["a", "nothing"]
    assert [(each["Key"], each["Code"]) for each in said["Errors"]] == [("b", "PreconditionFailed")]
    said = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "c"}], "Quiet": True})
    assert "Deleted" not in said
    assert code_of(s3.get_object, Bucket=bucket, Key="c") == "NoSuchKey"
    too_many = {"Objects": [{"Key": str(n)} for n in range(1001)]}
    assert code_of(s3.delete_objects, Bucket=bucket, Delete=too_many) == "MalformedXML"


def test_a_bucket_with_objects_stays(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert code_of(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ACL": "public-read"}, "NotImplemented"),
        ({"StorageClass": "GLACIER"}, "NotImplemented"),
        ({"StorageClass": "NONE"}, "InvalidStorageClass"),
        ({"ServerSideEncryption": "aws:kms"}, "NotImplemented"),
        ({"ObjectLockLegalHoldStatus": "ON"}, "NotImplemented"),
        ({"WebsiteRedirectLocation": "/x"}, "NotImplemented"),
        ({"ExpectedBucketOwner": "111111111111"}, "AccessDenied"),
    ],
)
def test_what_is_absent_is_refused_by_name(s3, bucket, more, code):
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"", **more) == code
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"


def test_what_changes_nothing_is_taken(s3, bucket):
    for acl in ("private", "bucket-owner-full-control"):
        s3.put_object(
            Bucket=bucket, Key="k", Body=b"", ACL=acl, RequestPayer="requester",
            ServerSideEncryption="AES256", ExpectedBucketOwner="000000000000",
        )  # fmt: skip


def test_an_object_that_is_read_is_read_to_its_end(cloud, s3, bucket):
    first, second = bytes(8 << 20), b"1" * (8 << 20)
    s3.put_object(Bucket=bucket, Key="k", Body=first)
    reading = s3.get_object(Bucket=bucket, Key="k")["Body"]
    begun = reading.read(100_000)
    s3.put_object(Bucket=bucket, Key="k", Body=second)
    other = s3.get_object(Bucket=bucket, Key="k")["Body"].read()
    assert (begun + reading.read() == first, other == second) == (True, True)


def test_racing_writers_leave_one_whole_object(cloud, s3, bucket):
    bodies = [bytes([number]) * 70_000 for number in range(8)]
    outcomes = []

    def write(body):
        try:
            cloud.client("s3").put_object(Bucket=bucket, Key="once", Body=body, IfNoneMatch="*")
            outcomes.append(body)
        except botocore.exceptions.ClientError as refused:
            assert refused.response["Error"]["Code"] == "PreconditionFailed"  # noqa: PT017

    threads = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(outcomes) == 1
    assert s3.get_object(Bucket=bucket, Key="once")["Body"].read() == outcomes[0]


def test_metadata_beyond_ascii_comes_back_as_an_encoded_word(s3, bucket):
    def add(request, **_):
        request.headers["x-amz-meta-m"] = "ÄMÄZÕÑ S3"

    s3.meta.events.register("before-sign.s3.PutObject", add)
    s3.put_object(Bucket=bucket, Key="k")
    # The example of the User Guide, "Working with object metadata".
    said = s3.head_object(Bucket=bucket, Key="k")["Metadata"]["m"]
    assert said == "=?UTF-8?B?w4PChE3Dg8KEWsODwpXDg8KRIFMz?="


def test_a_tag_without_a_value_in_the_header(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Tagging="a=1&b")
    found = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert found == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
