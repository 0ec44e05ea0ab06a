"""ShareFetch and ShareAcknowledge (KIP-932).

State   none
Source  Apache Kafka 4.3: KafkaApis.handleShareFetchRequest, handleShareAcknowledgeRequest; DelayedShareFetch
Absent  none

A fetch first takes in what it says of records that its member had, then is answered when there are MinBytes
to acquire, when a partition has an error, or when MaxWaitMs is over. Nothing suspends between the read and
the acquisition of what was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.partition import Isolation
from cloudlet.kafka.security.acls import may_read
from cloudlet.kafka.share.coordinator import Shares
from cloudlet.kafka.share.live import Live
from cloudlet.kafka.share.reading import Read, cut, read, size_of
from cloudlet.kafka.share.sessions import FINAL_EPOCH, FIRST_EPOCH, Place, Session, SessionKey
from cloudlet.kafka.share.share_partition import Acknowledge, Acknowledgement, Acquired, Wish
from cloudlet.kafka.share.state_records import ShareKey
from cloudlet.kafka.turns import Turn
from cloudlet.kernel.fault import StoreError
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

MEMBER_ID_CHARACTERS_MAX = 36
RENEW_SINCE = 2
RECORD_LIMIT = 1  # ShareAcquireMode
PARTITION_BYTES_LEAST = 1 << 20

FetchRequest = messages.ShareFetchRequest
FetchResponse = messages.ShareFetchResponse
Row = messages.ShareFetchResponse.PartitionData
AcknowledgeRequest = messages.ShareAcknowledgeRequest
AcknowledgeResponse = messages.ShareAcknowledgeResponse

Outcome = KafkaFault | None  # of acknowledgements in one partition


class Found(NamedTuple):
    """What a partition has for a fetch, from an offset on."""

    place: Place
    live: Live
    offset: int
    read: Read


async def share_fetch(call: Call, request: FetchRequest) -> FetchResponse:
    """Records that nobody else of the group has at the same time. KafkaFault."""
    shares = call.broker.part(Shares)
    key = _checked(request)
    is_renewal = call.api_version >= RENEW_SINCE and request.IsRenewAck
    if is_renewal:
        _check_renewal(request)
    batches = _batches(request.Topics)
    session = await _session(call, shares, request, key, has_batches=bool(batches))
    epoch = request.ShareSessionEpoch
    outcomes = await _acknowledge(call, shares, key, batches, is_renewal=is_renewal)
    rows: dict[Place, Row] = {}
    if epoch != FINAL_EPOCH and not is_renewal:
        await _gather(call, shares, session, request, rows)
    for place, outcome in outcomes.items():
        row = rows.setdefault(place, _row(place))
        if outcome is not None:
            row.AcknowledgeErrorCode, row.AcknowledgeErrorMessage = outcome.code, outcome.message or None
    if epoch == FIRST_EPOCH:
        for place in session.places:
            rows.setdefault(place, _row(place))
    if epoch == FINAL_EPOCH:
        await shares.close_session(session)
    topics: dict[bytes, FetchResponse.ShareFetchableTopicResponse] = {}
    for (topic_id, _), row in rows.items():
        topic = topics.setdefault(
            topic_id, FetchResponse.ShareFetchableTopicResponse(TopicId=topic_id, Partitions=[])
        )
        topic.Partitions.append(row)
    return FetchResponse(
        AcquisitionLockTimeoutMs=shares.limits(key.group).lock_ms, Responses=list(topics.values())
    )


def _checked(request: FetchRequest | AcknowledgeRequest) -> SessionKey:
    if request.GroupId is None:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "Invalid group id in the request.")
    member = request.MemberId
    if not member or len(member) > MEMBER_ID_CHARACTERS_MAX:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "Invalid member id in the request.")
    return SessionKey(request.GroupId, member)


def _check_renewal(request: FetchRequest) -> None:
    """A request that renews locks fetches nothing."""
    wrong = [
        f"{name} must be set to 0, "
        for name, value in (
            ("maxBytes", request.MaxBytes),
            ("minBytes", request.MinBytes),
            ("maxRecords", request.MaxRecords),
            ("maxWaitMs", request.MaxWaitMs),
        )
        if value
    ]
    if wrong:
        raise KafkaFault(ErrorCode.INVALID_REQUEST, "".join(wrong) + "if isRenewAck is true.")


async def _session(
    call: Call, shares: Shares, request: FetchRequest, key: SessionKey, *, has_batches: bool
) -> Session:
    """The session of a fetch, with the partitions that it has from now on."""
    epoch = request.ShareSessionEpoch
    if epoch == FIRST_EPOCH:
        if has_batches:
            raise KafkaFault(ErrorCode.INVALID_REQUEST, "A first fetch has nothing to acknowledge.")
        try:
            session = await shares.open_session(key, call.peer)
        except KafkaFault:
            await _wait(call, {}, max(request.MaxWaitMs, 0))  # or its client would ask at once again
            raise
    else:
        session = shares.sessions.find(key, epoch)
    if epoch != FINAL_EPOCH:
        forgotten = [
            (topic.TopicId, index) for topic in request.ForgottenTopicsData for index in topic.Partitions
        ]
        session.change(_places(request.Topics), forgotten)
    return session


def _places(topics: Iterable[Any]) -> Iterator[Place]:
    for topic in topics:
        for partition in topic.Partitions:
            yield topic.TopicId, partition.PartitionIndex


# -- acknowledgements


def _batches(topics: Iterable[Any]) -> dict[Place, Sequence[Any]]:
    """The acknowledgements of a request, by partition."""
    return {
        (topic.TopicId, partition.PartitionIndex): partition.AcknowledgementBatches
        for topic in topics
        for partition in topic.Partitions
        if partition.AcknowledgementBatches
    }


async def _acknowledge(
    call: Call,
    shares: Shares,
    key: SessionKey,
    batches: Mapping[Place, Sequence[Any]],
    *,
    is_renewal: bool,
) -> dict[Place, Outcome]:
    """Take in acknowledgements, each partition's by itself."""
    outcomes: dict[Place, Outcome] = {}
    turn = Turn(call.broker.clock)
    for place, said in batches.items():
        if turn.is_over():
            await turn.end()
        try:
            _check_batches(said, may_renew=call.api_version >= RENEW_SINCE, is_renewal=is_renewal)
            _check_place(call, place)
            live = shares.peek(ShareKey(key.group, *place))
            if live is None:
                raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
            await live.acknowledge(
                key.member,
                [Acknowledgement(each.FirstOffset, each.LastOffset, each.AcknowledgeTypes) for each in said],
            )
            outcomes[place] = None
        except KafkaFault as fault:
            outcomes[place] = fault
    return outcomes


