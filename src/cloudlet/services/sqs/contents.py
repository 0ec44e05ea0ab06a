"""From a producer's members to a message, and from a message to what a consumer gets.

State   none
Source  SQS API Reference 2012-11-05, SendMessage, ReceiveMessage, Message; texts: docs/sources/sqs.md
Absent  StringListValues and BinaryListValues, which AWS reserves for the future too
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws.service import Result
from cloudlet.kernel.ids import uuid_of
from cloudlet.services.sqs.decide import Draft
from cloudlet.services.sqs.digests import attributes_md5, body_md5
from cloudlet.services.sqs.faults import InvalidContents, InvalidValue, Unsupported, invalid, missing, within
from cloudlet.services.sqs.queues import Found
from cloudlet.services.sqs.records import Attribute, Content, Sent
from cloudlet.services.sqs.shelf import Message

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.sqs import shapes

    Entry = shapes.SendMessageRequest | shapes.SendMessageBatchRequestEntry

# "A message can include only XML, JSON, and unformatted text. The following Unicode characters are allowed:
# #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PLAIN = b"\t\n\r" + bytes(range(0x20, 0x80))  # of these, what is ASCII
ATTRIBUTES_MAX = 10
NAME_BYTES_MAX = 256
NAME = re.compile(r"[\w.\-]+\Z")  # letters of any script, whatever the text of the error says
TYPE = re.compile(r"(String|Number|Binary)(\..*)?\Z", re.DOTALL)
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
# "can contain up to 128 alphanumeric characters (a-z, A-Z, 0-9) and punctuation"
TOKEN = re.compile(r"[A-Za-z0-9!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]{1,128}\Z")
DELAY_SECONDS_MAX = 900
TRACE = "AWSTraceHeader"
SEQUENCE_BASE = 10**19  # a sequence number is shown with 20 digits, as Amazon's are
SYSTEM_NAMES = frozenset(
    {
        "All", "SenderId", "SentTimestamp", "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp",
        "SequenceNumber", "MessageDeduplicationId", "MessageGroupId", TRACE, "DeadLetterQueueSourceArn",
    }
)  # fmt: skip
EVERYTHING = frozenset({"All", ".*", "*"})


def prepare(rq: Request, queue: Found, p: Entry) -> Draft:
    """Check a producer's members and make the message of them; its size is the caller's to judge."""
    text = p.MessageBody
    if not text:
        raise missing("MessageBody")
    body = _encoded(text)
    size_bytes = len(body)
    attributes: tuple[Attribute, ...] = ()
    digest = system_digest = trace = None
    if p.MessageAttributes:
        attributes = _attributes(p.MessageAttributes)
        digest = attributes_md5(attributes)
        size_bytes += sum(map(_attribute_bytes, attributes))
    if p.MessageSystemAttributes:
        trace = _trace(p.MessageSystemAttributes)
        system_digest = attributes_md5([Attribute(TRACE, "String", trace)])
    elif rq.call.trace:
        trace = rq.call.trace
    group, deduplication_id = p.MessageGroupId, p.MessageDeduplicationId
    is_fifo = queue.record.is_fifo
    if is_fifo or group is not None or deduplication_id is not None:
        deduplication_id = _deduplication_id(queue, group, deduplication_id, body)
    return Draft(
        rq.token(16),
        size_bytes,
        Content(text, body_md5(body), rq.call.caller.user_id, attributes, trace, None if is_fifo else group),
        _delay_seconds(queue, p.DelaySeconds) * 1000,
        group if is_fifo else None,
        deduplication_id,
        digest,
        system_digest,
    )


def _encoded(text: str) -> bytes:
    """The body's bytes; InvalidContents for characters that no message may hold."""
    if text.isascii():
        body = text.encode()
        if not body.translate(None, PLAIN):  # five times as fast as to ask `isprintable`
            return body
    if FORBIDDEN.search(text):
        raise InvalidContents(
            "Invalid characters found. Valid unicode characters are "
            "#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"
        )
    return text.encode()


