"""Fetch: record batches out of partitions, at once or when there are enough.

State   fetch_sessions.py
Source  Apache Kafka 4.3: KafkaApis.handleFetchRequest, ReplicaManager.fetchMessages, DelayedFetch; KIP-74,
        KIP-227, KIP-320, KIP-516, KIP-595, KIP-951
Absent  followers; preferred read replicas (KIP-392): there is one replica

A fetch is answered when it has MinBytes, when a partition has an error or the reader's log parts from ours,
or when MaxWaitMs is over. The first batch of the whole response is given even if it exceeds every limit, so
that a reader always gets on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.compression import ZSTD
from cloudlet.kafka.faults import KafkaFault, code_of
from cloudlet.kafka.fetch_sessions import FINAL_EPOCH, FIRST_EPOCH, FetchSessions, Slot, SlotKey, Slots
from cloudlet.kafka.long_answers import LONG_ROWS
from cloudlet.kafka.pacing import Pace, count_records, is_paced
from cloudlet.kafka.partition import Fetched, Isolation
from cloudlet.kafka.turns import Turn
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

BY_ID_SINCE = 13
SESSIONS_SINCE = 7
ZSTD_SINCE = 10  # KIP-110
DIVERGING_SINCE = 12
NO_REPLICA = -1
LEADER_CODES = (ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.FENCED_LEADER_EPOCH)

Response = messages.FetchResponse
Row = messages.FetchResponse.PartitionData


UNREAD_BYTES_MAX = 128 << 20  # of answers in memory, for clients that read slowly, before fetches get little
FETCH_BYTES_LEAST = 1 << 20  # what a fetch may have all the same


class Found(NamedTuple):
    """What a look at a slot found: records, an error, or where the reader's log parts from ours."""

    fetched: Fetched | None = None
    code: int = 0
    diverging: tuple[int, int] | None = None


class Limits(NamedTuple):
    """What a fetch asks for."""

    bytes_max: int
    bytes_min: int
    isolation: Isolation
    deadline_ms: float


async def fetch(call: Call, request: messages.FetchRequest) -> Response:
    """Records of each partition, from where the reader is."""
    broker = call.broker
    sessions = broker.part(FetchSessions)
    by_id = call.api_version >= BY_ID_SINCE
    is_incremental = request.SessionEpoch not in (FINAL_EPOCH, FIRST_EPOCH)
    if call.api_version < SESSIONS_SINCE:
        is_incremental = False
    try:
        if is_incremental:
            slots: Slots = sessions.find(request.SessionId, request.SessionEpoch, by_id=by_id)
            _forget(slots, request, by_id=by_id)
        else:
            if request.SessionId:
                sessions.drop(request.SessionId)
            slots = Slots()
    except KafkaFault as fault:
        return Response(ErrorCode=fault.code, SessionId=0, Responses=[])
    await _want(slots, request, Turn(broker.clock), by_id=by_id)
    if is_incremental and not slots.slots:
        sessions.drop(request.SessionId)
    pace = _pace_of(call)
    found = await _gather(call, request, slots)
    if pace is not None:
        await _wait_a_while(call, pace, found)
    if is_incremental:
        _look_again(slots, found, _isolation(request))
    session_id = request.SessionId if is_incremental else 0
    if not is_incremental and request.SessionEpoch == FIRST_EPOCH and slots.slots:
        session_id = _keep(sessions, slots, found, by_id=by_id)
    if not is_incremental:
        slots.close()
    call.is_long = call.is_long or len(found) > LONG_ROWS
    return await _respond(call, slots, found, session_id, is_incremental=is_incremental)


def _pace_of(call: Call) -> Pace | None:
    """The pace of a client that has one; it has asked just now."""
    peer = call.peer
    if peer.pace is None:
        if not is_paced(peer.software_name):
            return None
        peer.pace = Pace(call.broker.clock.monotonic_ms())
    peer.pace.asked(call.broker.clock.monotonic_ms())
    return peer.pace


async def _wait_a_while(call: Call, pace: Pace, found: Mapping[Slot, Found]) -> None:
    """Let an answer wait for its client to have read the ones before."""
    count = size = 0
    has_more = False
    for slot, one in found.items():
        if one.fetched is not None and one.fetched.records:
            records = count_records(one.fetched.records)
            count += records
            size += len(one.fetched.records)
            has_more = has_more or slot.offset + records < one.fetched.high_watermark
    delay_ms = pace.delay_ms(call.broker.clock.monotonic_ms(), count, size, has_more=has_more)
    if delay_ms:
        await asyncio.sleep(delay_ms / 1000)


