"""Listings through the whole gateway, of records that are laid down beside it."""

import asyncio

import pytest
from botocore.exceptions import ClientError

from cloudlet.aws.record import encode, packed
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.services.s3.state import Object, object_key, version_id_of, version_key

MODIFIED_MS = 1_700_000_000_123
TOKEN = bytes(range(16))


def version(ordinal, *, is_marker=False, size=3, null_ordinal=0, version_id=None):
    return Object(
        ordinal, version_id or version_id_of(ordinal, TOKEN), MODIFIED_MS, size, "0" * 32,
        is_marker=is_marker, null_ordinal=null_ordinal,
    )  # fmt: skip


def lay(cloud, records):
    """Commit records past the hostile engine's tricks, which are for calls."""

    async def commit():
        keys = cloud.face.desk.keys
        puts = [Put(packed(key), encode(record)) for key, record in records.items()]
        for at in range(0, len(puts), 100):
            await getattr(keys, "inner", keys).commit(Commit(Author("test"), put=puts[at : at + 100]))

    asyncio.run_coroutine_threadsafe(commit(), cloud.loop).result(30)


@pytest.fixture
def bucket(cloud, s3):
    s3.create_bucket(Bucket="listed")
    return "listed"


@pytest.fixture
def keys(cloud, bucket):
    names = ["100%.csv", "a b.txt", "a+b.txt", "docs/a.txt", "docs/b.txt", "docs/old/c", "zz~*é.txt"]
    lay(cloud, {object_key(bucket, name): version(1, version_id="null") for name in names})
    return names


def code_of(function, **members):
    with pytest.raises(ClientError) as caught:
        function(**members)
    return caught.value.response["Error"]


def test_objects_and_common_prefixes_come_in_pages(s3, bucket, keys):
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=4)
    assert [item["Key"] for item in page["Contents"]] == keys[:3]
    assert page["CommonPrefixes"] == [{"Prefix": "docs/"}]
    assert (page["KeyCount"], page["MaxKeys"], page["IsTruncated"]) == (4, 4, True)
    last = s3.list_objects_v2(Bucket=bucket, Delimiter="/", ContinuationToken=page["NextContinuationToken"])
    assert [item["Key"] for item in last["Contents"]] == keys[-1:]
    assert "CommonPrefixes" not in last
    assert last["ContinuationToken"] == page["NextContinuationToken"]
    assert not last["IsTruncated"]


def test_an_object_in_a_listing(s3, bucket, keys):
    (item,) = s3.list_objects_v2(Bucket=bucket, Prefix="100", FetchOwner=True)["Contents"]
    assert item["LastModified"].timestamp() == MODIFIED_MS // 1000
    assert (item["ETag"], item["Size"], item["StorageClass"]) == ('"' + "0" * 32 + '"', 3, "STANDARD")
    assert len(item["Owner"]["ID"]) == 64
    (item,) = s3.list_objects_v2(Bucket=bucket, Prefix="100")["Contents"]
    assert "Owner" not in item


def test_the_older_listing_goes_on_behind_a_marker(s3, bucket, keys):
    page = s3.list_objects(Bucket=bucket, Delimiter="/", MaxKeys=4)
    assert (page["NextMarker"], page["Marker"]) == ("docs/", "")
    rest = s3.list_objects(Bucket=bucket, Delimiter="/", Marker="docs/a.txt")
    assert [item["Key"] for item in rest["Contents"]] == keys[-1:]
    assert "CommonPrefixes" not in rest
    plain = s3.list_objects(Bucket=bucket, MaxKeys=2)
    assert plain["IsTruncated"]
    assert "NextMarker" not in plain


def test_start_after_stands_inside_a_common_prefix(s3, bucket, keys):
    page = s3.list_objects_v2(Bucket=bucket, Delimiter="/", StartAfter="docs/a.txt")
    assert page["CommonPrefixes"] == [{"Prefix": "docs/"}]
    assert page["StartAfter"] == "docs/a.txt"


