"""What a request says of an object beside its bytes, and how a reply gives it back.

State   none; kept in the object's record
Source  S3 User Guide, "Working with object metadata"; S3 API Reference, PutObject, GetObject
Absent  encryption: AES256, which every bucket of AWS has anyway, is taken and nothing is encrypted; the
        storage classes that need a restore; website redirects; object locks; grants
"""

from __future__ import annotations

import base64
import re
from binascii import Error as BinasciiError
from binascii import a2b_base64, a2b_qp
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cloudlet.services.s3.faults import (
    InvalidStorageClass,
    KeyTooLong,
    MetadataTooLarge,
    not_implemented,
)
from cloudlet.services.s3.state import STANDARD, Bucket, Object
from cloudlet.services.s3.tagging import tags_of_header
from cloudlet.wire.aws.values import write_timestamp
from cloudlet.wire.aws_chunked import stored_encoding

if TYPE_CHECKING:
    from cloudlet.services.s3 import shapes

    Described = shapes.PutObjectRequest | shapes.CopyObjectRequest | shapes.CreateMultipartUploadRequest
    Overrides = shapes.GetObjectRequest | shapes.HeadObjectRequest

KEY_BYTES_MAX = 1024
METADATA_BYTES_MAX = 2048
DEFAULT_TYPE = "binary/octet-stream"
CLASSES = frozenset(
    {STANDARD, "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
)
CLASSES_ABSENT = frozenset(
    {"GLACIER", "DEEP_ARCHIVE", "OUTPOSTS", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP"}
)
ENCODED_WORD = re.compile(r"=\?UTF-8\?([BQ])\?([^?]*)\?=\Z", re.IGNORECASE)  # RFC 2047
ENCRYPTION_HARMLESS = "AES256"
CHECKSUM_MEMBERS = {
    "CRC32": "ChecksumCRC32",
    "CRC32C": "ChecksumCRC32C",
    "CRC64NVME": "ChecksumCRC64NVME",
    "SHA1": "ChecksumSHA1",
    "SHA256": "ChecksumSHA256",
}


# --- of a request


def check_described(operation: str, p: Described) -> None:
    """Refuse what a new object may not be."""
    size_bytes = len(p.Key.encode())
    if size_bytes > KEY_BYTES_MAX:
        raise KeyTooLong(KeyTooLong.message, Size=size_bytes, MaxSizeAllowed=KEY_BYTES_MAX)
    if p.StorageClass in CLASSES_ABSENT:
        raise not_implemented(operation, f"the storage class {p.StorageClass}")
    if p.StorageClass is not None and p.StorageClass not in CLASSES:
        raise InvalidStorageClass(InvalidStorageClass.message, StorageClassRequested=p.StorageClass)
    if p.ServerSideEncryption not in (None, ENCRYPTION_HARMLESS):
        raise not_implemented(operation, f"the server-side encryption {p.ServerSideEncryption}")
    if p.Metadata:
        check_metadata(p.Metadata)
    if p.Tagging is not None:
        tags_of_header(p.Tagging)


def check_metadata(metadata: Mapping[str, str]) -> None:
    """Refuse more than 2 KB of user metadata."""
    size_bytes = sum(len(name.encode()) + len(value.encode()) for name, value in metadata.items())
    if size_bytes > METADATA_BYTES_MAX:
        raise MetadataTooLarge(MetadataTooLarge.message, Size=size_bytes, MaxSizeAllowed=METADATA_BYTES_MAX)


def content_of(p: Described) -> Mapping[str, str]:
    """The headers that come back with every read, by member."""
    content: dict[str, str] = {}
    if p.ContentType is not None and p.ContentType != DEFAULT_TYPE:
        content["ContentType"] = p.ContentType
    if p.ContentEncoding is not None:
        encoding = stored_encoding(p.ContentEncoding)
        if encoding:
            content["ContentEncoding"] = encoding
    if p.CacheControl is not None:
        content["CacheControl"] = p.CacheControl
    if p.ContentDisposition is not None:
        content["ContentDisposition"] = p.ContentDisposition
    if p.ContentLanguage is not None:
        content["ContentLanguage"] = p.ContentLanguage
    if p.Expires is not None:
        content["Expires"] = p.Expires
    return content


def metadata_of(p: Described) -> Mapping[str, str]:
    """The user's metadata; its names are without case, as headers' are."""
    return {name.lower(): value for name, value in p.Metadata.items()} if p.Metadata else {}


def tags_given(p: Described) -> Mapping[str, str]:
    """The tags of the header."""
    return tags_of_header(p.Tagging) if p.Tagging else {}


# --- of a reply


def described(bucket: Bucket, found: Object) -> dict[str, object]:
    """The members by which a reply tells of an object."""
    result: dict[str, object] = {
        "AcceptRanges": "bytes",
        "LastModified": found.modified_ms // 1000,
        "ETag": f'"{found.etag}"',
        "ContentType": DEFAULT_TYPE,
    }
    if found.content:
        result.update(found.content)
    if found.metadata:
        result["Metadata"] = {name: header_of(value) for name, value in found.metadata.items()}
    if found.tags:
        result["TagCount"] = len(found.tags)
    if found.storage_class != STANDARD:
        result["StorageClass"] = found.storage_class
    if bucket.versioning:
        result["VersionId"] = found.version_id
    return result


def header_of(value: str) -> str:
    """A metadata value as a header: beyond ASCII an encoded word of RFC 2047 that spells each byte that was
    sent as the Latin-1 letter it stands for, as S3 does. Such a word of plain ASCII is spelled out."""
    if value.isascii():
        return spelled_out(value) if value.startswith("=?") else value
    letters = value.encode().decode("latin-1").encode()
    return f"=?UTF-8?B?{base64.b64encode(letters).decode()}?="


def spelled_out(value: str) -> str:
    """What an encoded word stands for where that is printable ASCII, else the word."""
    found = ENCODED_WORD.match(value)
    if found is None:
        return value
    try:
        text = a2b_base64(found[2]) if found[1] in "bB" else a2b_qp(found[2], header=True)
    except BinasciiError:
        return value
    return text.decode() if text.isascii() and text.decode().isprintable() else value


def override(result: dict[str, object], p: Overrides) -> None:
    """Let the caller choose some of the reply's headers."""
    if p.ResponseCacheControl is not None:
        result["CacheControl"] = p.ResponseCacheControl
    if p.ResponseContentDisposition is not None:
        result["ContentDisposition"] = p.ResponseContentDisposition
    if p.ResponseContentEncoding is not None:
        result["ContentEncoding"] = p.ResponseContentEncoding
    if p.ResponseContentLanguage is not None:
        result["ContentLanguage"] = p.ResponseContentLanguage
    if p.ResponseContentType is not None:
        result["ContentType"] = p.ResponseContentType
    if p.ResponseExpires is not None:
        result["Expires"] = write_timestamp(p.ResponseExpires, "rfc822")


def part_checksum_shown(found: Object, number: int) -> dict[str, object]:
    """The member that gives a part's own checksum, where it is known."""
    if not found.part_checksums:
        return {}
    digest = found.part_checksums[number - 1]
    return {CHECKSUM_MEMBERS[found.checksum_algorithm]: base64.b64encode(digest).decode()}


def checksum_shown(found: Object) -> dict[str, object]:
    """The members that give an object's checksum."""
    if not found.checksum_algorithm:
        return {}
    return {
        CHECKSUM_MEMBERS[found.checksum_algorithm]: found.checksum,
        "ChecksumType": found.checksum_type,
    }