def _keep(sessions: FetchSessions, slots: Slots, found: dict[Slot, Found], *, by_id: bool) -> int:
    """Make a session of a full fetch. The callbacks were the fetch's: all slots are looked at anew."""
    for slot in slots.slots.values():
        slot.let_go()
    session_id = sessions.make(slots, by_id=by_id)
    if session_id:
        session = sessions.peek(session_id)
        for slot in session.slots.values():
            session.want(slot)
    return session_id


def _key(topic: str, topic_id: bytes, index: int, *, by_id: bool) -> SlotKey:
    return (topic_id if by_id else topic, index)


def _forget(slots: Slots, request: messages.FetchRequest, *, by_id: bool) -> None:
    for topic in request.ForgottenTopicsData:
        for index in topic.Partitions:
            slot = slots.slots.pop(_key(topic.Topic, topic.TopicId, index, by_id=by_id), None)
            if slot is not None:
                slots.pending.pop(slot, None)
                slot.let_go()


async def _want(slots: Slots, request: messages.FetchRequest, turn: Turn, *, by_id: bool) -> None:
    """Take in what the request says of its partitions."""
    for topic in request.Topics:
        for wanted in topic.Partitions:
            key = _key(topic.Topic, topic.TopicId, wanted.Partition, by_id=by_id)
            slot = slots.slots.get(key)
            if slot is None:
                slot = slots.slots[key] = Slot(key)
            slot.offset = wanted.FetchOffset
            slot.bytes_max = wanted.PartitionMaxBytes
            slot.leader_epoch = wanted.CurrentLeaderEpoch
            slot.fetched_epoch = wanted.LastFetchedEpoch
            slots.want(slot)
            if turn.is_over():
                await turn.end()


def _isolation(request: messages.FetchRequest) -> Isolation:
    return Isolation.READ_COMMITTED if request.IsolationLevel == 1 else Isolation.READ_UNCOMMITTED


async def _gather(call: Call, request: messages.FetchRequest, slots: Slots) -> dict[Slot, Found]:
    """Look, and wait, until the fetch is to be answered."""
    broker = call.broker
    now_ms = broker.clock.monotonic_ms()
    limits = Limits(
        min(
            request.MaxBytes,
            broker.configs.number("fetch.max.bytes"),
            max(FETCH_BYTES_LEAST, UNREAD_BYTES_MAX - broker.unread_bytes()),
        ),
        request.MinBytes,
        _isolation(request),
        now_ms + request.MaxWaitMs,
    )
    found: dict[Slot, Found] = {}
    size, is_done = await _look(call, slots, limits, found, 0)
    if is_done or size >= limits.bytes_min or not slots.slots or request.MaxWaitMs <= 0:
        return found
    cancel = call.peer.on_gone(slots.wake)
    try:
        while not is_done and size < limits.bytes_min and not call.peer.is_gone:
            if not slots.pending:
                left_ms = limits.deadline_ms - broker.clock.monotonic_ms()
                if left_ms <= 0:
                    break
                await slots.wait(left_ms)
            size, is_done = await _look(call, slots, limits, found, size)
            if broker.clock.monotonic_ms() >= limits.deadline_ms:
                break
    finally:
        cancel()
    return found


async def _look(
    call: Call, slots: Slots, limits: Limits, found: dict[Slot, Found], size: int
) -> tuple[int, bool]:
    """Look at the pending slots; (bytes found so far, whether the fetch is to be answered at once)."""
    todo, slots.pending = slots.pending, {}
    is_done = False
    turn = Turn(call.broker.clock)
    for slot in todo:
        before = found.get(slot)
        if before is not None and before.fetched is not None:
            size -= len(before.fetched.records)
        one = _look_at(call, slot, limits, size)
        found[slot] = one
        if one.fetched is None:
            is_done = True
        else:
            size += len(one.fetched.records)
            slots.quiet(slot)
        if turn.is_over():
            await turn.end()
    return size, is_done


def _look_again(slots: Slots, found: dict[Slot, Found], isolation: Isolation) -> None:
    """Let the next fetch of a session look where there may be more than this one gives."""
    for slot, one in found.items():
        fetched = one.fetched
        if fetched is not None and not fetched.records:
            visible = fetched.high_watermark
            if isolation is Isolation.READ_COMMITTED:
                visible = fetched.last_stable_offset
            if slot.offset >= visible:
                continue
        slots.want(slot)