def test_no_keys_is_a_page_and_many_are_a_thousand(cloud, s3, bucket):
    lay(cloud, {object_key(bucket, f"{n:04}"): version(1) for n in range(1002)})
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"], none["MaxKeys"]) == (0, False, 0)
    many = s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)
    assert (many["KeyCount"], many["IsTruncated"], many["MaxKeys"]) == (1000, True, 5000)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 300})
    assert [item["Key"] for page in pages for item in page["Contents"]] == [f"{n:04}" for n in range(1002)]


def test_keys_are_spelled_for_urls_where_asked(s3, bucket, keys):
    s3.meta.events.unregister("before-parameter-build.s3.ListObjectsV2")
    shown = []
    s3.meta.events.register(
        "before-parse.s3.ListObjectsV2", lambda response_dict, **_: shown.append(response_dict)
    )
    s3.list_objects_v2(Bucket=bucket, EncodingType="url")
    body = shown[0]["body"].decode()
    for spelled in ("100%25.csv", "a+b.txt", "a%2Bb.txt", "docs/old/c", "zz%7E*%C3%A9.txt"):
        assert f"<Key>{spelled}</Key>" in body


def test_what_is_refused(s3, bucket):
    assert code_of(s3.list_objects_v2, Bucket="absent")["Code"] == "NoSuchBucket"
    wrong = code_of(s3.list_objects_v2, Bucket=bucket, ContinuationToken="no-token")
    assert (wrong["Code"], wrong["ArgumentName"]) == ("InvalidArgument", "continuation-token")
    wrong = code_of(s3.list_objects, Bucket=bucket, MaxKeys=-1)
    assert (wrong["Code"], wrong["ArgumentName"], wrong["ArgumentValue"]) == (
        "InvalidArgument",
        "maxKeys",
        "-1",
    )
    wrong = code_of(s3.list_objects_v2, Bucket=bucket, EncodingType="base64")
    assert wrong["Message"] == "Invalid Encoding Method specified in Request"
    wrong = code_of(s3.list_objects_v2, Bucket=bucket, OptionalObjectAttributes=["RestoreStatus"])
    assert wrong["Code"] == "NotImplemented"
    assert "OptionalObjectAttributes" in wrong["Message"]
    wrong = code_of(s3.list_object_versions, Bucket=bucket, VersionIdMarker="v")
    assert wrong["Message"] == "A version-id marker cannot be specified without a key marker."


def test_versions_and_markers_newest_first(cloud, s3, bucket):
    lay(cloud, {
        object_key(bucket, "a"): version(3, null_ordinal=1),
        version_key(bucket, "a", 2): version(2, is_marker=True),
        version_key(bucket, "a", 1): version(1, version_id="null"),
        version_key(bucket, "b", 2): version(2, is_marker=True),
        version_key(bucket, "b", 1): version(1),
        object_key(bucket, "c/d"): version(1),
    })  # fmt: skip
    whole = s3.list_object_versions(Bucket=bucket)
    ids = {n: version_id_of(n, TOKEN) for n in (1, 2, 3)}
    assert [(v["Key"], v["VersionId"], v["IsLatest"]) for v in whole["Versions"]] == [
        ("a", ids[3], True), ("a", "null", False), ("b", ids[1], False), ("c/d", ids[1], True)
    ]  # fmt: skip
    assert [(m["Key"], m["VersionId"], m["IsLatest"]) for m in whole["DeleteMarkers"]] == [
        ("a", ids[2], False), ("b", ids[2], True)
    ]  # fmt: skip
    seen, markers = [], {}
    for _ in range(10):
        page = s3.list_object_versions(Bucket=bucket, Delimiter="/", MaxKeys=1, **markers)
        found = page.get("Versions", []) + page.get("DeleteMarkers", [])
        seen += [(each["Key"], each["VersionId"], each["IsLatest"]) for each in found]
        seen += [each["Prefix"] for each in page.get("CommonPrefixes", [])]
        if not page["IsTruncated"]:
            break
        markers = {"KeyMarker": page["NextKeyMarker"]}
        if "NextVersionIdMarker" in page:
            markers["VersionIdMarker"] = page["NextVersionIdMarker"]
    assert seen == [
        ("a", ids[3], True), ("a", ids[2], False), ("a", "null", False), ("b", ids[2], True),
        ("b", ids[1], False), "c/",
    ]  # fmt: skip
