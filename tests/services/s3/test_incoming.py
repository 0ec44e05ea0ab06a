"""Requests that are wrong before they are taken for an operation's parameters."""

import base64
import hashlib

import pytest
from tests.cloud import running
from tests.services.s3.test_objects import code_of

KEYS = {"Objects": [{"Key": "k"}]}


@pytest.fixture
def cloud():
    with running() as cloud:
        cloud.client("s3").create_bucket(Bucket="bucket")
        yield cloud


def client_that_sends(cloud, operation, change):
    """A client whose requests are changed before they are signed."""
    s3 = cloud.client("s3")
    s3.meta.events.register(f"before-sign.s3.{operation}", lambda request, **_: change(request.headers))
    return s3


def without_sums(headers):
    for name in [each for each in headers if "checksum" in each.lower() or each.lower() == "content-md5"]:
        del headers[name]


def md5(body):
    return base64.b64encode(hashlib.md5(body).digest()).decode()


def test_a_body_that_is_not_what_its_sum_says(cloud):
    cloud.client("s3").put_object(Bucket="bucket", Key="k", Body=b"kept")

    def other(headers):
        without_sums(headers)
        headers["Content-MD5"] = md5(b"other")

    def other_crc(headers):
        without_sums(headers)
        headers["x-amz-checksum-crc32"] = "AAAAAA=="

    def no_sum(headers):
        without_sums(headers)
        headers["Content-MD5"] = "bad"

    for change, code in [
        (other, "BadDigest"),
        (other_crc, "BadDigest"),
        (no_sum, "InvalidDigest"),
        (without_sums, "InvalidRequest"),
    ]:
        s3 = client_that_sends(cloud, "DeleteObjects", change)
        assert code_of(s3.delete_objects, Bucket="bucket", Delete=KEYS) == code
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"kept"
    tagging = {"TagSet": [{"Key": "a", "Value": "1"}]}
    s3 = client_that_sends(cloud, "PutObjectTagging", other)
    assert code_of(s3.put_object_tagging, Bucket="bucket", Key="k", Tagging=tagging) == "BadDigest"
    s3 = client_that_sends(cloud, "PutObjectTagging", without_sums)
    s3.put_object_tagging(Bucket="bucket", Key="k", Tagging=tagging)  # which wants none
    s3 = client_that_sends(cloud, "PutBucketTagging", without_sums)
    assert code_of(s3.put_bucket_tagging, Bucket="bucket", Tagging=tagging) == "InvalidRequest"


@pytest.mark.parametrize("name", ["max-keys", "max-uploads", "partNumber"])
@pytest.mark.parametrize("value", ["many", "9999999999", ""])
def test_a_count_that_is_no_number(cloud, name, value):
    s3 = cloud.client("s3")

    def ask(request, **_):
        request.url = request.url.replace("encoding-type=url", f"{name}={value}")

    s3.meta.events.register("before-sign.s3.ListObjects", ask)
    assert code_of(s3.list_objects, Bucket="bucket", EncodingType="url") == "InvalidArgument"