def _look_at(call: Call, slot: Slot, limits: Limits, size: int) -> Found:
    try:
        partition = slot.find(call.broker)
        if call.api_version < ZSTD_SINCE and partition.settings.codec == ZSTD:
            return Found(code=ErrorCode.UNSUPPORTED_COMPRESSION_TYPE)
        if slot.leader_epoch >= 0:
            partition.check_leader_epoch(slot.leader_epoch)
        if slot.fetched_epoch >= 0:
            diverging = partition.diverging(slot.fetched_epoch, slot.offset)
            if diverging is not None:
                return Found(diverging=diverging)
        left = limits.bytes_max - size
        is_first = size == 0
        return Found(
            partition.read(
                slot.offset,
                bytes_max=min(slot.bytes_max, left) if left > 0 or is_first else -1,
                isolation=limits.isolation,
                is_first=is_first,
            )
        )
    except (KafkaFault, StoreError) as error:
        return Found(code=code_of(error))


async def _respond(
    call: Call, slots: Slots, found: dict[Slot, Found], session_id: int, *, is_incremental: bool
) -> Response:
    topics: dict[str | bytes, messages.FetchResponse.FetchableTopicResponse] = {}
    response = Response(SessionId=session_id, Responses=[])
    turn = Turn(call.broker.clock)
    for slot, one in found.items():
        if turn.is_over():
            await turn.end()
        if is_incremental and not _is_news(slot, one):
            continue
        if is_incremental and one.fetched is not None and one.fetched.records and slot.key in slots.slots:
            # Others come first the next time, so that a busy partition does not starve them.
            slots.slots[slot.key] = slots.slots.pop(slot.key)
        name = slot.key[0]
        topic = topics.get(name)
        if topic is None:
            topic = topics[name] = Response.FetchableTopicResponse(Partitions=[])
            if isinstance(name, bytes):
                topic.TopicId = name
            else:
                topic.Topic = name
            response.Responses.append(topic)
        topic.Partitions.append(_row(call, slot, one))
    _hint_leaders(call, response, found)
    return response


def _is_news(slot: Slot, one: Found) -> bool:
    """Whether a session's client has to be told of a partition."""
    fetched = one.fetched
    if fetched is None:
        return True
    return bool(
        fetched.records
        or fetched.high_watermark != slot.told_high_watermark
        or fetched.start_offset != slot.told_start
    )


def _row(call: Call, slot: Slot, one: Found) -> Row:
    fetched = one.fetched
    if fetched is None:
        slot.told_high_watermark = slot.told_start = -1
        row = Row(
            PartitionIndex=slot.index,
            ErrorCode=one.code,
            HighWatermark=-1,
            AbortedTransactions=None,
            Records=b"",
        )
        if one.diverging is not None:
            epoch, stop = one.diverging
            row.DivergingEpoch = Response.EpochEndOffset(Epoch=epoch, EndOffset=stop)
        return row
    slot.told_high_watermark, slot.told_start = fetched.high_watermark, fetched.start_offset
    aborted = fetched.aborted
    return Row(
        PartitionIndex=slot.index,
        HighWatermark=fetched.high_watermark,
        LastStableOffset=fetched.last_stable_offset,
        LogStartOffset=fetched.start_offset,
        AbortedTransactions=(
            None
            if aborted is None
            else [
                Response.AbortedTransaction(ProducerId=producer, FirstOffset=first)
                for producer, first in aborted
            ]
        ),
        Records=fetched.records,
    )


def _hint_leaders(call: Call, response: Response, found: dict[Slot, Found]) -> None:
    """Tell whoever came with an old epoch where the leader is (KIP-951)."""
    if call.api_version < DIVERGING_SINCE or not any(one.code in LEADER_CODES for one in found.values()):
        return
    images = {slot.key: slot.image for slot in found}
    for topic in response.Responses:
        for row in topic.Partitions:
            image = images.get((topic.TopicId, row.PartitionIndex)) or images.get(
                (topic.Topic, row.PartitionIndex)
            )
            if row.ErrorCode in LEADER_CODES and image is not None:
                state = image.states[row.PartitionIndex]
                row.CurrentLeader = Response.LeaderIdAndEpoch(
                    LeaderId=state.leader, LeaderEpoch=state.leader_epoch
                )
    host, port = call.broker.endpoint(call.peer)
    response.NodeEndpoints = [Response.NodeEndpoint(NodeId=call.broker.node_id, Host=host, Port=port)]


HANDLERS: dict[int, Handler] = {1: fetch}
