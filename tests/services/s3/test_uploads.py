"""Uploads in parts, with boto3, on every engine."""

import base64
import hashlib
import io
from random import Random

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError

from cloudlet.kernel.tuples import pack, prefix_range
from cloudlet.services.s3.completed import completed_key, completed_of
from cloudlet.wire.checksums import checksum

MIB = 1 << 20
DAY_MS = 86_400_000
LARGE = Random(7).randbytes(5 * MIB)


@pytest.fixture
def bucket(s3):
    s3.create_bucket(Bucket="parts")
    return "parts"


def begin(s3, bucket, key="k", **members):
    return s3.create_multipart_upload(Bucket=bucket, Key=key, **members)["UploadId"]


def send(s3, bucket, upload, number, body, key="k", **members):
    made = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body, **members)
    return {"PartNumber": number, "ETag": made["ETag"]}


def complete(s3, bucket, upload, parts, key="k", **members):
    return s3.complete_multipart_upload(
        Bucket=bucket, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **members
    )


def refused(function, *arguments, **members):
    with pytest.raises(ClientError) as caught:
        function(*arguments, **members)
    return caught.value.response["Error"]


def sum_of(algorithm, data):
    digest = checksum(algorithm)
    digest.update(data)
    return digest.digest()


def test_parts_become_an_object(s3, bucket):
    upload = begin(s3, bucket, ContentType="text/x", Metadata={"a": "b"}, Tagging="t=1")
    send(s3, bucket, upload, 2, b"not listed, and sent again")
    parts = [send(s3, bucket, upload, 2, LARGE), send(s3, bucket, upload, 7, b"end")]
    send(s3, bucket, upload, 9, b"not listed")
    made = complete(s3, bucket, upload, parts, MpuObjectSize=len(LARGE) + 3)
    md5s = b"".join(hashlib.md5(body).digest() for body in (LARGE, b"end"))
    assert made["ETag"] == f'"{hashlib.md5(md5s).hexdigest()}-2"'
    assert made["ChecksumType"] == "FULL_OBJECT"
    assert made["ChecksumCRC64NVME"] == base64.b64encode(sum_of("CRC64NVME", LARGE + b"end")).decode()
    found = s3.get_object(Bucket=bucket, Key="k")
    assert found["Body"].read() == LARGE + b"end"
    assert (found["ContentType"], found["Metadata"], found["TagCount"]) == ("text/x", {"a": "b"}, 1)
    assert s3.get_object(Bucket=bucket, Key="k", PartNumber=2)["Body"].read() == b"end"
    assert s3.head_object(Bucket=bucket, Key="k", PartNumber=1)["PartsCount"] == 2
    across = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={len(LARGE) - 2}-{len(LARGE)}")
    assert across["Body"].read() == LARGE[-2:] + b"e"
    assert complete(s3, bucket, upload, parts)["ETag"] == made["ETag"]
    assert refused(complete, s3, bucket, upload, parts[:1])["Code"] == "NoSuchUpload"
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"another")
    again = complete(s3, bucket, upload, parts)
    assert (again["ETag"], again["ChecksumCRC64NVME"]) == (made["ETag"], made["ChecksumCRC64NVME"])
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"another"
    assert refused(complete, s3, bucket, upload, parts, key="other")["Code"] == "NoSuchUpload"


def test_an_empty_part_makes_an_empty_object(s3, bucket):
    upload = begin(s3, bucket)
    made = complete(s3, bucket, upload, [send(s3, bucket, upload, 1, b"")])
    assert made["ETag"].endswith('-1"')
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b""


def test_lists_of_parts_that_are_wrong(s3, bucket):
    upload = begin(s3, bucket)
    one, two = send(s3, bucket, upload, 1, b"small"), send(s3, bucket, upload, 2, b"end")
    small = refused(complete, s3, bucket, upload, [one, two])
    assert (small["Code"], small["ProposedSize"], small["MinSizeAllowed"]) == (
        "EntityTooSmall",
        "5",
        "5242880",
    )
    assert (small["PartNumber"], small["ETag"]) == ("1", one["ETag"].strip('"'))
    assert refused(complete, s3, bucket, upload, [two, one])["Code"] == "InvalidPartOrder"
    assert refused(complete, s3, bucket, upload, [])["Code"] == "MalformedXML"
    bare = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    assert refused(s3.complete_multipart_upload, **bare)["Code"] == "MalformedXML"
    absent = refused(complete, s3, bucket, upload, [{"PartNumber": 3, "ETag": one["ETag"]}])
    assert (absent["Code"], absent["PartNumber"], absent["UploadId"]) == ("InvalidPart", "3", upload)
    wrong = refused(complete, s3, bucket, upload, [{"PartNumber": 1, "ETag": two["ETag"]}])
    assert wrong["Code"] == "InvalidPart"
    assert refused(complete, s3, bucket, upload, [two], MpuObjectSize=9)["Code"] == "InvalidRequest"
    assert refused(complete, s3, bucket, upload, [two], key="other")["Code"] == "NoSuchUpload"
    assert complete(s3, bucket, upload, [two])["ETag"].endswith('-1"')


