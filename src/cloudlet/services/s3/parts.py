"""Uploads in parts as they are kept, and what a list of parts adds up to: pure, no store is asked.

State   ("s3", "upload", bucket, key, upload_id)       -> Upload
        ("s3", "part", bucket, upload_id, number)      -> Part
Source  S3 User Guide, "Uploading and copying objects using multipart upload", "Checking object integrity for
        data uploads in Amazon S3"; docs/sources/s3.md
Absent  none

    An upload id begins with the time of the upload, so that those of a key sort by it. A part that is sent
    again replaces the one before. The object names the parts' blobs: completing an upload moves no byte.

        checksum type    of the whole                                          algorithms
        FULL_OBJECT      as if the object had come in one piece                the CRCs
        COMPOSITE        the sum over the parts' sums, "-" and how many        all but CRC64NVME
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cloudlet.aws.record import Key, Record
from cloudlet.kernel.blobs import BlobId
from cloudlet.services.s3.faults import (
    BadDigest,
    EntityTooSmall,
    InvalidArgument,
    InvalidPart,
    InvalidPartOrder,
    InvalidRequest,
    MalformedXML,
    invalid_argument,
    not_implemented,
)
from cloudlet.services.s3.headers import CHECKSUM_MEMBERS
from cloudlet.services.s3.state import STANDARD, Piece
from cloudlet.wire.checksums import ALGORITHMS_ABSENT, MODELS, checksum, combined

if TYPE_CHECKING:
    from cloudlet.services.s3 import shapes

PARTS_MAX = 10_000
PART_BYTES_MIN = 5 << 20  # of every part but the last
FULL_OBJECT, COMPOSITE = "FULL_OBJECT", "COMPOSITE"
DEFAULT_CHECKSUM = "CRC64NVME"  # of an upload that names none


class Upload(Record):
    """An upload on its way. `checksum_algorithm` is "" where its maker named none."""

    account: str
    initiator: str  # an ARN
    initiated_ms: int
    checksum_algorithm: str = ""
    checksum_type: str = ""
    content: Mapping[str, str] = {}
    metadata: Mapping[str, str] = {}
    tags: Mapping[str, str] = {}
    storage_class: str = STANDARD


class Part(Record, array_like=True):
    """A part. `blob` is "" for an empty one; `sums` are by algorithm."""

    blob: BlobId
    size_bytes: int
    md5: bytes
    sums: Mapping[str, bytes]
    modified_ms: int


def uploads_of(bucket: str) -> Key:
    """The space of a bucket's uploads."""
    return ("s3", "upload", bucket)


def upload_key(bucket: str, key: str, upload_id: str) -> Key:
    """Where an upload is kept."""
    return ("s3", "upload", bucket, key, upload_id)


def parts_key(bucket: str, upload_id: str) -> Key:
    """The space of an upload's parts."""
    return ("s3", "part", bucket, upload_id)


# --- what a request asks for


def check_number(number: int) -> None:
    """Refuse a part number out of range."""
    if not 1 <= number <= PARTS_MAX:
        raise invalid_argument(
            f"Part number must be an integer between 1 and {PARTS_MAX}, inclusive",
            "partNumber",
            str(number),
        )


def checksum_asked(operation: str, algorithm: str | None, kind: str | None) -> tuple[str, str]:
    """The algorithm and the type of an upload's checksum; each algorithm has a type of its own by default."""
    if algorithm is None:
        if kind is not None:
            raise InvalidRequest(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return "", ""
    algorithm = algorithm.upper()  # minio's client for Python spells it small
    if algorithm in ALGORITHMS_ABSENT:
        raise not_implemented(operation, f"the checksum algorithm {algorithm}")
    if algorithm not in CHECKSUM_MEMBERS:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(CHECKSUM_MEMBERS)}]"
        )
    default = FULL_OBJECT if algorithm == DEFAULT_CHECKSUM else COMPOSITE
    wanted = kind or default
    fits = algorithm in MODELS if wanted == FULL_OBJECT else algorithm != DEFAULT_CHECKSUM
    if wanted not in (FULL_OBJECT, COMPOSITE) or not fits:
        raise InvalidRequest(
            f"The {wanted} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    return algorithm, wanted


def check_algorithm(upload: Upload, given: str | None) -> None:
    """Refuse a part that comes with another checksum than its upload is made with."""
    if upload.checksum_algorithm and given != upload.checksum_algorithm:
        raise InvalidRequest(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.checksum_algorithm.lower()}, "
            f"actual checksum Type: {given.lower() if given else 'null'}"
        )


