"""Answers of S3 where they were recorded from AWS itself: documents, texts, statuses, members."""

import datetime
import re
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import botocore.exceptions
import pytest
from tests.cloud import running

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@pytest.fixture(scope="module")
def cloud():
    with running() as cloud:
        yield cloud


@pytest.fixture
def s3(cloud):
    return cloud.client("s3")


@pytest.fixture
def bucket(s3, request):
    name = f"b{abs(hash(request.node.nodeid)) % 10**12:012d}"
    s3.create_bucket(Bucket=name)
    return name


def refused(call, **arguments):
    """Status, code, message, and the error's further members."""
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = dict(raised.value.response["Error"])
    status = raised.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return status, error.pop("Code"), error.pop("Message"), error


def fetched(s3, method, **arguments):
    """The headers and the body of a presigned read, as they came."""
    with urllib.request.urlopen(s3.generate_presigned_url(method, Params=arguments)) as reply:
        return dict(reply.headers.items()), reply.read().decode()


# --- documents


@pytest.mark.parametrize(
    ("method", "root"),
    [
        ("list_objects", "ListBucketResult"),
        ("list_objects_v2", "ListBucketResult"),
        ("list_object_versions", "ListVersionsResult"),
        ("list_multipart_uploads", "ListMultipartUploadsResult"),
        ("get_bucket_versioning", "VersioningConfiguration"),
        ("get_bucket_location", "LocationConstraint"),
    ],
)
def test_a_document_has_the_root_and_the_namespace_of_s3(s3, bucket, method, root):
    _, body = fetched(s3, method, Bucket=bucket)
    assert f'?>\n<{root} xmlns="{NAMESPACE}">' in body


def test_times_in_documents_have_milliseconds_that_are_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    _, body = fetched(s3, "list_objects_v2", Bucket=bucket)
    assert re.search(r"<LastModified>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z</LastModified>", body)


def test_a_reply_has_the_two_ids_of_s3(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"a")
    read = s3.get_object(Bucket=bucket, Key="a")["ResponseMetadata"]
    assert read["RequestId"] == read["HTTPHeaders"]["x-amz-request-id"]
    assert read["HostId"] == read["HTTPHeaders"]["x-amz-id-2"]
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        s3.get_object(Bucket=bucket, Key="b")
    answer = raised.value.response["ResponseMetadata"]
    assert answer["HostId"] == answer["HTTPHeaders"]["x-amz-id-2"]


# --- presigned URLs


def put(url, body=b"x", **headers):
    """The status of a PUT."""
    request = urllib.request.Request(url, data=body, method="PUT", headers=headers)
    request.add_unredirected_header("Content-Type", "")
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.status
    except urllib.error.HTTPError as refused:
        return refused.code


def test_metadata_in_the_query_of_a_presigned_url_counts(s3, bucket):
    given = {"Bucket": bucket, "Key": "a", "Metadata": {"foo": "bar"}}
    url = s3.generate_presigned_url("put_object", Params=given)
    assert "x-amz-meta-foo=bar" in url
    assert put(url) == 200
    assert s3.head_object(Bucket=bucket, Key="a")["Metadata"] == {"foo": "bar"}


def signed_query(cloud, path, **query):
    """A URL that is presigned with Version 4, its query as given."""
    made = botocore.awsrequest.AWSRequest("PUT", f"{cloud.url}{path}", params=query)
    keys = botocore.credentials.Credentials("test", "test")
    botocore.auth.S3SigV4QueryAuth(keys, "s3", "us-east-1").add_auth(made)
    return made.url


def test_conditions_in_the_query_of_a_presigned_url_count(cloud, s3, bucket):
    url = signed_query(cloud, f"/{bucket}/a", **{"If-None-Match": "*", "x-amz-checksum-crc32": "AAAAAA=="})
    assert put(url) == 200, "a checksum in the query is taken no notice of"
    assert put(url) == 412


