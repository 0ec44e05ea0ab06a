"""Versions, delete markers and the null version: as boto3 meets them, and against a model."""

import re
import urllib.request
from random import Random

import pytest
from tests.services.s3.test_objects import code_of, refusal


@pytest.fixture
def bucket(s3):
    s3.create_bucket(Bucket="bucket")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    return "bucket"


def put(s3, body, key="k"):
    """The version that a write made: one of a suspended bucket is not told its id, which is "null"."""
    return s3.put_object(Bucket="bucket", Key=key, Body=body.encode()).get("VersionId", "null")


def read(s3, version=None, key="k"):
    more = {} if version is None else {"VersionId": version}
    return s3.get_object(Bucket="bucket", Key=key, **more)["Body"].read().decode()


def suspend(s3):
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Suspended"})


def test_every_put_is_kept(s3, bucket):
    ids = [put(s3, body) for body in ("one", "two", "three")]
    assert len({*ids}) == 3
    assert all(len(each) == 32 for each in ids)
    assert [read(s3, each) for each in ids] == ["one", "two", "three"]
    assert read(s3) == "three"
    assert s3.head_object(Bucket=bucket, Key="k")["VersionId"] == ids[2]


def test_versions_and_markers_stand_in_one_order_in_the_document(s3, bucket):
    """boto3 tells of two lists; minio's clients and older SDKs of Java's of one, in the document's order."""
    wanted = []
    for key in ("a", "b"):
        for kind in ("Version", "DeleteMarker", "Version", "DeleteMarker"):
            if kind == "Version":
                made = s3.put_object(Bucket=bucket, Key=key, Body=b"x")
            else:
                made = s3.delete_object(Bucket=bucket, Key=key)
            wanted.insert(0 if key == "a" else 4, (kind, key, made["VersionId"]))
    url = s3.generate_presigned_url("list_object_versions", {"Bucket": bucket})
    with urllib.request.urlopen(url, timeout=10) as reply:
        document = reply.read().decode()
    found = re.findall(r"<(Version|DeleteMarker)><Key>(.)</Key><VersionId>([^<]+)<", document)
    assert found == wanted
    found = s3.list_object_versions(Bucket=bucket)
    assert [each["VersionId"] for each in found["Versions"]] == [i for k, _, i in wanted if k == "Version"]


def test_a_delete_marker_and_back(s3, bucket):
    ids = [put(s3, body) for body in ("one", "two")]
    said = s3.delete_object(Bucket=bucket, Key="k")
    marker = said["VersionId"]
    assert said["DeleteMarker"] is True
    refused = refusal(s3.get_object, Bucket=bucket, Key="k")
    assert refused["Error"]["Code"] == "NoSuchKey"
    headers = refused["ResponseMetadata"]["HTTPHeaders"]
    assert (headers["x-amz-delete-marker"], headers["x-amz-version-id"]) == ("true", marker)
    for call in (s3.get_object, s3.head_object):
        refused = refusal(call, Bucket=bucket, Key="k", VersionId=marker)["ResponseMetadata"]
        assert refused["HTTPStatusCode"] == 405
        assert refused["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        assert refused["HTTPHeaders"]["allow"] == "DELETE"
    assert read(s3, ids[0]) == "one"
    assert code_of(s3.delete_bucket, Bucket=bucket) == "BucketNotEmpty"
    said = s3.delete_object(Bucket=bucket, Key="k", VersionId=marker)
    assert (said["DeleteMarker"], said["VersionId"]) == (True, marker)
    assert read(s3) == "two"


def test_the_version_before_comes_to_the_front(s3, bucket):
    ids = [put(s3, body) for body in ("one", "two", "three")]
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[1])
    assert code_of(s3.get_object, Bucket=bucket, Key="k", VersionId=ids[1]) == "NoSuchVersion"
    assert read(s3) == "three"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[2])
    assert read(s3) == "one"
    s3.delete_object(Bucket=bucket, Key="k", VersionId=ids[0])
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"
    s3.delete_bucket(Bucket=bucket)


def test_the_null_version(s3):
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": "Enabled"})
    assert s3.head_object(Bucket="bucket", Key="k")["VersionId"] == "null"
    first = put(s3, "first")
    assert read(s3, "null") == "before"
    suspend(s3)
    assert put(s3, "again") == "null"
    assert read(s3, "null") == read(s3) == "again"
    assert put(s3, "and again") == "null"
    assert read(s3, first) == "first"
    said = s3.delete_object(Bucket="bucket", Key="k")
    assert (said["DeleteMarker"], said["VersionId"]) == (True, "null")
    assert code_of(s3.get_object, Bucket="bucket", Key="k") == "NoSuchKey"
    assert code_of(s3.get_object, Bucket="bucket", Key="k", VersionId="null") == "MethodNotAllowed"
    s3.delete_object(Bucket="bucket", Key="k", VersionId="null")
    assert read(s3) == "first"


def test_bad_version_ids(s3, bucket):
    put(s3, "one")
    other = put(s3, "other", key="other")
    assert code_of(s3.get_object, Bucket=bucket, Key="k", VersionId="x") == "InvalidArgument"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", VersionId=other) == "NoSuchVersion"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", VersionId="null") == "NoSuchVersion"
    assert s3.delete_object(Bucket=bucket, Key="k", VersionId=other)["VersionId"] == other
    assert read(s3) == "one"


