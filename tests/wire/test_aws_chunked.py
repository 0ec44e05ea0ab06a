from __future__ import annotations

import base64
import io
import itertools
import zlib
from hashlib import sha256

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.wire.signed import received

from cloudlet.kernel.fault import Fault
from cloudlet.wire.aws_chunked import Chain, ChunkDecoder, PlainBody, body_of, stored_encoding
from cloudlet.wire.sigv4 import read_credential
from cloudlet.wire.sigv4_verify import SigningKey, Verifier, signing_key

# S3 API Reference, "Transferring Payload in Multiple Chunks" and "trailing headers": 65 KiB of "a"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE = b"20130524T000000Z"
SCOPE = b"20130524/us-east-1/s3/aws4_request"
NOW_MS = 1_369_353_600_000
DATA = b"a" * 65536 + b"a" * 1024
SEED = b"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
SIGNATURES = (
    b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_SEED = b"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
TRAILER_SIGNATURES = (
    b"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
TRAILER_SIGNATURE = b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
CRC32C = b"x-amz-checksum-crc32c"

KEY = signing_key(SECRET, SCOPE)


def chain(seed: bytes = SEED) -> Chain:
    return Chain(KEY, DATE, SCOPE, seed)


def example(trailers: bytes = b"\r\n", signatures: tuple[bytes, ...] = SIGNATURES) -> bytes:
    first, second, last = signatures
    return b"".join(
        (
            b"10000;chunk-signature=%b\r\n%b\r\n" % (first, DATA[:65536]),
            b"400;chunk-signature=%b\r\n%b\r\n" % (second, DATA[65536:]),
            b"0;chunk-signature=%b\r\n" % last,
            trailers,
        )
    )


def read(decoder: ChunkDecoder | PlainBody, body: bytes, cuts: list[int] | None = None) -> bytes:
    """Feed the body in pieces; cuts are where one ends."""
    out = b""
    spots = [0, *sorted(cut % (len(body) + 1) for cut in cuts or []), len(body)]
    for start, stop in itertools.pairwise(spots):
        out += b"".join(decoder.feed(body[start:stop]))
    decoder.finish()
    return out


def code(decoder: ChunkDecoder | PlainBody, body: bytes) -> str:
    with pytest.raises(Fault) as caught:
        read(decoder, body)
    return caught.value.code


def signed(length: int = len(DATA), *names: bytes, seed: bytes = SEED) -> ChunkDecoder:
    return ChunkDecoder(length, is_signed=True, chain=chain(seed), trailer_names=names)


def unsigned(length: int, *names: bytes) -> ChunkDecoder:
    return ChunkDecoder(length, is_signed=False, trailer_names=names)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 1 << 20), max_size=5))
def test_the_documentations_example_in_any_cut(cuts: list[int]) -> None:
    assert read(signed(), example(), cuts) == DATA


def test_the_documentations_example_byte_by_byte_around_the_framing() -> None:
    body = example()
    edges = [*range(100), *range(65536 + 80, 65536 + 200), *range(len(body) - 120, len(body))]
    assert read(signed(), body, edges) == DATA


def test_every_cut_of_a_small_body() -> None:
    body = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
    for cut in range(len(body) + 1):
        for other in range(cut, len(body) + 1):
            decoder = unsigned(5, b"x-amz-checksum-crc32")
            assert read(decoder, body, [cut, other]) == b"hello"
            assert decoder.trailers == {b"x-amz-checksum-crc32": b"NhCmhg=="}
    assert read(unsigned(5, b"x-amz-checksum-crc32"), body, list(range(len(body)))) == b"hello"


def test_other_kinds_of_buffers() -> None:
    decoder = signed()
    body = example()
    assert b"".join(decoder.feed(memoryview(bytearray(body)))) == DATA
    decoder.finish()


def test_large_chunks_are_not_copied() -> None:
    piece = b"40000\r\n" + bytes(0x40000)
    [part] = unsigned(0x40000).feed(piece)
    assert part.obj is piece


@pytest.mark.parametrize("blank", [b"", b"\n"])
def test_the_documentations_trailer_example(blank: bytes) -> None:
    # the documentation, and minio-go with it, has "\n\r\n" after the trailer, the SDKs "\r\n"
    line = CRC32C + b":sOO8/Q==" + (b"\n\r\n" if blank else b"\r\n")
    trailers = line + b"x-amz-trailer-signature:" + TRAILER_SIGNATURE + b"\r\n\r\n"
    decoder = signed(len(DATA), CRC32C, seed=TRAILER_SEED)
    assert read(decoder, example(trailers, TRAILER_SIGNATURES)) == DATA
    assert decoder.trailers == {CRC32C: b"sOO8/Q=="}
    wrong = trailers.replace(b"sOO8", b"sOO9")
    assert code(signed(len(DATA), CRC32C, seed=TRAILER_SEED), example(wrong, TRAILER_SIGNATURES)) == (
        "SignatureDoesNotMatch"
    )


