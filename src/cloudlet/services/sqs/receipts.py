"""Receipt handles: which message of which queue, and which of its receives, in a form that nobody guesses.

State   none: a handle carries all it says, and a check that it was made here
Source  SQS Developer Guide, "Receipt handle"
Absent  none

    01 01 01 | queue id, 8 bytes | sequence, 8 bytes | receive count, 4 bytes | check, 10 bytes

in base64, so every handle begins with "AQEB", as Amazon's do.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import NamedTuple

LAYOUT = struct.Struct(">3s8sQI")
MARK = b"\x01\x01\x01"
CHECK_BYTES = 10
QUEUE_ID_BYTES = 8
KEY = b"sqs receipt handle"  # against typing errors, not against those who read this


class Receipt(NamedTuple):
    """What a handle says."""

    queue: bytes
    sequence: int
    receive: int  # 1, 2, 3, … of this message


def seal(queue: bytes, sequence: int, receive: int) -> str:
    """The handle of one receive of a message."""
    packed = LAYOUT.pack(MARK, queue, sequence, receive)
    return binascii.b2a_base64(packed + _check(packed), newline=False).decode()


def unseal(handle: str) -> Receipt | None:
    """What a handle says, None for text that was never one."""
    try:
        raw = base64.b64decode(handle, validate=True)
    except ValueError:
        return None
    if len(raw) != LAYOUT.size + CHECK_BYTES:
        return None
    packed, check = raw[: LAYOUT.size], raw[LAYOUT.size :]
    if not hmac.compare_digest(check, _check(packed)):
        return None
    _, queue, sequence, receive = LAYOUT.unpack(packed)
    return Receipt(queue, sequence, receive)


def _check(packed: bytes) -> bytes:
    return hashlib.blake2b(packed, digest_size=CHECK_BYTES, key=KEY).digest()