def test_parts_that_are_refused(s3, bucket):
    upload = begin(s3, bucket)
    assert refused(send, s3, bucket, "none", 1, b"x")["Code"] == "NoSuchUpload"
    for number in (0, 10_001):
        wrong = refused(send, s3, bucket, upload, number, b"x")
        assert (wrong["Code"], wrong["ArgumentName"]) == ("InvalidArgument", "partNumber")
    assert refused(send, s3, bucket, upload, 1, b"x", ContentMD5="A" * 22 + "==")["Code"] == "BadDigest"
    assert refused(send, s3, bucket, upload, 1, b"x", ChecksumCRC32="AAAAAA==")["Code"] == "BadDigest"
    assert "Parts" not in s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)
    copied = refused(
        s3.upload_part_copy, Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, CopySource="parts/x"
    )
    assert copied["Code"] == "NotImplemented"
    assert "UploadPartCopy" in copied["Message"]


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [("CRC32", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA1", "COMPOSITE"), ("SHA256", "COMPOSITE")],
)
def test_checksums_of_parts_and_of_the_whole(s3, bucket, algorithm, kind):
    member = f"Checksum{algorithm}"
    upload = begin(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType=kind)
    parts = [
        send(s3, bucket, upload, number, body, ChecksumAlgorithm=algorithm)
        for number, body in ((1, LARGE), (2, b"end"))
    ]
    if kind == "COMPOSITE":
        missing = refused(complete, s3, bucket, upload, parts)
        assert (missing["Code"], "for each part" in missing["Message"]) == ("InvalidRequest", True)
    listed = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    parts = [{name: part[name] for name in ("PartNumber", "ETag", member)} for part in listed]
    swapped = [{**parts[0], member: parts[1][member]}, parts[1]]
    assert refused(complete, s3, bucket, upload, swapped)["Code"] == "InvalidPart"
    if kind == "COMPOSITE":
        sums = b"".join(sum_of(algorithm, body) for body in (LARGE, b"end"))
        want = base64.b64encode(sum_of(algorithm, sums)).decode() + "-2"
    else:
        want = base64.b64encode(sum_of(algorithm, LARGE + b"end")).decode()
        bad = refused(complete, s3, bucket, upload, parts, **{member: parts[1][member]})
        assert bad["Code"] == "BadDigest"
    made = complete(s3, bucket, upload, parts, ChecksumType=kind)
    assert (made[member], made["ChecksumType"]) == (want, kind)
    assert s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")[member] == want


def test_checksums_that_do_not_fit(s3, bucket):
    assert (
        refused(begin, s3, bucket, ChecksumAlgorithm="SHA1", ChecksumType="FULL_OBJECT")["Code"]
        == "InvalidRequest"
    )
    wrong = refused(begin, s3, bucket, ChecksumAlgorithm="CRC64NVME", ChecksumType="COMPOSITE")
    assert (
        wrong["Message"]
        == "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm."
    )
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    wrong = refused(send, s3, bucket, upload, 1, b"x", ChecksumAlgorithm="CRC32")
    assert "expected checksum Type: sha256, actual checksum Type: crc32" in wrong["Message"]


def test_conditions_and_versions(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=bucket, Key="k", Body=b"first")
    upload = begin(s3, bucket)
    parts = [send(s3, bucket, upload, 1, b"second")]
    assert refused(complete, s3, bucket, upload, parts, IfNoneMatch="*")["Code"] == "PreconditionFailed"
    assert refused(complete, s3, bucket, upload, parts, IfMatch='"0"')["Code"] == "PreconditionFailed"
    made = complete(s3, bucket, upload, parts, IfMatch=first["ETag"])
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [v["VersionId"] for v in versions] == [made["VersionId"], first["VersionId"]]
    assert s3.get_object(Bucket=bucket, Key="k", VersionId=first["VersionId"])["Body"].read() == b"first"


def test_aborted_uploads_are_gone(s3, bucket):
    upload = begin(s3, bucket)
    send(s3, bucket, upload, 1, b"x")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    for function in (s3.abort_multipart_upload, s3.list_parts):
        assert refused(function, Bucket=bucket, Key="k", UploadId=upload)["Code"] == "NoSuchUpload"
    assert refused(s3.head_object, Bucket=bucket, Key="k")["Code"] == "404"


def test_a_completed_upload_is_aborted_in_peace_for_a_day(cloud, s3, bucket):
    first, second = begin(s3, bucket), begin(s3, bucket)
    for upload in (first, second):
        complete(s3, bucket, upload, [send(s3, bucket, upload, 1, b"x")])
    s3.delete_object(Bucket=bucket, Key="k")
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=first)
    other = {"Bucket": bucket, "Key": "other", "UploadId": first}
    assert refused(s3.abort_multipart_upload, **other)["Code"] == "NoSuchUpload"
    cloud.move_clock("advance", DAY_MS)
    for function in (s3.abort_multipart_upload, s3.list_parts):
        assert refused(function, Bucket=bucket, Key="k", UploadId=first)["Code"] == "NoSuchUpload"
    third = begin(s3, bucket)
    complete(s3, bucket, third, [send(s3, bucket, third, 1, b"x")])
    start, stop = prefix_range(completed_of(bucket))
    kept = cloud.call(lambda: cloud.face.desk.keys.scan(start, stop))
    assert [entry.key for entry in kept] == [pack(completed_key(bucket, third))]
    s3.delete_object(Bucket=bucket, Key="k")
    s3.delete_bucket(Bucket=bucket)
    assert not cloud.call(lambda: cloud.face.desk.keys.scan(start, stop))


