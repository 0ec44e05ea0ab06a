"""How S3 spells its replies where botocore's model does not say so: root elements, namespace, times, ids.

State   none
Source  Smithy's model of S3 (xmlName on the outputs, aws.customizations#s3UnwrappedXmlOutput); S3 API
        Reference 2006-03-01, the operations' response syntax, "Common response headers"
Absent  outputs of operations that are not implemented
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from typing import Any

from cloudlet.wire.aws.values import ISO8601_MILLISECONDS
from cloudlet.wire.http1 import Headers

S3 = "s3"
TIMESTAMPS = ISO8601_MILLISECONDS
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

ROOTS: Mapping[str, str] = {
    "CompleteMultipartUploadOutput": "CompleteMultipartUploadResult",
    "CreateMultipartUploadOutput": "InitiateMultipartUploadResult",
    "DeleteObjectsOutput": "DeleteResult",
    "GetBucketTaggingOutput": "Tagging",
    "GetBucketVersioningOutput": "VersioningConfiguration",
    "GetObjectAttributesOutput": "GetObjectAttributesResponse",
    "GetObjectTaggingOutput": "Tagging",
    "ListBucketsOutput": "ListAllMyBucketsResult",
    "ListMultipartUploadsOutput": "ListMultipartUploadsResult",
    "ListObjectVersionsOutput": "ListVersionsResult",
    "ListObjectsOutput": "ListBucketResult",
    "ListObjectsV2Output": "ListBucketResult",
    "ListPartsOutput": "ListPartsResult",
}
"""Output shape -> the root element of its document."""

MINGLED: Mapping[str, tuple[str, ...]] = {"ListObjectVersionsOutput": ("Versions", "DeleteMarkers")}
"""Output shape -> its lists whose items stand in one order in the document, which some clients go by."""


class Placed(list[Any]):
    """One of the lists that are mingled; `places` says of each item where it stands among those of all."""

    places: list[int]

    def __init__(self) -> None:
        super().__init__()
        self.places = []

    def put(self, item: object, place: int) -> None:
        """One more item."""
        self.append(item)
        self.places.append(place)


def in_one_order(result: Mapping[str, Any], names: tuple[str, ...]) -> list[Mapping[str, Any]]:
    """A result in pieces, to be written one after the other: each mingled item by itself, then the rest, with
    the lists that have no places."""
    rows: list[tuple[int, str, object]] = []
    rest = dict(result)
    for name in names:
        found = result.get(name)
        if isinstance(found, Placed):
            del rest[name]
            rows += [(place, name, item) for place, item in zip(found.places, found, strict=True)]
    rows.sort(key=lambda row: row[0])
    return [*({name: [item]} for _, name, item in rows), rest]


UNWRAPPED = frozenset({"GetBucketLocationOutput"})
"""Outputs whose one member is the root element."""


def host_id_of(request_id: bytes) -> bytes:
    """The second id of a reply, which only S3 has: as long as its own, and told by the first."""
    return b2a_base64(b"%b/%b" % (request_id, request_id[:19]), newline=False)


def identify(headers: Headers, request_id: str) -> None:
    """Append the two ids of a reply of S3's, not under the name that other services use: with that, an SDK
    takes no notice of the second."""
    raw = request_id.encode()
    headers.append((b"x-amz-request-id", raw))
    headers.append((b"x-amz-id-2", host_id_of(raw)))
