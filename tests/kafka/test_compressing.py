"""What is compressed here, read by the clients' own libraries and by our own reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka import codec as foreign

from cloudlet.kafka import compressing
from cloudlet.kafka.compressing import Levels, compress, pack
from cloudlet.kafka.compression import GZIP, LZ4, SNAPPY, ZSTD, decompress

DECODERS = {
    GZIP: foreign.gzip_decode,
    SNAPPY: foreign.snappy_decode,
    LZ4: foreign.lz4_decode,
    ZSTD: foreign.zstd_decode,
}
LIBRARIES = ("_snappy_library", "_lz4_library", "_zstd_library")
WORDS = [b"a", b"ab", b"abc" * 7, b"\0" * 300, b"key", b"value", b"x" * 70_000]

texts = st.one_of(
    st.binary(min_size=1, max_size=3000),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=200).map(b"".join),
    st.binary(min_size=1, max_size=40).map(lambda part: part * 5000),
)


@pytest.fixture(params=["the machine's libraries", "none"], scope="module")
def libraries(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "none":
            for name in LIBRARIES:
                patch.setattr(compressing, name, lambda: None)
        yield


@pytest.mark.parametrize("codec", DECODERS)
@given(data=texts)
@settings(deadline=None, max_examples=60)
def test_what_is_compressed_is_read_by_others(libraries, codec, data):
    packed = pack(codec, data)
    assert decompress(codec, packed) == data
    assert DECODERS[codec](packed) == data


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4])
def test_what_repeats_becomes_small_without_a_library_too(libraries, codec):
    data = b"".join(b'{"id":%d,"name":"somebody","city":"somewhere"}' % number for number in range(2000))
    assert len(pack(codec, data)) < len(data) / 3
    noise = bytes(value * value * 31 >> 3 & 0xFF for value in range(50_000))
    assert len(pack(codec, noise)) < len(noise) * 1.02


@pytest.mark.parametrize("levels", [Levels(1, 1, -5), Levels(9, 17, 19)])
@pytest.mark.parametrize("codec", DECODERS)
def test_every_level_is_read(libraries, codec, levels):
    data = b"the quick brown fox " * 10_000
    assert DECODERS[codec](b"".join(compress(codec, data, levels))) == data


def test_a_higher_level_tries_harder():
    data = b"".join(b"%d-%d " % (number, number * number) for number in range(20_000))
    low, high = (len(b"".join(compress(GZIP, data, Levels(gzip=level)))) for level in (1, 9))
    assert high < low


@pytest.mark.parametrize("codec", DECODERS)
def test_what_is_long_is_written_in_steps(libraries, codec):
    data = b"the quick brown fox " * 100_000
    parts = list(compress(codec, data))
    assert len(parts) > 12
    assert DECODERS[codec](b"".join(parts)) == data