def test_a_checksum_over_checksums_may_come_without_the_number_of_parts(s3, bucket):
    upload = begin(s3, bucket, ChecksumAlgorithm="SHA256")
    parts = [send(s3, bucket, upload, 1, b"x", ChecksumAlgorithm="SHA256")]
    inner = sum_of("SHA256", b"x")
    parts[0]["ChecksumSHA256"] = base64.b64encode(inner).decode()
    outer = base64.b64encode(sum_of("SHA256", inner)).decode()
    wrong = base64.b64encode(inner).decode()
    assert refused(complete, s3, bucket, upload, parts, ChecksumSHA256=wrong)["Code"] == "BadDigest"
    assert refused(complete, s3, bucket, upload, parts, ChecksumSHA256=f"{outer}-2")["Code"] == "BadDigest"
    assert complete(s3, bucket, upload, parts, ChecksumSHA256=outer)["ChecksumSHA256"] == f"{outer}-1"


@pytest.mark.parametrize("algorithm", ["MD5", "SHA512", "XXHASH3", "XXHASH64", "XXHASH128"])
def test_checksums_that_are_not_there_are_refused_by_name(s3, bucket, algorithm):
    refusal = refused(begin, s3, bucket, ChecksumAlgorithm=algorithm)
    assert (refusal["Code"], algorithm in refusal["Message"]) == ("NotImplemented", True)
    source = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**source, Body=b"x")
    copying = {"Bucket": bucket, "Key": "to", "CopySource": source, "ChecksumAlgorithm": algorithm}
    refusal = refused(s3.copy_object, **copying)
    assert (refusal["Code"], algorithm in refusal["Message"]) == ("NotImplemented", True)
    member = f"Checksum{algorithm}"
    if member in s3.meta.service_model.operation_model("PutObject").input_shape.members:
        refusal = refused(s3.put_object, **source, Body=b"x", **{member: "eA=="})
        assert (refusal["Code"], member in refusal["Message"]) == ("NotImplemented", True)


def test_parts_are_numbered_from_one(s3, bucket):
    upload = begin(s3, bucket)
    part = send(s3, bucket, upload, 1, b"x")
    refusal = refused(complete, s3, bucket, upload, [{**part, "PartNumber": 0}])
    assert (refusal["Code"], refusal["Message"]) == ("InvalidArgument", "PartNumber must be >= 1")


def test_an_algorithm_may_be_spelled_small(s3, bucket):
    """minio's client for Python does."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="crc32c")
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == ("CRC32C", "COMPOSITE")
    source = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**source, Body=b"x")
    made = s3.copy_object(Bucket=bucket, Key="to", CopySource=source, ChecksumAlgorithm="sha1")
    assert made["CopyObjectResult"]["ChecksumSHA1"]


def test_parts_and_uploads_come_in_pages(s3, bucket):
    upload = begin(s3, bucket, key="a")
    for number in (1, 3, 10_000):
        send(s3, bucket, upload, number, b"x" * number, key="a")
    pages = s3.get_paginator("list_parts").paginate(
        Bucket=bucket, Key="a", UploadId=upload, PaginationConfig={"PageSize": 2}
    )
    assert [p["PartNumber"] for page in pages for p in page.get("Parts", [])] == [1, 3, 10_000]
    others = [("a", upload), ("a", begin(s3, bucket, key="a"))]
    others += [(key, begin(s3, bucket, key=key)) for key in ("b/1", "b/2", "c")]
    pages = s3.get_paginator("list_multipart_uploads").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    )
    found = [(each["Key"], each["UploadId"]) for page in pages for each in page["Uploads"]]
    assert sorted(found) == sorted(others)
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/", KeyMarker="a")
    assert [each["Key"] for each in rolled["Uploads"]] == ["c"]
    assert rolled["CommonPrefixes"] == [{"Prefix": "b/"}]


def test_the_transfer_manager_of_boto3(cloud, s3, bucket):
    if cloud.engine != "disk":
        pytest.skip("one engine is enough for 40 MiB")
    body = Random(8).randbytes(40 * MIB + 17)
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=6)
    s3.upload_fileobj(io.BytesIO(body), bucket, "large", Config=config)
    assert s3.head_object(Bucket=bucket, Key="large")["ETag"].endswith('-6"')
    into = io.BytesIO()
    s3.download_fileobj(bucket, "large", into, Config=config)
    assert into.getvalue() == body
