from __future__ import annotations

import base64
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.fault import Fault
from cloudlet.wire.checksums import (
    DIGEST_BYTES,
    MODELS,
    checksum,
    combined,
    digest_of,
    promise_of,
)

POLYNOMIAL = 0x9A6C9329AC4BC9B5  # of CRC-64/NVME, reflected

# The check values of the catalogues: the sums of "123456789"
CHECKS = {
    "CRC32": "cbf43926",
    "CRC32C": "e3069283",
    "CRC64NVME": "ae8b14860a799888",
    "SHA1": "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    "SHA256": "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
}


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
def test_check_values(algorithm: str) -> None:
    digest = checksum(algorithm)
    digest.update(b"12345")
    digest.update(memoryview(bytearray(b"6789")))
    assert digest.digest().hex() == CHECKS[algorithm]
    assert len(digest.digest()) == DIGEST_BYTES[algorithm]


def bit_by_bit(data: bytes) -> bytes:
    register = (1 << 64) - 1
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ POLYNOMIAL if register & 1 else register >> 1
    return (register ^ (1 << 64) - 1).to_bytes(8, "big")


@settings(max_examples=15, deadline=None)
@given(st.binary(max_size=500), st.lists(st.integers(0, 500), max_size=3))
def test_crc64nvme_in_pieces_is_crc64nvme_bit_by_bit(data: bytes, cuts: list[int]) -> None:
    digest = checksum("CRC64NVME")
    spots = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, stop in itertools.pairwise(spots):
        digest.update(data[start:stop])
    assert digest.digest() == bit_by_bit(data)


def sent(data: bytes, headers: dict[bytes, bytes], trailers: dict[bytes, bytes] | None = None) -> str:
    try:
        promise = promise_of(headers)
        if promise is None:
            return "none"
        computed = digest_of(promise.algorithm, data)
        promise.compare(computed, trailers or {})
        return computed.hex()
    except Fault as fault:
        return f"{fault.code}: {fault.message}"


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
def test_a_promise_in_a_header_or_a_trailer_is_kept(algorithm: str) -> None:
    name = b"x-amz-checksum-" + algorithm.lower().encode()
    value = base64.b64encode(bytes.fromhex(CHECKS[algorithm]))
    wrong = base64.b64encode(bytes(DIGEST_BYTES[algorithm]))
    mismatch = f"BadDigest: The {algorithm} you specified did not match the calculated checksum."
    invalid = f"InvalidRequest: Value for {name.decode()} header is invalid."
    data = b"123456789"
    assert sent(data, {name: value}) == CHECKS[algorithm]
    assert sent(data, {name: wrong}) == mismatch
    assert sent(data, {name: b"AA=="}) == sent(data, {name: b"!" + value}) == invalid
    assert sent(data, {b"x-amz-trailer": name}, {name: value}) == CHECKS[algorithm]
    assert sent(data, {b"x-amz-trailer": name}, {name: wrong}) == mismatch
    trailing = f"InvalidRequest: Value for {name.decode()} trailing header is invalid."
    assert sent(data, {b"x-amz-trailer": name}, {}) == trailing


def test_what_is_no_sum_is_no_promise() -> None:
    assert sent(b"", {b"x-amz-checksum-mode": b"ENABLED", b"x-amz-checksum-algorithm": b"CRC32"}) == "none"
    assert sent(b"", {b"x-amz-checksum-type": b"FULL_OBJECT"}) == "none"


def test_what_is_announced_must_come() -> None:
    announced = {b"x-amz-sdk-checksum-algorithm": b"crc32"}
    assert sent(b"", {**announced, b"x-amz-checksum-crc32": b"AAAAAA=="}) == "00000000"
    assert sent(b"", announced).startswith(
        "InvalidRequest: x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-*"
    )
    other = {**announced, b"x-amz-checksum-crc32c": b"AAAAAA=="}
    mismatch = "InvalidRequest: Value for x-amz-sdk-checksum-algorithm header is invalid."
    assert sent(b"", other) == sent(b"", {**announced, b"x-amz-trailer": b"x-amz-checksum-sha1"}) == mismatch


def test_a_sum_that_there_is_not() -> None:
    unknown = {b"x-amz-checksum-sha256a": b"x"}
    assert sent(b"", unknown) == (
        "InvalidRequest: The algorithm type you specified in x-amz-checksum- header is invalid."
    )
    assert sent(b"", {**unknown, b"x-amz-checksum-crc32": b"AAAAAA=="}) == "00000000"


def test_two_sums_or_an_unknown_trailer_are_refused() -> None:
    crc, sha = b"x-amz-checksum-crc32", b"x-amz-checksum-sha1"
    assert sent(b"", {crc: b"AAAAAA==", sha: b"x"}).startswith("InvalidRequest: Expecting a single")
    assert sent(b"", {crc: b"AAAAAA==", b"x-amz-trailer": sha}).startswith(
        "InvalidRequest: Expecting a single"
    )
    assert sent(b"", {b"x-amz-trailer": b"x-amz-meta-a"}).startswith(
        "InvalidRequest: The value specified in the"
    )
    absent = "NotImplemented: The checksum algorithm XXHASH64 is not implemented by cloudlet"
    assert sent(b"", {b"x-amz-trailer": b"x-amz-checksum-xxhash64"}) == absent
    assert sent(b"", {b"x-amz-sdk-checksum-algorithm": b"XXHASH64"}) == absent


def sum_of(algorithm: str, data: bytes) -> bytes:
    digest = checksum(algorithm)
    digest.update(data)
    return digest.digest()


@pytest.mark.parametrize("algorithm", MODELS)
@settings(max_examples=50, deadline=None)
@given(parts=st.lists(st.binary(max_size=300), max_size=6))
def test_the_sums_of_parts_combine_to_the_sum_of_the_whole(algorithm: str, parts: list[bytes]) -> None:
    sums = [(sum_of(algorithm, part), len(part)) for part in parts]
    assert combined(algorithm, sums) == sum_of(algorithm, b"".join(parts))


@pytest.mark.parametrize("algorithm", MODELS)
def test_large_parts_combine(algorithm: str) -> None:
    part, last = bytes(5 << 20), b"the end"
    sums = [(sum_of(algorithm, part), len(part))] * 2 + [(sum_of(algorithm, last), len(last))]
    assert combined(algorithm, sums) == sum_of(algorithm, part + part + last)