def test_versions_copied_tagged_and_deleted_together(s3, bucket):
    ids = [put(s3, body) for body in ("one", "two")]
    said = s3.copy_object(
        Bucket=bucket, Key="k", CopySource={"Bucket": bucket, "Key": "k", "VersionId": ids[0]}
    )
    assert said["CopySourceVersionId"] == ids[0]
    assert read(s3) == "one"
    s3.put_object_tagging(
        Bucket=bucket, Key="k", VersionId=ids[0], Tagging={"TagSet": [{"Key": "a", "Value": "1"}]}
    )
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    assert s3.get_object_tagging(Bucket=bucket, Key="k", VersionId=ids[0])["TagSet"] != []
    objects = [{"Key": "k", "VersionId": each} for each in (*ids, said["VersionId"])] + [{"Key": "new"}]
    told = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects})["Deleted"]
    assert [each.get("VersionId") for each in told] == [*ids, said["VersionId"], None]
    assert told[3]["DeleteMarker"] is True
    assert told[3]["DeleteMarkerVersionId"]
    marker = {"Bucket": bucket, "Key": "new", "VersionId": told[3]["DeleteMarkerVersionId"]}
    for call, more, method in (
        (s3.get_object_tagging, {}, "GET"),
        (s3.put_object_tagging, {"Tagging": {"TagSet": []}}, "PUT"),
        (s3.delete_object_tagging, {}, "DELETE"),
    ):
        refused = refusal(call, **marker, **more)["Error"]
        assert (refused["Code"], refused["Method"]) == ("MethodNotAllowed", method)
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"


class Model:
    """A key's versions in a list, the newest first: (id, body), body None for a marker."""

    def __init__(self):
        self.versions = []
        self.mode = "Enabled"

    def put(self, version_id, body):
        if self.mode == "Suspended":
            assert version_id == "null"
            self.versions = [each for each in self.versions if each[0] != "null"]
        self.versions.insert(0, (version_id, body))

    def take(self, version_id):
        self.versions = [each for each in self.versions if each[0] != version_id]


@pytest.mark.parametrize("seed", range(6))
def test_any_history_is_as_the_model_has_it(s3, bucket, seed):
    chance, model = Random(seed), Model()
    for number in range(40):
        act = chance.randrange(10)
        if act < 4:
            model.put(put(s3, str(number)), str(number))
        elif act < 6:
            model.put(s3.delete_object(Bucket=bucket, Key="k")["VersionId"], None)
        elif act < 9 and model.versions:
            version_id, body = chance.choice(model.versions)
            said = s3.delete_object(Bucket=bucket, Key="k", VersionId=version_id)
            assert said.get("DeleteMarker", False) == (body is None)
            model.take(version_id)
        elif act == 9:
            model.mode = chance.choice(["Enabled", "Suspended"])
            s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": model.mode})
        expect(s3, model)


def expect(s3, model):
    newest = model.versions[0][1] if model.versions else None
    if newest is None:
        assert code_of(s3.get_object, Bucket="bucket", Key="k") == "NoSuchKey"
    else:
        assert read(s3) == newest
    for version_id, body in model.versions:
        if body is None:
            assert (
                code_of(s3.get_object, Bucket="bucket", Key="k", VersionId=version_id) == "MethodNotAllowed"
            )
        else:
            assert read(s3, version_id) == body


@pytest.mark.parametrize("mode", ["", "Enabled", "Suspended"])
def test_a_bucket_is_emptied_page_by_page(s3, mode):
    s3.create_bucket(Bucket="bucket")
    for number in range(7):
        s3.put_object(Bucket="bucket", Key=f"k{number % 3}", Body=b"")
        if mode and number == 2:
            s3.put_bucket_versioning(Bucket="bucket", VersioningConfiguration={"Status": mode})
    seen, more = set(), {}
    while True:
        page = s3.list_object_versions(Bucket="bucket", MaxKeys=2, **more)
        found = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in page.get("Versions", [])]
        assert not seen.intersection((each["Key"], each["VersionId"]) for each in found)
        seen.update((each["Key"], each["VersionId"]) for each in found)
        s3.delete_objects(Bucket="bucket", Delete={"Objects": found})
        if not page["IsTruncated"]:
            break
        more = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}
    assert len(seen) == (7 if mode == "Enabled" else 3)
    s3.delete_bucket(Bucket="bucket")


def test_a_conditional_delete_judges_the_current_version(s3, bucket):
    old = s3.put_object(Bucket=bucket, Key="k", Body=b"old")
    new = s3.put_object(Bucket=bucket, Key="k", Body=b"new")
    whose = {"Bucket": bucket, "Key": "k", "VersionId": old["VersionId"]}
    assert code_of(s3.delete_object, **whose, IfMatch=old["ETag"]) == "PreconditionFailed"
    s3.delete_object(**whose, IfMatch=new["ETag"])
    assert read(s3) == "new"
    assert code_of(s3.delete_object, Bucket=bucket, Key="none", IfMatch="*") == "NoSuchKey"
