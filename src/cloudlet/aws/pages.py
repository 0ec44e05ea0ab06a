"""Pagination: opaque tokens that name where the next page starts and the listing they belong to.

State   none: a token carries its position
Source  Smithy "Pagination": a token is opaque, and useless for another operation
Absent  none
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import TypeVar

T = TypeVar("T")

CHECK_BYTES = 6
TOKEN_CHARACTERS_MAX = 4096


class BadToken(Exception):
    """The token was not made by `seal` for this listing; the service answers with its own fault."""


def seal(listing: str, position: bytes) -> str:
    """The token for `position` within `listing` (an operation, its account, its filters)."""
    return base64.urlsafe_b64encode(_check(listing, position) + position).decode().rstrip("=")


def unseal(listing: str, token: str) -> bytes:
    """The position that a token carries; BadToken."""
    if len(token) > TOKEN_CHARACTERS_MAX:
        raise BadToken
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadToken from None
    check, position = raw[:CHECK_BYTES], raw[CHECK_BYTES:]
    if not hmac.compare_digest(check, _check(listing, position)):
        raise BadToken
    return position


def _check(listing: str, position: bytes) -> bytes:
    return hashlib.blake2b(
        position, digest_size=CHECK_BYTES, key=hashlib.sha256(listing.encode()).digest()
    ).digest()


def first(items: Iterable[T], limit: int) -> tuple[list[T], bool]:
    """At most `limit` items, and whether there are more."""
    page: list[T] = []
    for item in items:
        if len(page) == limit:
            return page, True
        page.append(item)
    return page, False
