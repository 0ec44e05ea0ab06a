"""What all S3 listings have in common: how many they show, and how they spell keys.

State   none
Source  S3 API Reference 2006-03-01, "ListObjectsV2" (encoding-type, max-keys); docs/sources/s3.md
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote_plus

from cloudlet.services.s3.faults import invalid_argument

PAGE_MAX = 1000
INTEGER_MAX = 2**31 - 1

Spell = Callable[[str], str]


def spelling_of(encoding_type: str | None) -> Spell:
    """How a listing writes keys and prefixes: as they are, or so that XML can hold every one."""
    if encoding_type is None:
        return str
    if encoding_type.lower() != "url":
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding_type)
    return spelled_for_urls


def spelled_for_urls(text: str) -> str:
    """Percent-encoded UTF-8 with a plus sign for a space; slashes and asterisks stay."""
    return quote_plus(text, safe="/*").replace("~", "%7E")


def page_of(asked: int | None, name: str) -> int:
    """How many entries a page may hold: what was asked for, at most PAGE_MAX."""
    if asked is None:
        return PAGE_MAX
    if asked < 0:
        raise invalid_argument(
            f"Argument {name} must be an integer between 0 and {INTEGER_MAX}", name, str(asked)
        )
    return min(asked, PAGE_MAX)
