"""What a list of parts adds up to."""

import base64

import msgspec
import pytest

from cloudlet.aws.record import encode
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.keys import COMMIT_BYTES_MAX
from cloudlet.services.s3.parts import PART_BYTES_MIN, Part, Upload, assembled, checksum_asked
from cloudlet.services.s3.state import Object
from cloudlet.wire.checksums import DIGEST_BYTES, checksum


class Line(msgspec.Struct):
    PartNumber: int | None
    ETag: str | None
    ChecksumCRC32: str | None = None
    ChecksumCRC32C: str | None = None
    ChecksumCRC64NVME: str | None = None
    ChecksumSHA1: str | None = None
    ChecksumSHA256: str | None = None


def made(number, size_bytes, algorithm="CRC64NVME"):
    digest = checksum(algorithm)
    digest.update(str(number).encode())
    return Part("0" * 26, size_bytes, number.to_bytes(16, "big"), {algorithm: digest.digest()}, 1)


def test_two_objects_of_ten_thousand_parts_fit_one_commit():
    parts = {number: made(number, PART_BYTES_MIN) for number in range(1, 10_001)}
    lines = [Line(number, f'"{part.md5.hex()}"') for number, part in parts.items()]
    whole = assembled(Upload("1", "arn", 1), "u", parts, lines)
    assert whole.etag.endswith("-10000")
    assert whole.size_bytes == 10_000 * PART_BYTES_MIN
    record = Object(1, "v" * 32, 1, whole.size_bytes, whole.etag, whole.pieces, checksum=whole.checksum)
    assert 2 * len(encode(record)) < COMMIT_BYTES_MAX - 64 * 1024


def test_a_composite_sum_is_the_sum_of_sums():
    parts = {1: made(1, PART_BYTES_MIN, "SHA256"), 2: made(2, 1, "SHA256")}
    lines = [
        Line(n, part.md5.hex(), ChecksumSHA256=base64.b64encode(part.sums["SHA256"]).decode())
        for n, part in parts.items()
    ]
    whole = assembled(Upload("1", "arn", 1, "SHA256", "COMPOSITE"), "u", parts, lines)
    outer = checksum("SHA256")
    outer.update(parts[1].sums["SHA256"] + parts[2].sums["SHA256"])
    assert whole.checksum == base64.b64encode(outer.digest()).decode() + "-2"


@pytest.mark.parametrize("algorithm", DIGEST_BYTES)
@pytest.mark.parametrize("kind", ["FULL_OBJECT", "COMPOSITE"])
def test_which_types_go_with_which_algorithms(algorithm, kind):
    fits = algorithm.startswith("CRC") if kind == "FULL_OBJECT" else algorithm != "CRC64NVME"
    if fits:
        assert checksum_asked("Op", algorithm, kind) == (algorithm, kind)
    else:
        with pytest.raises(Fault, match="cannot be used with"):
            checksum_asked("Op", algorithm, kind)


def test_types_by_default():
    assert checksum_asked("Op", None, None) == ("", "")
    assert checksum_asked("Op", "CRC64NVME", None) == ("CRC64NVME", "FULL_OBJECT")
    assert checksum_asked("Op", "CRC32", None) == ("CRC32", "COMPOSITE")
    with pytest.raises(Fault, match="can only be used with"):
        checksum_asked("Op", None, "COMPOSITE")
    with pytest.raises(Fault, match="unsupported"):
        checksum_asked("Op", "MD4", None)
