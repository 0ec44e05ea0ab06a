"""One event per call, in the form of CloudTrail's records, kept in a log that ends at a size.

State   log "aws/events"     one JSON record per call, its key the account
Source  CloudTrail User Guide, "CloudTrail record contents" (event version 1.11)
Absent  members in CloudTrail's own spelling (queueUrl for QueueUrl); a record of a call that is acknowledged
        in the loop turn of a kill -9 may be missing

Events of a loop turn are written down and appended as one batch at its end. Data events (messages sent and
received, objects put) are recorded only when asked for. Members that the model marks sensitive are replaced.
Most of an event repeats from call to call of one client, and is encoded once: see `Stem`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from cloudlet.aws.call import Call
from cloudlet.aws.drive import Rest, begin, finish
from cloudlet.aws.identity import Caller
from cloudlet.aws.operation import LoadedOperation
from cloudlet.aws.service import Result
from cloudlet.kernel.fault import Fault, StoreError
from cloudlet.kernel.logs import LogName, Logs, Offset
from cloudlet.wire.kafka.records import encode_values

log = logging.getLogger(__name__)

EVENTS_LOG = LogName("aws/events")
EVENTS_BYTES_MAX = 256 << 20
TRIM_EVERY = 1000  # batches between two looks at the log's size
PARAMETERS_BYTES_MAX = 100_000  # of one event: CloudTrail cuts at 100 KB too
WAITING_MAX = 64  # calls that wait for the end of the loop turn: they hold on to what was asked and answered
STEMS_MAX = 1024  # remembered; of an own operation, caller, address and user agent each
USER_AGENT_MAX = 512  # characters; one that is longer is encoded each time
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"  # CloudTrail's own word for what it leaves out

NULL = b"null"
EVENT_VERSION = "1.11"


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One CloudTrail record."""

    eventVersion: str  # noqa: N815 - CloudTrail's spelling, here and below
    userIdentity: Mapping[str, str]  # noqa: N815
    eventTime: msgspec.Raw  # noqa: N815
    eventSource: str  # noqa: N815
    eventName: str  # noqa: N815
    awsRegion: str  # noqa: N815
    sourceIPAddress: str  # noqa: N815
    userAgent: str  # noqa: N815
    requestParameters: msgspec.Raw  # noqa: N815
    responseElements: msgspec.Raw  # noqa: N815
    requestID: msgspec.Raw  # noqa: N815
    eventID: msgspec.Raw  # noqa: N815
    readOnly: bool  # noqa: N815
    eventType: str  # noqa: N815
    managementEvent: bool  # noqa: N815
    recipientAccountId: str  # noqa: N815
    eventCategory: str  # noqa: N815
    errorCode: str = ""  # noqa: N815
    errorMessage: str = ""  # noqa: N815


class Waiting(NamedTuple):
    """A call that is to be written down."""

    call: Call
    source: str
    operation: LoadedOperation
    params: msgspec.Struct | None
    user_agent: str
    fault: Fault | None
    result: Result | None


Stem = tuple[bytes, ...]
"""An event cut at what is each call's own: its time, parameters, response elements, and the two ids."""

GAP = msgspec.Raw(b"\0")  # where an event is cut: JSON has no such byte anywhere