def test_an_unsigned_hash_of_the_body_counts_for_nothing_in_a_presigned_url(cloud, bucket):
    url = signed_query(cloud, f"/{bucket}/a")
    assert put(url, **{"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}) == 200
    assert put(url, **{"x-amz-user-agent": "x"}) == 403


def test_an_expired_url_of_version_2_tells_both_times(s3, bucket):
    url = s3.generate_presigned_url("list_objects", Params={"Bucket": bucket}, ExpiresIn=-1)
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(url)
    with raised.value as answer:
        text = answer.read().decode()
    assert re.search(r"<Expires>\d{4}-.*Z</Expires><ServerTime>\d{4}-.*Z</ServerTime>", text)


def test_a_credential_that_is_encoded_twice_is_malformed(cloud, bucket):
    url = signed_query(cloud, f"/{bucket}/a").replace("%2F", "%252F")
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(urllib.request.Request(url, data=b"", method="PUT"))
    with raised.value as answer:
        assert "<Code>AuthorizationQueryParametersError</Code>" in answer.read().decode()


# --- buckets


def test_what_is_told_of_a_bucket(s3, bucket):
    arn = f"arn:aws:s3:::{bucket}"
    assert s3.create_bucket(Bucket=bucket)["BucketArn"] == arn
    head = s3.head_bucket(Bucket=bucket)
    assert (head["BucketArn"], head["AccessPointAlias"]) == (arn, False)
    assert "BucketRegion" not in s3.list_buckets()["Buckets"][0]
    assert s3.list_buckets(Prefix=bucket)["Buckets"][0]["BucketRegion"] == "us-east-1"


def test_locations(cloud, s3, bucket):
    eu = {"LocationConstraint": "EU"}
    s3.create_bucket(Bucket=f"{bucket}-eu", CreateBucketConfiguration=eu)
    assert s3.get_bucket_location(Bucket=f"{bucket}-eu")["LocationConstraint"] == "EU"
    other = cloud.client("s3", region="us-west-1")
    none = {"Bucket": f"{bucket}-x", "CreateBucketConfiguration": {"LocationConstraint": "bar"}}
    text = (
        "The bar location constraint is incompatible for the region specific endpoint this request was "
        "sent to."
    )
    assert refused(other.create_bucket, **none)[1:3] == ("IllegalLocationConstraintException", text)
    assert refused(s3.create_bucket, **none)[1] == "InvalidLocationConstraint"


def test_only_the_first_region_makes_a_bucket_twice(s3, bucket):
    west = {"Bucket": f"{bucket}-w", "CreateBucketConfiguration": {"LocationConstraint": "us-west-1"}}
    s3.create_bucket(**west)
    assert refused(s3.create_bucket, **west)[1] == "BucketAlreadyOwnedByYou"
    listed = s3.list_objects_v2(Bucket=f"{bucket}-w")["ResponseMetadata"]["HTTPHeaders"]
    assert listed["x-amz-bucket-region"] == "us-west-1"


def test_versioning_needs_a_status(s3, bucket):
    answer = refused(s3.put_bucket_versioning, Bucket=bucket, VersioningConfiguration={})
    assert answer[1] == "IllegalVersioningConfigurationException"


def test_a_bucket_with_versions_says_what_is_to_be_deleted(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(Bucket=bucket, Key="a")
    text = "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
    assert refused(s3.delete_bucket, Bucket=bucket)[1:3] == ("BucketNotEmpty", text)


# --- objects


def test_a_digest_that_is_wrong_is_told(s3, bucket):
    _, code, _, more = refused(s3.put_object, Bucket=bucket, Key="a", Body=b"x", ContentMD5="MTIz")
    assert (code, more["Content-MD5"]) == ("InvalidDigest", "MTIz")
    wrong = "1B2M2Y8AsgTpgAmY7PhCfg=="
    _, code, _, more = refused(s3.put_object, Bucket=bucket, Key="a", Body=b"x", ContentMD5=wrong)
    assert (code, more["CalculatedDigest"]) == ("BadDigest", "ndTkYSaMgDT1yFZOFVxnpg==")
    assert more["ExpectedDigest"] == "d41d8cd98f00b204e9800998ecf8427e"


def test_two_checksums_are_one_too_many(s3, bucket):
    sums = {"ChecksumCRC32": "jNwWgw==", "ChecksumSHA1": "EfatjsSn3VL+iRGNz+VUcR6NLf8="}
    text = "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
    assert refused(s3.put_object, Bucket=bucket, Key="a", Body=b"x", **sums)[1:3] == ("InvalidRequest", text)


def test_a_range_that_is_the_whole_has_its_checksum(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123456789")
    whole = s3.get_object(Bucket=bucket, Key="a", Range="bytes=0-100", ChecksumMode="enabled")
    assert (whole["ChecksumCRC32"], whole["ChecksumType"]) == ("poTHxg==", "FULL_OBJECT")
    assert "ChecksumCRC32" not in s3.get_object(
        Bucket=bucket, Key="a", Range="bytes=0-8", ChecksumMode="ENABLED"
    )


def test_encoded_words_that_spell_ascii_are_spelled_out(s3, bucket):
    words = {"a": "=?UTF-8?Q?actually-ascii?=", "b": "=?UTF-8?B?YWJj?=", "c": "=?UTF-8?B?AAECAw==?="}
    s3.put_object(Bucket=bucket, Key="a", Metadata=words)
    found = s3.head_object(Bucket=bucket, Key="a")["Metadata"]
    assert found == {"a": "actually-ascii", "b": "abc", "c": "=?UTF-8?B?AAECAw==?="}


def test_conditions_that_s3_does_not_take(s3, bucket):
    def answer(**conditions):
        status, code, _, more = refused(s3.put_object, Bucket=bucket, Key="a", **conditions)
        assert (status, code) == (501, "NotImplemented")
        return more["Header"], more["additionalMessage"]

    text = "We don't accept the provided value of If-Match header for this API"
    assert answer(IfMatch="*") == ("If-Match", text)
    text = "Multiple conditional request headers present in the request"
    assert answer(IfMatch="x", IfNoneMatch="*") == ("If-Match,If-None-Match", text)


def test_a_time_in_the_future_is_no_condition(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a", Body=b"x")
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    assert s3.get_object(Bucket=bucket, Key="a", IfModifiedSince=later)["ETag"]
    source = {"CopySource": f"{bucket}/a", "CopySourceIfModifiedSince": later}
    assert s3.copy_object(Bucket=bucket, Key="b", **source)["CopyObjectResult"]


def test_a_plus_in_the_source_of_a_copy_is_a_space(s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b", Body=b"x")

    def spell(request, **_):
        del request.headers["x-amz-copy-source"]
        request.headers["x-amz-copy-source"] = f"{bucket}/a+b"

    s3.meta.events.register("before-sign.s3.CopyObject", spell)
    assert s3.copy_object(Bucket=bucket, Key="c", CopySource="x/y")["CopyObjectResult"]


# --- versions


def test_a_version_id_that_never_was_one(s3, bucket):
    unknown = {"Key": "a", "VersionId": "HPniJFCxqTsMuIH9KX8K8wEjNUgmABCD"}
    assert refused(s3.get_object, Bucket=bucket, **unknown)[1] == "InvalidArgument"
    assert refused(s3.delete_object, Bucket=bucket, **unknown)[1] == "InvalidArgument"
    (error,) = s3.delete_objects(Bucket=bucket, Delete={"Objects": [unknown]})["Errors"]
    assert error["Code"] == "NoSuchVersion"


def test_a_bucket_without_locks_takes_no_word_about_them(s3, bucket):
    answer = refused(s3.delete_object, Bucket=bucket, Key="a", BypassGovernanceRetention=False)
    assert (answer[1], answer[3]["ArgumentName"]) == ("InvalidArgument", "x-amz-bypass-governance-retention")


def test_a_marker_has_no_tags(s3, bucket):
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.delete_object(Bucket=bucket, Key="a")
    status, code, _, more = refused(s3.get_object_tagging, Bucket=bucket, Key="a")
    assert (status, code, more["ResourceType"]) == (405, "MethodNotAllowed", "DeleteMarker")


@pytest.mark.parametrize("tagging", ["a=1&a=2", "a=1,b=2"])
def test_tags_in_a_header_that_are_no_query(s3, bucket, tagging):
    _, code, _, more = refused(s3.put_object, Bucket=bucket, Key="a", Tagging=tagging)
    assert (code, more["ArgumentName"], more["ArgumentValue"]) == (
        "InvalidArgument",
        "x-amz-tagging",
        tagging,
    )


def test_a_tag_that_is_invalid_is_told(s3, bucket):
    tags = {"TagSet": [{"Key": "a,b", "Value": "1"}]}
    _, code, text, more = refused(s3.put_bucket_tagging, Bucket=bucket, Tagging=tags)
    assert (code, text, more["TagKey"]) == ("InvalidTag", "The TagKey you have provided is invalid", "a,b")


# --- listings


def test_a_token_hides_where_a_listing_was_to_start(s3, bucket):
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key)
    first = s3.list_objects_v2(Bucket=bucket, StartAfter="a", MaxKeys=1)
    assert first["StartAfter"] == "a"
    token = first["NextContinuationToken"]
    assert "StartAfter" not in s3.list_objects_v2(Bucket=bucket, StartAfter="a", ContinuationToken=token)


# --- uploads


def test_the_digest_of_a_part_is_repeated_as_it_came(s3, upload):
    wrong = "1B2M2Y8AsgTpgAmY7PhCfg=="
    answer = refused(s3.upload_part, **upload, PartNumber=1, Body=b"x", ContentMD5=wrong)
    assert answer[3]["ExpectedDigest"] == wrong


@pytest.fixture
def upload(s3, bucket):
    return {
        "Bucket": bucket,
        "Key": "u",
        "UploadId": s3.create_multipart_upload(Bucket=bucket, Key="u")["UploadId"],
    }


def part(s3, upload, number=1, body=b"x", **more):
    etag = s3.upload_part(**upload, PartNumber=number, Body=body, **more)["ETag"]
    return {"PartNumber": number, "ETag": etag}


def test_how_a_completion_is_refused(s3, upload):
    unknown = {**upload, "UploadId": "fakeid"}
    assert refused(s3.complete_multipart_upload, **unknown)[1] == "NoSuchUpload"
    one, two = part(s3, upload, 1), part(s3, upload, 2)
    answer = refused(s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": [two, one]})
    assert answer[1:3] == (
        "InvalidPartOrder",
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    )
    assert answer[3]["UploadId"] == upload["UploadId"]


def test_an_upload_that_was_completed_may_be_aborted_without_effect(s3, upload):
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part(s3, upload)]})
    s3.abort_multipart_upload(**upload)
    assert s3.get_object(Bucket=upload["Bucket"], Key="u")["Body"].read() == b"x"


def test_a_key_that_was_written_since_an_upload_began_is_in_conflict_with_a_condition(cloud, s3, upload):
    parts = {"Parts": [part(s3, upload)]}
    etag = s3.put_object(Bucket=upload["Bucket"], Key="u", Body=b"y")["ETag"]
    answer = refused(s3.complete_multipart_upload, **upload, MultipartUpload=parts, IfMatch=etag)
    assert answer[:2] == (409, "ConditionalRequestConflict")
    assert answer[3]["Condition"] == "If-Match"


def test_parts_without_checksums_of_their_own_are_only_counted(s3, bucket, upload):
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part(s3, upload)]})
    asked = {"Bucket": bucket, "Key": "u", "ObjectAttributes": ["ObjectParts"]}
    assert s3.get_object_attributes(**asked)["ObjectParts"] == {"TotalPartsCount": 1}