def test_an_unsigned_trailer_in_a_signed_body_is_refused() -> None:
    body = example(CRC32C + b":sOO8/Q==\r\n\r\n", TRAILER_SIGNATURES)
    assert code(signed(len(DATA), CRC32C, seed=TRAILER_SEED), body) == "IncompleteBody"
    assert code(signed(len(DATA), CRC32C, seed=TRAILER_SEED), body + b"\r\n\r\n") == "IncompleteBody"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(example()) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused(at: int, change: int) -> None:
    body = example()
    changed = body[:at] + bytes([body[at] ^ change]) + body[at + 1 :]
    try:
        data = read(signed(), changed)
    except Fault:
        return
    # only the spelling of a size may change and mean the same: nothing else
    assert data == DATA
    assert changed.lower() == body


def test_chunks_cannot_be_left_out_moved_or_repeated() -> None:
    first, second, last = SIGNATURES
    a = b"10000;chunk-signature=%b\r\n%b\r\n" % (first, DATA[:65536])
    b = b"400;chunk-signature=%b\r\n%b\r\n" % (second, DATA[65536:])
    end = b"0;chunk-signature=%b\r\n\r\n" % last
    assert read(signed(), a + b + end) == DATA
    assert code(signed(65536), a + end) == "SignatureDoesNotMatch"
    assert code(signed(131072), a + a + end) == "SignatureDoesNotMatch"
    assert code(signed(), b + a + end) == "SignatureDoesNotMatch"
    assert code(signed(seed=SEED[::-1]), a + b + end) == "SignatureDoesNotMatch"
    assert code(signed(), a + b) == "IncompleteBody"


def test_without_a_chain_signatures_are_read_over() -> None:
    decoder = ChunkDecoder(len(DATA), is_signed=True)
    assert read(decoder, example(signatures=(SEED, SEED, SEED))) == DATA


