"""Idempotency tokens: the same token with the same members gives the first answer again, without a second
effect.

State   ("idempotency", service, account, region, operation, token) -> Answered
Source  Smithy "idempotencyToken trait"; EC2 "Ensuring idempotency"
Absent  none

The answer is kept in the operation's own commit, so there is no moment in which the effect exists without it.
"""

from __future__ import annotations

import hashlib

import msgspec

from cloudlet.aws.record import Key, Record
from cloudlet.aws.request import Request, Wait
from cloudlet.aws.service import Answer, Operation, Result, Several
from cloudlet.kernel.fault import Fault

KEPT_MS = 24 * 3600 * 1000  # the longest that AWS documents for a client token
EXPIRED_MAX = 20  # old answers dropped beside each new one, so that the space is bounded by its use

Mismatch = Fault(
    "IdempotentParameterMismatch",
    "The request uses the same client token as a previous, but non-identical request.",
)


class Answered(Record):
    """What a call with a token answered."""

    digest: bytes  # of the request's members
    result: msgspec.Raw
    expires_ms: int


def once(operation: Operation, member: str, rq: Request, params: msgspec.Struct) -> Result | Wait:
    """Run the operation, or give the answer that its token got before; Mismatch for other members."""
    token = getattr(params, member)
    listing: Key = ("idempotency", operation.service.name, rq.account, rq.region, operation.function)
    digest = hashlib.sha256(msgspec.msgpack.encode(params)).digest()
    known = rq.get((*listing, token), Answered)
    if known is not None and known.expires_ms > rq.now_ms:
        if known.digest != digest:
            raise Mismatch
        found: Result = msgspec.msgpack.decode(known.result)
        return found
    result = operation.act(rq, params) or {}
    if isinstance(result, Wait):
        return result
    assert not isinstance(result, Answer | Several), "an operation with a token answers plainly"
    answer = Answered(digest, msgspec.Raw(msgspec.msgpack.encode(result)), rq.now_ms + KEPT_MS)
    expired = [
        key for key, old in rq.glance(listing, Answered, limit=EXPIRED_MAX) if old.expires_ms <= rq.now_ms
    ]
    rq.add_to_commit({(*listing, token): answer}, [key for key in expired if key[-1] != token])
    return result