# --- the whole


class Whole(NamedTuple):
    """What the listed parts add up to."""

    etag: str
    size_bytes: int
    pieces: tuple[Piece, ...]
    checksum_algorithm: str
    checksum: str
    checksum_type: str
    part_checksums: tuple[bytes, ...]


def etag_of(sums: Sequence[bytes]) -> str:
    """The ETag of an object in parts, from the MD5 of each."""
    return f"{hashlib.md5(b''.join(sums), usedforsecurity=False).hexdigest()}-{len(sums)}"


def assembled(
    upload: Upload, upload_id: str, parts: Mapping[int, Part], listed: Sequence[shapes.CompletedPart]
) -> Whole:
    """The object that the listed parts make; a fault where one is missing, wrong, too small or misplaced."""
    chosen = [chosen_part(upload, upload_id, parts, each) for each in listed]
    for each, part in zip(listed[:-1], chosen[:-1], strict=True):
        if part.size_bytes < PART_BYTES_MIN:
            raise EntityTooSmall(
                EntityTooSmall.message,
                ProposedSize=part.size_bytes,
                MinSizeAllowed=PART_BYTES_MIN,
                PartNumber=each.PartNumber,
                ETag=part.md5.hex(),
            )
    algorithm = upload.checksum_algorithm or DEFAULT_CHECKSUM
    kind = upload.checksum_type or FULL_OBJECT
    return Whole(
        etag_of([part.md5 for part in chosen]),
        sum(part.size_bytes for part in chosen),
        tuple(Piece(part.blob, part.size_bytes) for part in chosen),
        algorithm,
        sum_of(algorithm, kind, chosen),
        kind,
        tuple(part.sums[algorithm] for part in chosen) if upload.checksum_algorithm else (),
    )


def in_order(listed: Sequence[shapes.CompletedPart], upload_id: str) -> Sequence[shapes.CompletedPart]:
    """The list, checked to name parts in ascending order."""
    if not listed:
        raise MalformedXML
    before = 0
    for each in listed:
        if each.PartNumber is None or each.ETag is None:
            raise MalformedXML
        if each.PartNumber < 1:
            raise InvalidArgument("PartNumber must be >= 1")
        if each.PartNumber <= before:
            raise InvalidPartOrder(InvalidPartOrder.message, UploadId=upload_id)
        before = each.PartNumber
    return listed


def chosen_part(
    upload: Upload, upload_id: str, parts: Mapping[int, Part], listed: shapes.CompletedPart
) -> Part:
    """The part that a line of the list names, where it is as the line says."""
    number, etag = listed.PartNumber, (listed.ETag or "").strip('"')
    assert number is not None
    part = parts.get(number)
    wrong = InvalidPart(InvalidPart.message, UploadId=upload_id, PartNumber=number, ETag=etag)
    if part is None or part.md5.hex() != etag:
        raise wrong
    for algorithm, member in CHECKSUM_MEMBERS.items():
        given = getattr(listed, member)
        if given is not None and upload.checksum_algorithm not in ("", algorithm):
            raise BadDigest(
                f"The {algorithm.lower()} you specified for part {number} did not match what we received."
            )
        if given is not None:
            if (
                not upload.checksum_algorithm
                or algorithm not in part.sums
                or base64.b64encode(part.sums[algorithm]).decode() != given
            ):
                raise wrong
        elif upload.checksum_type == COMPOSITE and algorithm == upload.checksum_algorithm:
            raise InvalidRequest(
                f"The upload was created using a {algorithm.lower()} checksum. The complete request must "
                f"include the checksum for each part. It was missing for part {number} in the request."
            )
    return part


def sum_of(algorithm: str, kind: str, parts: Sequence[Part]) -> str:
    """The checksum of the whole, as it is shown."""
    if kind == FULL_OBJECT:
        sums = [(part.sums[algorithm], part.size_bytes) for part in parts]
        return base64.b64encode(combined(algorithm, sums)).decode()
    outer = checksum(algorithm)
    for part in parts:
        outer.update(part.sums[algorithm])
    return f"{base64.b64encode(outer.digest()).decode()}-{len(parts)}"
