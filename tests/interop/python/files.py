"""A bucket as a file system, with s3fs over aiobotocore; prints "ok"."""

import hashlib
import os

import s3fs

# With a region among its arguments s3fs names it as a bucket's place, which us-east-1 refuses.
PLACE = {
    "endpoint_url": os.environ["AWS_ENDPOINT_URL"],
    "key": os.environ["AWS_ACCESS_KEY_ID"],
    "secret": os.environ["AWS_SECRET_ACCESS_KEY"],
}
LARGE = hashlib.shake_128(b"s3fs").digest(23_000_000)
BLOCK_BYTES = 5 << 20


def refused(error, call, *words, **options):
    """The call must raise this error."""
    try:
        call(*words, **options)
    except error:
        return
    raise AssertionError(f"{call.__name__}{words} was not refused")


def small_files(files):
    files.pipe_file("s3fs/a/b c+é", b"0123456789")
    assert files.cat_file("s3fs/a/b c+é", start=2, end=-3) == b"23456"
    with files.open("s3fs/a/text", "w") as target:
        target.write("one\ntwo\n")
    with files.open("s3fs/a/text") as source:
        assert list(source) == [b"one\n", b"two\n"]
    with files.open("s3fs/a/text", "a") as target:
        target.write("three\n")
    assert files.cat_file("s3fs/a/text") == b"one\ntwo\nthree\n"
    files.setxattr("s3fs/a/text", colour="blue")
    assert files.getxattr("s3fs/a/text", "colour") == "blue"
    assert files.cat_ranges(["s3fs/a/text"] * 2, [0, 4], [3, 7]) == [b"one", b"two"]
    files.touch("s3fs/a/empty")
    assert files.info("s3fs/a/empty")["size"] == 0
    refused(FileNotFoundError, files.open, "s3fs/a/none")
    refused(FileNotFoundError, files.ls, "s3fs/none")


def one_writer(files):
    with files.open("s3fs/once", "xb") as target:
        target.write(b"first")
    refused(FileExistsError, files.pipe_file, "s3fs/once", b"second", mode="create")
    second = files.open("s3fs/once", "xb")
    second.write(b"second")
    refused(FileExistsError, second.close)
    refused(FileExistsError, files.pipe_file, "s3fs/once", LARGE, mode="create")  # in parts
    assert files.cat_file("s3fs/once") == b"first"
    assert not files.call_s3("list_multipart_uploads", Bucket="s3fs").get("Uploads")


def large_files(files, folder):
    with files.open("s3fs/large", "wb", block_size=BLOCK_BYTES) as target:
        for start in range(0, len(LARGE), 1_000_003):
            target.write(LARGE[start : start + 1_000_003])
    assert files.info("s3fs/large")["ETag"].endswith('-4"')
    for cache in ("readahead", "bytes", "blockcache", "all", "none"):
        with files.open("s3fs/large", "rb", block_size=1 << 20, cache_type=cache) as source:
            for place in (len(LARGE) - 5, 0, BLOCK_BYTES - 3, 7):
                source.seek(place)
                assert source.read(6) == LARGE[place : place + 6]
    files.put_file(f"{folder}/up", "s3fs/put")
    files.get_file("s3fs/put", f"{folder}/down")
    with open(f"{folder}/down", "rb") as file:
        assert file.read() == LARGE


def tree(files):
    names = sorted(f"s3fs/t/d{number % 3}/f{number:02}" for number in range(30))
    for name in names:
        files.pipe_file(name, name.encode())
    assert sorted(files.ls("s3fs/t", detail=False)) == ["s3fs/t/d0", "s3fs/t/d1", "s3fs/t/d2"]
    assert sorted(files.find("s3fs/t")) == names
    assert sorted(files.glob("s3fs/t/d*/f0?")) == [name for name in names if "/f0" in name]
    assert [len(held) for _, _, held in files.walk("s3fs/t")] == [0, 10, 10, 10]
    assert files.du("s3fs/t") == sum(map(len, names))
    # Listings are kept: what another client did shows once they are forgotten.
    other = s3fs.S3FileSystem(**PLACE, skip_instance_cache=True)
    other.pipe_file("s3fs/t/d0/other", b"")
    assert "s3fs/t/d0/other" not in files.ls("s3fs/t/d0", detail=False)
    files.invalidate_cache()
    assert "s3fs/t/d0/other" in files.ls("s3fs/t/d0", detail=False)
    files.rm_file("s3fs/t/d0/other")
    files.copy("s3fs/t/d1", "s3fs/t/copied", recursive=True)
    assert files.cat_file("s3fs/t/copied/f01") == b"s3fs/t/d1/f01"
    files.mv("s3fs/t/d1/f01", "s3fs/t/moved")  # of a folder it would copy a key that is not there
    assert files.cat_file("s3fs/t/moved") == b"s3fs/t/d1/f01"
    assert not files.exists("s3fs/t/d1/f01")
    files.rm("s3fs/t", recursive=True)
    assert files.find("s3fs/t") == []


def main():
    folder = os.getcwd()
    with open(f"{folder}/up", "wb") as file:
        file.write(LARGE)
    files = s3fs.S3FileSystem(**PLACE)
    files.mkdir("s3fs")
    small_files(files)
    one_writer(files)
    large_files(files, folder)
    tree(files)
    files.rm("s3fs", recursive=True)
    assert "s3fs" not in files.ls("", detail=False)


if __name__ == "__main__":
    main()
    print("ok")