def test_a_composite_checksum_is_told_with_a_part_and_without_its_count_as_an_attribute(s3, bucket):
    begun = s3.create_multipart_upload(Bucket=bucket, Key="u", ChecksumAlgorithm="SHA1")
    upload = {"Bucket": bucket, "Key": "u", "UploadId": begun["UploadId"]}
    sent = s3.upload_part(**upload, PartNumber=1, Body=b"x", ChecksumAlgorithm="SHA1")
    line = {"PartNumber": 1, "ETag": sent["ETag"], "ChecksumSHA1": sent["ChecksumSHA1"]}
    whole = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [line]})["ChecksumSHA1"]
    assert whole.endswith("-1")
    read = s3.head_object(Bucket=bucket, Key="u", PartNumber=1, ChecksumMode="ENABLED")
    assert (read["ChecksumSHA1"], read["ChecksumType"]) == (sent["ChecksumSHA1"], "COMPOSITE")
    asked = {"Bucket": bucket, "Key": "u", "ObjectAttributes": ["Checksum"]}
    assert s3.get_object_attributes(**asked)["Checksum"]["ChecksumSHA1"] == whole.removesuffix("-1")


def test_the_last_upload_of_a_listing_is_its_next_marker(s3, bucket, upload):
    listed = s3.list_multipart_uploads(Bucket=bucket)
    assert (listed["NextKeyMarker"], listed["NextUploadIdMarker"]) == ("u", upload["UploadId"])