def _delay_seconds(queue: Found, asked: int | None) -> int:
    if asked is None:
        return queue.record.delay_seconds
    if queue.record.is_fifo:
        # "When you set FifoQueue, you can't set DelaySeconds per message": AWS lets a zero pass.
        if asked:
            reason = "The request include parameter that is not valid for this queue type."
            raise invalid("DelaySeconds", asked, reason)
        return queue.record.delay_seconds
    within("DelaySeconds", asked, 0, DELAY_SECONDS_MAX, "DelaySeconds must be >= 0 and <= 900.")
    return asked


def _deduplication_id(queue: Found, group: str | None, given: str | None, body: bytes) -> str | None:
    """The id by which a repeat is known, both ids checked."""
    for name, value in (("MessageGroupId", group), ("MessageDeduplicationId", given)):
        if value is not None and not TOKEN.match(value):
            reason = f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
            raise invalid(name, value, reason)
    if not queue.record.is_fifo:
        if given is not None:
            reason = "The request includes a parameter that is not valid for this queue type."
            raise invalid("MessageDeduplicationId", given, reason)
        return None
    if group is None:
        raise missing("MessageGroupId")
    check_identity(queue, given)
    return _sha256(body) if given is None else given


def check_fifo(queue: Found, group: str | None, given: str | None) -> None:
    """What every message of a FIFO queue's batch needs: a group, and an id or contents to know it by."""
    if group is None:  # what is a MissingParameter in a single message
        raise InvalidValue(missing("MessageGroupId").message)
    check_identity(queue, given)


def check_identity(queue: Found, given: str | None) -> None:
    """An id or contents by which a repeat is known."""
    if given is None and not queue.record.is_deduplicated_by_content:
        raise InvalidValue(
            "The queue should either have ContentBasedDeduplication enabled or "
            "MessageDeduplicationId provided explicitly"
        )


def _attributes(given: Mapping[str, shapes.MessageAttributeValue]) -> tuple[Attribute, ...]:
    """A message's attributes, sorted by name; InvalidValue for what none may be."""
    if len(given) > ATTRIBUTES_MAX:
        raise InvalidValue(
            f"Number of message attributes [{len(given)}] exceeds the allowed maximum [{ATTRIBUTES_MAX}]."
        )
    return tuple(_attribute(name, given[name]) for name in sorted(given))


def _attribute(name: str, given: shapes.MessageAttributeValue) -> Attribute:
    _check_name(name)
    if given.StringListValues or given.BinaryListValues:
        raise Unsupported("Message attribute list values in SendMessage operation are not supported.")
    kind = given.DataType
    if not kind:
        raise InvalidValue(f"The message attribute '{name}' must contain a non-empty message attribute type.")
    if not TYPE.match(kind):
        raise InvalidValue(
            f"The message attribute '{name}' has an invalid message attribute type, the set of supported "
            "type prefixes is Binary, Number, and String."
        )
    if len(kind.encode()) > NAME_BYTES_MAX:
        raise InvalidValue("Message (user) attribute types must be shorter than 256 Bytes")
    base = kind.partition(".")[0]
    value = given.BinaryValue if base == "Binary" else given.StringValue
    if not value:
        raise InvalidValue(
            f"Message (user) attribute '{name}' must contain a non-empty value of type '{base}'."
        )
    if isinstance(value, bytes):
        return Attribute(name, kind, None, value)
    if FORBIDDEN.search(value):
        raise InvalidValue(f"Message (user) attribute '{name}' value contains invalid characters.")
    if base == "Number" and not NUMBER.match(value):
        raise InvalidValue(f"Can't cast the value of message (user) attribute '{name}' to a number.")
    return Attribute(name, kind, value)


def _check_name(name: str) -> None:
    if len(name.encode()) > NAME_BYTES_MAX:
        raise InvalidValue("Message (user) attribute names must be shorter than 256 Bytes")
    if not NAME.match(name):
        raise InvalidValue(
            f"The message attribute name '{name}' is invalid. Attribute name can contain A-Z, a-z, 0-9, "
            "underscore (_), hyphen (-), and period (.) characters."
        )
    lower = name.lower()
    if lower.startswith(("aws.", "amazon.", ".")) or lower.endswith(".") or ".." in lower:
        raise InvalidValue(
            "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. "
            "These strings are reserved for internal use. Additionally, they cannot start or end with '.'."
        )


