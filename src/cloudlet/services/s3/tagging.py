"""Tags as S3 takes them: a set in XML, or a query string in a header.

State   none; an object's tags are in its record
Source  S3 User Guide, "Categorizing your objects using tags"; S3 API Reference, PutObjectTagging
Absent  none
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from cloudlet.aws import tags as kept_tags
from cloudlet.services.s3.faults import BadRequest, InvalidArgument, InvalidTag, MalformedXML

if TYPE_CHECKING:
    from cloudlet.services.s3 import shapes

OBJECT_TAGS_MAX = 10
SYSTEM_TAGS = "System tags cannot be added/updated by requester"


def tag_set(tagging: shapes.Tagging, tags_max: int) -> Mapping[str, str]:
    """The tags of a request's body, checked."""
    found: list[tuple[str, str]] = []
    for tag in tagging.TagSet or ():
        if tag.Key is None or tag.Value is None:
            raise MalformedXML
        found.append((tag.Key, tag.Value))
    return checked(found, tags_max)


def tags_of_header(header: str) -> Mapping[str, str]:
    """The tags of an x-amz-tagging header, checked."""
    try:
        found = parse_qsl(header, keep_blank_values=True, errors="strict")
        if len(dict(found)) < len(found) or header.count("=") > header.count("&") + 1:
            raise ValueError(header)
    except ValueError:
        raise InvalidArgument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
            "without tag name duplicates.",
            ArgumentName="x-amz-tagging",
            ArgumentValue=header,
        ) from None
    return checked(found, OBJECT_TAGS_MAX)


def checked(tags: Iterable[tuple[str, str]], tags_max: int) -> Mapping[str, str]:
    """The tags as a set; BadRequest for too many, InvalidTag for a bad or repeated one."""
    pairs, is_object = list(tags), tags_max == OBJECT_TAGS_MAX
    if len(pairs) > tags_max:
        noun = "Object tags" if is_object else "Bucket tag count"
        raise BadRequest(f"{noun} cannot be greater than {tags_max}")
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidTag("Cannot provide multiple Tags with the same key", TagKey=name)
        if name.startswith("aws:"):
            text = "Your TagKey cannot be prefixed with aws:" if is_object else SYSTEM_TAGS
            raise InvalidTag(text, TagKey=name)
        if not 0 < len(name) <= kept_tags.KEY_CHARACTERS_MAX or not kept_tags.ALLOWED.match(name):
            raise InvalidTag("The TagKey you have provided is invalid", TagKey=name)
        if len(value) > kept_tags.VALUE_CHARACTERS_MAX or not kept_tags.ALLOWED.match(value):
            raise InvalidTag("The TagValue you have provided is invalid", TagKey=name, TagValue=value)
        found[name] = value
    return kept_tags.added({}, found, InvalidTag, InvalidTag).tags
