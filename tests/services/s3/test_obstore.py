"""S3 with the obstore package: the object_store library of Rust, its own signer and HTTP client."""

import datetime
import hashlib
import urllib.request

import pytest
from tests.cloud import running

obstore = pytest.importorskip("obstore")
stores = pytest.importorskip("obstore.store")

BODY = hashlib.shake_128(b"obstore").digest(12_000_000)
PART_BYTES = 5 << 20


@pytest.fixture
def store(tmp_path):
    with running(engine="disk", folder=tmp_path / "data") as cloud:
        cloud.client("s3").create_bucket(Bucket="obstore")
        yield stores.S3Store(
            "obstore", endpoint=cloud.url, region="us-east-1", access_key_id="test", secret_access_key="test",
            client_options={"allow_http": True},
        )  # fmt: skip


def test_parts_and_ranges(store):
    made = obstore.put(store, "large", BODY, use_multipart=True, chunk_size=PART_BYTES, max_concurrency=3)
    assert made["e_tag"].endswith('-3"')
    found = obstore.head(store, "large")
    assert (found["size"], found["e_tag"]) == (len(BODY), made["e_tag"])
    assert b"".join(bytes(piece) for piece in obstore.get(store, "large").stream()) == BODY
    starts, stops = [0, PART_BYTES - 2, 11_999_990], [5, PART_BYTES + 2, 12_000_000]
    pieces = obstore.get_ranges(store, "large", starts=starts, ends=stops)
    assert [bytes(piece) for piece in pieces] == [
        BODY[start:stop] for start, stop in zip(starts, stops, strict=True)
    ]
    tail = obstore.get(store, "large", options={"range": {"suffix": 7}})
    assert bytes(tail.bytes()) == BODY[-7:]
    with obstore.open_writer(store, "written", buffer_size=PART_BYTES) as file:
        for start in range(0, len(BODY), 1_000_000):
            file.write(BODY[start : start + 1_000_000])
    assert bytes(obstore.get(store, "written").bytes()) == BODY
    with pytest.raises(obstore.exceptions.NotModifiedError):
        obstore.get(store, "large", options={"if_none_match": made["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.get(store, "large", options={"if_match": '"other"'})


def test_listing(store):
    names = [*sorted(f"d{number % 3}/é {number:04}" for number in range(1100)), "top"]
    for name in names:
        obstore.put(store, name, b"")
    listed = [each["path"] for page in obstore.list(store, chunk_size=400) for each in page]
    assert listed == names
    shallow = obstore.list_with_delimiter(store)
    assert list(shallow["common_prefixes"]) == ["d0", "d1", "d2"]
    assert [each["path"] for each in shallow["objects"]] == ["top"]
    behind = obstore.list(store, "d1", offset=names[400])
    assert [each["path"] for page in behind for each in page] == [
        name for name in names if name.startswith("d1/") and name > names[400]
    ]
    obstore.delete(store, names)  # in bulk
    assert [page for page in obstore.list(store) if len(page)] == []


def test_writes_with_conditions(store):
    first = obstore.put(store, "k", b"first", mode="create")
    with pytest.raises(obstore.exceptions.AlreadyExistsError):
        obstore.put(store, "k", b"again", mode="create")
    second = obstore.put(store, "k", b"second", mode={"e_tag": first["e_tag"]})
    with pytest.raises(obstore.exceptions.PreconditionError):
        obstore.put(store, "k", b"third", mode={"e_tag": first["e_tag"]})
    assert bytes(obstore.get(store, "k", options={"if_match": second["e_tag"]}).bytes()) == b"second"
    obstore.copy(store, "k", "copy")
    obstore.rename(store, "copy", "renamed")
    with pytest.raises(FileNotFoundError):
        obstore.head(store, "copy")
    assert bytes(obstore.get(store, "renamed").bytes()) == b"second"


def test_presigned(store):

    where = obstore.sign(store, "PUT", "signed", datetime.timedelta(minutes=1))
    request = urllib.request.Request(where, data=b"by hand", method="PUT")
    assert urllib.request.urlopen(request, timeout=10).status == 200
    assert bytes(obstore.get(store, "signed").bytes()) == b"by hand"