def _trace(given: Mapping[str, shapes.MessageSystemAttributeValue]) -> str:
    """The one system attribute that a producer may send."""
    for name, value in given.items():
        if value.StringListValues or value.BinaryListValues or value.BinaryValue:
            raise InvalidValue(f"Message system attribute '{name}' must be of type String.")
        if name != TRACE or value.DataType != "String" or not value.StringValue:
            raise InvalidValue(
                f"Message system attribute '{name}' is invalid: {TRACE} of type String is the only one."
            )
        return value.StringValue
    raise AssertionError("asked about no attributes")


def _attribute_bytes(attribute: Attribute) -> int:
    """What an attribute adds to a message's size: "Name, type, value and the message body"."""
    value = attribute.data if attribute.text is None else attribute.text.encode()
    return len(attribute.name.encode()) + len(attribute.type.encode()) + len(value or b"")


def _sha256(body: bytes) -> str:
    # "uses a SHA-256 hash to generate the MessageDeduplicationId using the body of the message (but not the
    # attributes of the message)"
    return hashlib.sha256(body).hexdigest()


def sequence_number_of(sequence: int) -> str:
    """A FIFO queue's sequence number as its clients see it."""
    return str(SEQUENCE_BASE + sequence)


class Wanted(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which attributes a consumer asks for."""

    system: Collection[str]
    is_all_system: bool
    user: Collection[str]
    prefixes: tuple[str, ...]
    is_all_user: bool


NOTHING = Wanted(system=(), is_all_system=False, user=(), prefixes=(), is_all_user=False)


def wanted(system: Sequence[str], user: Sequence[str]) -> Wanted:
    """What the names in a receive ask for; a user attribute may be asked for by "prefix.*"."""
    if not system and not user:
        return NOTHING
    prefixes = tuple(name[:-2] for name in user if name.endswith(".*"))
    return Wanted(
        system=system,
        is_all_system="All" in system,
        user=user,
        prefixes=prefixes,
        is_all_user=not EVERYTHING.isdisjoint(user),
    )


def delivered(sent: Sent, message: Message, handle: str, receive: int, ask: Wanted, now_ms: int) -> Result:
    """A message as a consumer gets it at its `receive`th time."""
    content = sent.content
    result: dict[str, object] = {
        "MessageId": uuid_of(sent.message_id),
        "ReceiptHandle": handle,
        "MD5OfBody": content.body_md5,
        "Body": content.body,
    }
    if ask is NOTHING:
        return result
    if ask.system:
        shown = _system_attributes(sent, message, receive, now_ms)
        if not ask.is_all_system:
            shown = {name: value for name, value in shown.items() if name in ask.system}
        if shown:
            result["Attributes"] = shown
    if ask.user and content.attributes:
        chosen = [each for each in content.attributes if _is_wanted(each.name, ask)]
        if chosen:
            result["MessageAttributes"] = {each.name: _shown(each) for each in chosen}
            result["MD5OfMessageAttributes"] = attributes_md5(chosen)
    return result


def _system_attributes(sent: Sent, message: Message, receive: int, now_ms: int) -> dict[str, str]:
    content = sent.content
    shown = {
        "SenderId": content.sender,
        "SentTimestamp": str(message.sent_ms),
        "ApproximateReceiveCount": str(receive),
        "ApproximateFirstReceiveTimestamp": str(message.first_received_ms or now_ms),
    }
    if sent.group is not None:
        shown["SequenceNumber"] = sequence_number_of(sent.sequence)
        shown["MessageGroupId"] = sent.group
        shown["MessageDeduplicationId"] = sent.deduplication_id or ""
    elif content.tenant is not None:
        shown["MessageGroupId"] = content.tenant
    if content.trace is not None:
        shown["AWSTraceHeader"] = content.trace
    if content.dead_letter_source is not None:
        shown["DeadLetterQueueSourceArn"] = content.dead_letter_source
    return shown


def _is_wanted(name: str, ask: Wanted) -> bool:
    return ask.is_all_user or name in ask.user or (bool(ask.prefixes) and name.startswith(ask.prefixes))


def _shown(attribute: Attribute) -> dict[str, object]:
    if attribute.text is None:
        return {"DataType": attribute.type, "BinaryValue": attribute.data}
    return {"DataType": attribute.type, "StringValue": attribute.text}