class Events:
    """Collects the events of a loop turn and appends them."""

    def __init__(self, logs: Logs, wall_ms: Callable[[], int], uuid: Callable[[], str]) -> None:
        self._logs = logs
        self._wall_ms = wall_ms
        self._uuid = uuid
        self._waiting: list[Waiting] = []
        self._flushing = False
        self._appends: set[asyncio.Task[None]] = set()
        self._appended = 0
        self._second = 0
        self._second_text = b""
        self._stems: dict[tuple[LoadedOperation, Caller, str, str, str], Stem] = {}

    def record(
        self, call: Call, source: str, operation: LoadedOperation, params: msgspec.Struct | None,
        *, user_agent: str, fault: Fault | None, result: Result | None = None,
    ) -> None:  # fmt: skip
        """Note one call; it is on the log after this loop turn. `result` is what it answered, where that is
        no stream; neither that nor the parameters may change any more."""
        self._waiting.append(Waiting(call, source, operation, params, user_agent, fault, result))
        if not self._flushing:
            self._flushing = True
            asyncio.get_running_loop().call_soon(self._flush)
        elif len(self._waiting) >= WAITING_MAX:
            self._write()

    def _encoded(self, one: Waiting) -> bytes:
        """An event as JSON."""
        call, operation = one.call, one.operation
        key = (operation, call.caller, call.region, call.address, one.user_agent)
        stem = self._stems.get(key) if one.fault is None else None
        if stem is None:
            stem = stem_of(one)
            if one.fault is None and len(one.user_agent) <= USER_AGENT_MAX:
                if len(self._stems) >= STEMS_MAX:
                    self._stems.clear()
                self._stems[key] = stem
        answered = NULL
        if one.result and not operation.is_read:
            answered = shown(one.result, operation.sensitive_output)
        start, to_asked, to_answered, to_id, to_own_id, stop = stem
        return b"".join(
            (
                start, self._time(), to_asked, shown(one.params, operation.sensitive), to_answered, answered,
                to_id, b'"%b"' % call.request_id.encode(), to_own_id, b'"%b"' % self._uuid().encode(), stop,
            )
        )  # fmt: skip

    def _time(self) -> bytes:
        second = self._wall_ms() // 1000
        if second != self._second:
            self._second = second
            self._second_text = datetime.fromtimestamp(second, UTC).strftime('"%Y-%m-%dT%H:%M:%SZ"').encode()
        return self._second_text

    def _flush(self) -> None:
        self._flushing = False
        if self._waiting:
            self._write()

    def _write(self) -> None:
        """Append what is waiting."""
        batch, self._waiting = self._waiting, []
        appending = begin(self._append([self._encoded(one) for one in batch]))
        if isinstance(appending, Rest):
            task = asyncio.ensure_future(finish(appending))
            self._appends.add(task)
            task.add_done_callback(self._appends.discard)

    async def _append(self, events: list[bytes]) -> None:
        try:
            await self._logs.append(EVENTS_LOG, encode_values(events, self._wall_ms()))
            self._appended += 1
            if self._appended % TRIM_EVERY == 0:
                await self._trim()
        except StoreError as error:
            log.warning("%d call events were not recorded: %r", len(events), error)

    async def _trim(self) -> None:
        """Give up the oldest eighth of the log when it is over its size."""
        if self._logs.size(EVENTS_LOG) > EVENTS_BYTES_MAX:
            start, stop = self._logs.ends(EVENTS_LOG)
            await self._logs.trim(EVENTS_LOG, Offset(start + (stop - start) // 8))

    async def close(self) -> None:
        """Append what is waiting."""
        if self._waiting:
            self._flush()
        await asyncio.gather(*self._appends)


def identity_of(caller: Caller) -> Mapping[str, str]:
    """The userIdentity element."""
    return {
        "type": caller.principal_type,
        "principalId": caller.user_id,
        "arn": caller.arn,
        "accountId": caller.account,
        "accessKeyId": caller.access_key,
    }


def stem_of(one: Waiting) -> Stem:
    """All of an event but what is each call's own."""
    call, operation, fault = one.call, one.operation, one.fault
    caller, is_data = call.caller, operation.declared.is_data
    event = Event(
        EVENT_VERSION, identity_of(caller), GAP, one.source, operation.model.name, call.region, call.address,
        one.user_agent, GAP, GAP, GAP, GAP, operation.is_read, "AwsApiCall", not is_data, caller.account,
        "Data" if is_data else "Management", fault.code if fault else "", fault.message if fault else "",
    )  # fmt: skip
    return tuple(msgspec.json.encode(event).split(b"\0"))


def shown(members: msgspec.Struct | Result | None, hidden: Sequence[Sequence[str]]) -> bytes:
    """A call's members as JSON, the hidden ones replaced; null where there is nothing, or too much."""
    if members is None:
        return NULL
    if not hidden:
        encoded = msgspec.json.encode(members)
    else:
        plain = msgspec.to_builtins(members)
        for path in hidden:
            hide(plain, path)
        encoded = msgspec.json.encode(plain)
    return encoded if len(encoded) <= PARAMETERS_BYTES_MAX else NULL


def hide(value: object, path: Sequence[str]) -> None:
    """Replace what stands at a path, in every element of lists and maps on the way."""
    if isinstance(value, list):
        for each in value:
            hide(each, path)
    elif isinstance(value, dict):
        if path[0] not in value:
            for each in value.values():
                hide(each, path)
        elif len(path) == 1:
            value[path[0]] = HIDDEN
        else:
            hide(value[path[0]], path[1:])