def _check_batches(batches: Sequence[Any], *, may_renew: bool, is_renewal: bool) -> None:
    """Raise INVALID_REQUEST for what contradicts itself."""
    most = Acknowledge.RENEW if may_renew else Acknowledge.REJECT
    before = -1
    for batch in batches:
        first, last, types = batch.FirstOffset, batch.LastOffset, batch.AcknowledgeTypes
        if (
            first > last
            or first < before
            or not types
            or (len(types) > 1 and len(types) != last - first + 1)
            or not all(0 <= kind <= most for kind in types)
            or (Acknowledge.RENEW in types and not is_renewal)
        ):
            raise KafkaFault(ErrorCode.INVALID_REQUEST)
        before = last


def _check_place(call: Call, place: Place) -> None:
    """Raise what is wrong with a partition: it is not known, or not the client's to read."""
    image = call.broker.topics.by_id.get(place[0])
    if image is None:
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_ID)
    if not may_read(call, image.name):
        raise KafkaFault(ErrorCode.TOPIC_AUTHORIZATION_FAILED)
    if not 0 <= place[1] < len(image.states):
        raise KafkaFault(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)


# -- fetching


async def _gather(
    call: Call, shares: Shares, session: Session, request: FetchRequest, rows: dict[Place, Row]
) -> None:
    """Look, and wait, until the fetch is to be answered; the rows are added."""
    clock = call.broker.clock
    if request.MaxRecords <= 0 or request.MaxBytes <= 0:
        return
    deadline_ms = clock.monotonic_ms() + request.MaxWaitMs
    isolation = shares.isolation(session.key.group)
    bytes_max = min(request.MaxBytes, call.broker.configs.number("fetch.max.bytes"))
    bytes_min = min(request.MinBytes, bytes_max)
    places = session.rotated(request.ShareSessionEpoch)
    turn = Turn(clock)
    while shares.sessions.peek(session.key) is session:
        lives, is_all = await _lives(call, shares, session, places, rows, turn)
        try:
            if call.peer.is_gone or shares.sessions.peek(session.key) is not session:
                return  # nobody is to have anything any more
            found = _look(lives, bytes_max, request.MaxRecords, isolation, rows)
            left_ms = deadline_ms - clock.monotonic_ms()
            size = size_of([each.read for each in found])
            is_over = left_ms <= 0 or bool(rows)
            if is_over or (found and size >= bytes_min):
                _acquire(found, session, request, rows)
                if rows or is_over:
                    return
                if any(each.live.next_offset() != each.offset for each in found):
                    continue  # all of that was of aborted transactions: look behind it
        finally:
            for live in lives.values():
                live.pass_on()
        if is_all:
            await _wait(call, lives, left_ms)


async def _lives(
    call: Call,
    shares: Shares,
    session: Session,
    places: Sequence[Place],
    rows: dict[Place, Row],
    turn: Turn,
) -> tuple[dict[Place, Live], bool]:
    """The share-partitions that may be read, and whether these are all; the errors of others are added to
    the rows. Behind one that nobody has read before, and that has records, there is no looking further: Kafka
    answers as soon as the first is there, and there are clients that count on its records coming alone."""
    lives: dict[Place, Live] = {}
    for place in places:
        if turn.is_over():
            await turn.end()
        try:
            _check_place(call, place)
            key = ShareKey(session.key.group, *place)
            is_new = shares.peek(key) is None
            live = await shares.live(key)
        except KafkaFault as fault:
            rows[place] = _row(place)
            rows[place].ErrorCode, rows[place].ErrorMessage = fault.code, fault.message or None
            continue
        except StoreError:
            rows[place] = _row(place)
            rows[place].ErrorCode = ErrorCode.KAFKA_STORAGE_ERROR
            continue
        shares.use(session, place, live)
        lives[place] = live
        if is_new and live.has_more():
            return lives, len(lives) + len(rows) == len(places)
    return lives, True


