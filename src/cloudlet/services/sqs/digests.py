"""MD5 digests by which SDKs check that a message arrived as it was sent.

State   none
Source  SQS Developer Guide, "Calculating the MD5 message digest for message attributes"
Absent  none
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from cloudlet.services.sqs.records import Attribute

TEXT = b"\x01"
BINARY = b"\x02"


def body_md5(body: bytes) -> str:
    """The digest of a body's UTF-8 bytes."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def attributes_md5(attributes: Iterable[Attribute]) -> str:
    """The digest of attributes that come sorted by name: each name, type and value with its length before
    it."""
    out = bytearray()
    for attribute in attributes:
        for part in (attribute.name.encode(), attribute.type.encode()):
            out += len(part).to_bytes(4, "big")
            out += part
        text = attribute.text
        value = text.encode() if text is not None else attribute.data or b""
        out += BINARY if text is None else TEXT
        out += len(value).to_bytes(4, "big")
        out += value
    return hashlib.md5(out, usedforsecurity=False).hexdigest()
