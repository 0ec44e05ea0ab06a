"""What is wrong with a request as it came, before it is taken for an operation's parameters.

State   none
Source  S3 API Reference 2006-03-01, DeleteObjects, PutBucketTagging, ListObjectsV2; S3 User Guide, "Checking
        object integrity"; docs/sources/s3.md
Absent  sums after a body that is not an object's
"""

from __future__ import annotations

import base64
import binascii
import hashlib

from cloudlet.kernel.fault import Fault
from cloudlet.services.s3.faults import BadDigest, InvalidDigest, InvalidRequest, invalid_argument, s3
from cloudlet.wire.aws.rest import arguments
from cloudlet.wire.checksums import digest_of, promise_of
from cloudlet.wire.http1 import Head

MD5_BYTES = 16
INTEGER_BYTES = 4
MISSING = "Missing required header for this request: Content-MD5 OR x-amz-checksum-*"

SUMMED = frozenset({"DeleteObjects", "PutBucketTagging"})
"""Operations that want a sum of their body."""

WITH_SUM_OF_ANOTHER = "CompleteMultipartUpload"  # its checksum headers are about the object that it makes

COUNTS = frozenset({"max-keys", "max-parts", "max-uploads", "part-number-marker", "partNumber"})


@s3.inspects
def inspect(operation: str, head: Head, body: bytes) -> None:
    """Refuse a count that is no number, and a body that is not what its sums say."""
    if head.query:
        check_counts(head.query)
    if body and operation != WITH_SUM_OF_ANOTHER:
        check_body(operation, head, body)


def check_counts(query: bytes) -> None:
    """InvalidArgument for an argument that counts and is no integer."""
    for name, values in arguments(query).items():
        if name in COUNTS and not is_integer(values[0]):
            text = (
                "Part number must be an integer between 1 and 10000, inclusive"
                if name == "partNumber"
                else f"Provided {name} not an integer or within integer range"
            )
            raise invalid_argument(text, name, values[0])


def is_integer(text: str) -> bool:
    """Whether a text is an integer of 32 bits."""
    try:
        int(text).to_bytes(INTEGER_BYTES, "big", signed=True)
    except (ValueError, OverflowError):
        return False
    return True


def check_body(operation: str, head: Head, body: bytes) -> None:
    """Compare a body with the sums that came along; InvalidRequest where one is wanted and none came."""
    given = head.headers.get(b"content-md5")
    promise = promise_of(head.headers)
    if given is not None and md5_of(given) != hashlib.md5(body, usedforsecurity=False).digest():
        raise bad_digest(given, hashlib.md5(body, usedforsecurity=False).digest())
    if promise is not None:
        promise.compare(digest_of(promise.algorithm, body), {})
    elif given is None and operation in SUMMED:
        raise InvalidRequest(MISSING)


def md5_of(header: bytes | str) -> bytes:
    """The sum of a Content-MD5 header; InvalidDigest."""
    try:
        found = base64.b64decode(header, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != MD5_BYTES:
        given = header if isinstance(header, str) else header.decode("latin-1")
        raise InvalidDigest(InvalidDigest.message, **{"Content-MD5": given})
    return found


def bad_digest(header: bytes | str, computed: bytes, *, is_part: bool = False) -> Fault:
    """The body is not what its Content-MD5 says; S3 repeats that, in hexadecimal but for a part's."""
    expected = md5_of(header)
    return BadDigest(
        BadDigest.message,
        ExpectedDigest=base64.b64encode(expected).decode() if is_part else expected.hex(),
        CalculatedDigest=base64.b64encode(computed).decode(),
    )
