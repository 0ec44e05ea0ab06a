"""Conditions on reads and writes, and which bytes of an object a read wants.

State   none
Source  S3 API Reference, GetObject, CopyObject; S3 User Guide, "Conditional requests"; RFC 9110 sections 13
        and 14; docs/sources/s3.md
Absent  If-Range, which S3's model does not have
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from cloudlet.kernel.fault import Fault
from cloudlet.services.s3.faults import (
    InvalidPartNumber,
    InvalidRange,
    NoSuchKey,
    NotImplementedHere,
    failed,
)
from cloudlet.services.s3.state import Object, Piece

RANGE = re.compile(r"\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*\Z", re.IGNORECASE)
NUMBER_DIGITS_MAX = 19


class Span(msgspec.Struct, frozen=True, gc=False):
    """The bytes [start, stop) of an object."""

    start: int
    stop: int


def names_etag(condition: str, etag: str) -> bool:
    """Whether an If-Match or If-None-Match header means this entity tag."""
    if condition.strip() == "*":
        return True
    given = [part.strip().removeprefix("W/").strip('"') for part in condition.split(",")]
    return etag in given


class Conditions(msgspec.Struct, frozen=True, gc=False):
    """The four conditions of a read; times in seconds since 1970."""

    match: str | None
    none_match: str | None
    modified_since: float | None
    unmodified_since: float | None

    def broken(self, found: Object) -> str | None:
        """The precondition that fails (412), if any."""
        if self.match is not None:
            # "If-Match condition evaluates to true, and If-Unmodified-Since evaluates to false: 200 OK"
            return None if names_etag(self.match, found.etag) else "If-Match"
        if self.unmodified_since is not None and found.modified_ms // 1000 > self.unmodified_since:
            return "If-Unmodified-Since"
        return None

    def unchanged(self, found: Object, now_ms: int) -> str | None:
        """The condition by which the caller has the object already (304), if any."""
        if self.none_match is not None:
            return "If-None-Match" if names_etag(self.none_match, found.etag) else None
        if (
            self.modified_since is not None
            and found.modified_ms // 1000 <= self.modified_since <= now_ms / 1000
        ):
            return "If-Modified-Since"  # one in the future is ignored
        return None


def check_write(key: str, current: Object | None, if_match: str | None, if_none_match: str | None) -> None:
    """Refuse a write whose conditions the object of now does not meet; None where there is none."""
    if if_match is not None and if_none_match is not None:
        raise not_accepted(
            "If-Match,If-None-Match", "Multiple conditional request headers present in the request"
        )
    if if_none_match is not None:
        if if_none_match.strip() != "*":
            raise not_accepted("If-None-Match")
        if current is not None:
            raise failed("If-None-Match")
    if if_match is not None:
        if if_match.strip() == "*":
            raise not_accepted("If-Match")
        if current is None:
            raise NoSuchKey(NoSuchKey.message, Key=key)
        if not names_etag(if_match, current.etag):
            raise failed("If-Match")


def not_accepted(header: str, more: str = "") -> Fault:
    """S3 itself does not implement what a condition asks for."""
    return NotImplementedHere(
        "A header you provided implies functionality that is not implemented",
        Header=header,
        additionalMessage=more or f"We don't accept the provided value of {header} header for this API",
    )


# --- ranges and parts


def span_asked(header: str, size_bytes: int) -> Span | None:
    """The bytes that a Range header asks for; None where the whole is to be sent: several ranges, other
    units, or text that is no range. InvalidRange where no byte of it is there."""
    found = RANGE.match(header)
    if found is None or max(len(found[1]), len(found[2])) > NUMBER_DIGITS_MAX:
        return None
    if found[1]:
        start = int(found[1])
        stop = int(found[2]) + 1 if found[2] else size_bytes
        if found[2] and stop <= start:
            return None
    elif found[2]:
        start, stop = max(0, size_bytes - int(found[2])), size_bytes
    else:
        return None
    if start >= size_bytes:
        raise unsatisfiable(header, size_bytes)
    return Span(start, min(stop, size_bytes))


def unsatisfiable(header: str, size_bytes: int) -> Fault:
    """No byte of the range is there."""
    refused = InvalidRange(InvalidRange.message, RangeRequested=header, ActualObjectSize=size_bytes)
    return refused.beside(("content-range", f"bytes */{size_bytes}"))


def part_span(found: Object, number: int) -> Span:
    """The bytes of a part; an object that was not uploaded in parts is its own first."""
    count = parts_of(found)
    if not 1 <= number <= max(count, 1):
        raise InvalidPartNumber(
            InvalidPartNumber.message, PartNumberRequested=number, ActualPartCount=max(count, 1)
        )
    if not count:
        return Span(0, found.size_bytes)
    start = sum(piece.size_bytes for piece in found.pieces[: number - 1])
    return Span(start, start + found.pieces[number - 1].size_bytes)


def parts_of(found: Object) -> int:
    """How many parts an object was uploaded in; 0 for one that came whole."""
    return len(found.pieces) if "-" in found.etag else 0


def cut(pieces: Sequence[Piece], span: Span) -> list[tuple[Piece, int, int]]:
    """The stretches of pieces that make up a span: (piece, start, stop) within each."""
    found: list[tuple[Piece, int, int]] = []
    position = 0
    for piece in pieces:
        start, stop = max(span.start - position, 0), min(span.stop - position, piece.size_bytes)
        if start < stop:
            found.append((piece, start, stop))
        position += piece.size_bytes
    return found