@pytest.mark.parametrize(
    ("length", "body", "expected"),
    [
        (5, b"5\r\nhello\r\n0\r\n", "IncompleteBody"),
        (5, b"5\r\nhello\r\n", "IncompleteBody"),
        (5, b"5\r\nhel", "IncompleteBody"),
        (5, b"", "IncompleteBody"),
        (6, b"5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (4, b"5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (5, b"5\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (5, b"5\r\nhelloo\r\n0\r\n\r\n", "IncompleteBody"),
        (5, b"-5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (5, b"0x5\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (5, b"5;ext=1\r\nhello\r\n0\r\n\r\n", "IncompleteBody"),
        (5, b"0" * 600, "IncompleteBody"),
        (5, b"5\r\nhello\r\n0\r\n\r\nmore", "MalformedTrailerError"),
        (5, b"5\r\nhello\r\n0\r\nx-amz-other:1\r\n\r\n", "MalformedTrailerError"),
        (5, b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n", "MalformedTrailerError"),
        (2, b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n", "InvalidChunkSizeError"),
    ],
)
def test_broken_framing_is_refused(length: int, body: bytes, expected: str) -> None:
    assert code(unsigned(length), body) == expected


def test_a_promised_trailer_that_is_missing_or_double_is_refused() -> None:
    name = b"x-amz-checksum-crc32"
    line = name + b":NhCmhg==\r\n"
    assert code(unsigned(5, name), b"5\r\nhello\r\n0\r\n\r\n") == "MalformedTrailerError"
    assert code(unsigned(5, name), b"5\r\nhello\r\n0\r\n" + line * 2 + b"\r\n") == "MalformedTrailerError"
    long = name + b":" + b"x" * 9000
    assert code(unsigned(5, name), b"5\r\nhello\r\n0\r\n" + long + b"\r\n\r\n") == "MalformedTrailerError"


@given(st.lists(st.integers(0, 1 << 20), max_size=4))
def test_unsigned_trailers_may_end_with_two_empty_lines(cuts: list[int]) -> None:
    name = b"x-amz-checksum-crc32"
    minio = b"5\r\nhello\r\n0\r\n" + name + b":NhCmhg==\n\r\n\r\n"  # as minio-go writes them
    assert read(unsigned(5, name), minio, cuts) == b"hello"
    for more in (b"\r", b"x", b"\r\n"):
        assert code(unsigned(5, name), minio + more) == "MalformedTrailerError"
    assert code(unsigned(5, name), minio[:-1]) == "MalformedTrailerError"
    assert code(unsigned(5), b"5\r\nhello\r\n0\r\n\r\n\r\n") == "MalformedTrailerError"


def test_a_small_chunk_must_be_the_last() -> None:
    with pytest.raises(Fault) as caught:
        read(unsigned(6), b"5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n")
    assert caught.value.detail == {"Chunk": 2, "BadChunkSize": 5}
    big = b"2000\r\n" + bytes(0x2000) + b"\r\n"
    assert len(read(unsigned(0x4001), big + big + b"1\r\nx\r\n0\r\n\r\n")) == 0x4001


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=40_000), st.integers(8192, 20_000), st.lists(st.integers(0, 1 << 16), max_size=4))
def test_what_botocore_frames_is_read(data: bytes, chunk: int, cuts: list[int]) -> None:
    wrapper = AwsChunkedWrapper(
        io.BytesIO(data), checksum_cls=Crc32Checksum, checksum_name="x-amz-checksum-crc32", chunk_size=chunk
    )
    decoder = unsigned(len(data), b"x-amz-checksum-crc32")
    assert read(decoder, wrapper.read(), cuts) == data
    expected = base64.b64encode(zlib.crc32(data).to_bytes(4, "big"))
    assert decoder.trailers == {b"x-amz-checksum-crc32": expected}


def put(**headers: str) -> ChunkDecoder | PlainBody:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return body_of(received("PUT", "http://localhost/b/k", fields.items(), b"hello").head, None)


def test_a_heads_words_choose_the_reader() -> None:
    assert read(put(), b"hello") == b"hello"
    assert read(put(x_amz_content_sha256="UNSIGNED-PAYLOAD"), b"hello") == b"hello"
    assert read(put(x_amz_content_sha256=sha256(b"hello").hexdigest()), b"hello", [2]) == b"hello"
    assert (
        code(put(x_amz_content_sha256=sha256(b"hella").hexdigest()), b"hello") == "XAmzContentSHA256Mismatch"
    )
    assert code(put(), b"hell") == "IncompleteBody"
    decoder = put(
        x_amz_content_sha256="STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        x_amz_decoded_content_length="5",
        x_amz_trailer="X-Amz-Checksum-Crc32",
    )
    assert read(decoder, b"5\r\nhello\r\n0\r\nX-Amz-Checksum-Crc32:NhCmhg==\r\n\r\n") == b"hello"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_amz_content_sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"}, "NotImplemented"),
        ({"x_amz_content_sha256": "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"}, "NotImplemented"),
        ({"x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"}, "MissingContentLength"),
        (
            {
                "x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                "x_amz_decoded_content_length": "-5",
            },
            "InvalidRequest",
        ),
        (
            {
                "x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                "x_amz_decoded_content_length": "5",
                "x_amz_trailer": "x-amz-checksum-crc32",
            },
            "InvalidRequest",
        ),
    ],
)
def test_heads_that_are_refused(headers: dict[str, str], expected: str) -> None:
    with pytest.raises(Fault) as caught:
        put(**headers)
    assert caught.value.code == expected


def test_the_seed_is_the_requests_own_signature() -> None:
    # the request of the documentation's example
    names = "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class"  # noqa: E501
    headers = {
        "x-amz-date": DATE.decode(),
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "Content-Encoding": "aws-chunked",
        "x-amz-decoded-content-length": "66560",
        "Content-Length": "66824",
        "Authorization": f"AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/{SCOPE.decode()},"
        f"SignedHeaders={names},Signature={SEED.decode()}",
    }
    body = example()
    assert len(body) == 66824
    request = received("PUT", "https://s3.amazonaws.com/examplebucket/chunkObject.txt", headers.items(), body)
    claim = read_credential(request.head)
    assert claim is not None
    verifier = Verifier()
    assert verifier.verify(claim, request.head, None, SECRET, NOW_MS) is None
    assert verifier.verify(claim, request.head, body, SECRET, NOW_MS) is None
    key: SigningKey = verifier.key(claim, SECRET)
    link = Chain(key, claim.amz_date, claim.signing.scope, claim.signature)
    assert read(body_of(request.head, link), body) == DATA


def test_aws_chunked_is_not_stored_with_the_object() -> None:
    assert stored_encoding("aws-chunked") == ""
    assert stored_encoding("gzip, aws-chunked") == "gzip"
    assert stored_encoding("aws-chunked,gzip") == "gzip"
    assert stored_encoding("deflate, gzip") == "deflate, gzip"
