"""What the query of a presigned URL says of headers."""

import pytest

from cloudlet.wire.http1 import Head
from cloudlet.wire.presigned import with_headers


def head(query, **headers):
    fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    return Head("PUT", b"/b/k?" + query, b"/b/k", query, fields, True, 0, False, False)


@pytest.mark.parametrize(
    ("query", "given"),
    [
        (b"x-amz-meta-a=b%20c&x=1", {b"x-amz-meta-a": b"b c"}),
        (b"X-Amz-Storage-Class=STANDARD_IA&If-None-Match=%2A", {
            b"x-amz-storage-class": b"STANDARD_IA", b"if-none-match": b"*",
        }),
        (b"X-Amz-Signature=s&X-Amz-Date=d&X-Amz-Security-Token=t&X-Amz-SignedHeaders=host", {}),
        (b"x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32", {}),
        (b"uploads&content-type=a", {}),
    ],
)  # fmt: skip
def test_headers_in_the_query(query, given):
    assert with_headers(head(query)).headers == given


def test_what_the_request_itself_says_goes_first():
    sent = head(b"x-amz-meta-a=query&x-amz-meta-b=query", x_amz_meta_a=b"header")
    assert with_headers(sent).headers == {b"x-amz-meta-a": b"header", b"x-amz-meta-b": b"query"}
    assert sent.headers == {b"x-amz-meta-a": b"header"}, "the head as it came stays so"