def _look(
    lives: Mapping[Place, Live],
    bytes_max: int,
    records_max: int,
    isolation: Isolation,
    rows: dict[Place, Row],
) -> list[Found]:
    """What is there to be acquired."""
    found: list[Found] = []
    size = count = 0
    share = max(bytes_max // len(lives), PARTITION_BYTES_LEAST) if lives else 0
    for place, live in lives.items():
        if size >= bytes_max or count >= records_max:
            break  # the others come first another time
        offset = live.next_offset()
        if offset is None:
            continue
        try:
            one = read(
                live.partition,
                offset,
                bytes_max=min(share, bytes_max - size),
                records_max=records_max,
                isolation=isolation,
                is_first=not size,
            )
        except KafkaFault as fault:
            if fault.code != ErrorCode.OFFSET_OUT_OF_RANGE:  # it is cut off: there will be records again
                rows[place] = _row(place)
                rows[place].ErrorCode = fault.code
            continue
        if one is not None:
            found.append(Found(place, live, offset, one))
            size += len(one.records)
            count += one.batches[-1].stop - offset
    return found


def _acquire(found: Sequence[Found], session: Session, request: FetchRequest, rows: dict[Place, Row]) -> None:
    """Give the member what was found, no more than it asks for."""
    left = request.MaxRecords
    for place, live, _, one in found:
        if left <= 0:
            return
        is_exact = request.ShareAcquireMode == RECORD_LIMIT
        wish = Wish(session.key.member, left, request.BatchSize, is_exact)
        acquired = live.acquire(wish, one.spans, one.aborted)
        if not acquired:
            continue
        row = rows.setdefault(place, _row(place))
        row.Records = cut(one, acquired[0].first, acquired[-1].last)
        row.AcquiredRecords = [_acquired_row(each) for each in acquired]
        left -= sum(each.last - each.first + 1 for each in acquired)


def _acquired_row(acquired: Acquired) -> FetchResponse.AcquiredRecords:
    first, last, delivered = acquired
    return FetchResponse.AcquiredRecords(FirstOffset=first, LastOffset=last, DeliveryCount=delivered)


async def _wait(call: Call, lives: Mapping[Place, Live], left_ms: float) -> None:
    """Until there may be more, or the time is over, or the client is gone."""
    loop = asyncio.get_running_loop()
    changed: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not changed.done():
            changed.set_result(None)

    timer = loop.call_later(left_ms / 1000, wake)
    cancels = [call.peer.on_gone(wake), *(live.on_change(wake) for live in lives.values())]
    try:
        await changed
    finally:
        timer.cancel()
        for cancel in cancels:
            cancel()


def _row(place: Place) -> Row:
    return Row(PartitionIndex=place[1], Records=b"", AcquiredRecords=[])


# -- acknowledging alone


async def share_acknowledge(call: Call, request: AcknowledgeRequest) -> AcknowledgeResponse:
    """Take in what a member says of its records, without another fetch. KafkaFault."""
    shares = call.broker.part(Shares)
    key = _checked(request)
    if request.ShareSessionEpoch == FIRST_EPOCH:
        raise KafkaFault(ErrorCode.INVALID_SHARE_SESSION_EPOCH)
    session = shares.sessions.find(key, request.ShareSessionEpoch)
    is_renewal = call.api_version >= RENEW_SINCE and request.IsRenewAck
    outcomes = await _acknowledge(call, shares, key, _batches(request.Topics), is_renewal=is_renewal)
    for place in _places(request.Topics):
        outcomes.setdefault(place, None)
    if request.ShareSessionEpoch == FINAL_EPOCH:
        await shares.close_session(session)
    topics: dict[bytes, AcknowledgeResponse.ShareAcknowledgeTopicResponse] = {}
    for (topic_id, index), outcome in outcomes.items():
        topic = topics.setdefault(
            topic_id, AcknowledgeResponse.ShareAcknowledgeTopicResponse(TopicId=topic_id, Partitions=[])
        )
        row = AcknowledgeResponse.PartitionData(PartitionIndex=index)
        if outcome is not None:
            row.ErrorCode, row.ErrorMessage = outcome.code, outcome.message or None
        topic.Partitions.append(row)
    response = AcknowledgeResponse(Responses=list(topics.values()))
    if call.api_version >= RENEW_SINCE:
        response.AcquisitionLockTimeoutMs = shares.limits(key.group).lock_ms
    return response


HANDLERS: Mapping[int, Handler] = {78: share_fetch, 79: share_acknowledge}
