"""Every codec of Kafka's clients, as their own libraries write it; and what damage does."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import codec as foreign

from cloudlet.kafka.compression import GZIP, LZ4, SNAPPY, ZSTD, Unreadable, decompress, decompressing
from cloudlet.kernel.fault import ProtocolError

ENCODERS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "gzip": (GZIP, foreign.gzip_encode),
    "snappy": (SNAPPY, lambda data: foreign.snappy_encode(data, xerial_compatible=False)),
    "snappy in chunks": (SNAPPY, lambda data: foreign.snappy_encode(data, xerial_blocksize=100)),
    "lz4": (LZ4, foreign.lz4_encode),
    "zstd": (ZSTD, foreign.zstd_encode),
}

texts = st.one_of(
    st.binary(max_size=3000),
    st.lists(st.sampled_from([b"a", b"ab", b"abc" * 7, b"\0" * 300, b"key", b"value"]), max_size=200).map(
        b"".join
    ),
    st.binary(min_size=1, max_size=40).map(lambda part: part * 5000),
)


@pytest.mark.parametrize("name", sorted(ENCODERS))
@given(data=texts)
@settings(deadline=None, max_examples=60)
def test_what_clients_compress_is_read(name: str, data: bytes) -> None:
    number, encode = ENCODERS[name]
    assert decompress(number, encode(data)) == data


@pytest.mark.parametrize("name", sorted(ENCODERS))
def test_a_cut_anywhere_is_refused(name: str) -> None:
    number, encode = ENCODERS[name]
    whole = encode(b"the quick brown fox " * 40 + bytes(range(200)))
    for stop in range(len(whole)):
        try:
            found = decompress(number, whole[:stop])
        except ProtocolError:
            continue
        # A stream of chunks may end between two of them.
        assert name == "snappy in chunks"
        assert (b"the quick brown fox " * 40 + bytes(range(200))).startswith(found)


@pytest.mark.parametrize("number", [GZIP, SNAPPY, LZ4, ZSTD])
@given(data=st.binary(max_size=200))
@settings(deadline=None, max_examples=100)
def test_noise_never_does_worse_than_be_refused(number: int, data: bytes) -> None:
    for noise in (data, b"\x04\x22\x4d\x18" + data, b"\x82SNAPPY\0" + data):
        try:
            decompress(number, noise)
        except ProtocolError:
            continue


def test_a_bomb_is_refused() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(257)) + packer.flush()
    with pytest.raises(ProtocolError):
        decompress(GZIP, bomb)
    with pytest.raises(ProtocolError):
        decompress(SNAPPY, b"\xff\xff\xff\xff\x0f")


def test_an_unknown_codec_is_said_to_be_unreadable() -> None:
    with pytest.raises(Unreadable):
        decompress(5, b"")


@pytest.mark.parametrize("name", sorted(ENCODERS))
@pytest.mark.parametrize("part", [bytes(1000), bytes(range(256)) * 4], ids=["zeros", "all bytes"])
def test_what_is_long_is_read_in_steps(name: str, part: bytes) -> None:
    number, encode = ENCODERS[name]
    data = part * 4000
    found = []

    def counted():
        found.append((yield from decompressing(number, encode(data))))

    count = sum(1 for _ in counted())
    assert found == [data]
    assert count >= 3, "a megabyte at a time, or less"
