"""Share sessions."""

import pytest

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.share.sessions import EPOCH_MAX, FINAL_EPOCH, PLACES_MAX, SessionKey, Sessions
from cloudlet.wire.kafka.error_codes import ErrorCode

KEY = SessionKey("g", "m")
A, B, C = ((bytes(16), index) for index in range(3))


def refusal(call, *arguments):
    with pytest.raises(KafkaFault) as caught:
        call(*arguments)
    return caught.value.code


def test_each_request_brings_the_next_epoch():
    sessions = Sessions()
    assert refusal(sessions.find, KEY, 1) is ErrorCode.SHARE_SESSION_NOT_FOUND
    session = sessions.make(KEY, 10)
    for epoch in (1, 2):
        assert sessions.find(KEY, epoch) is session
    assert refusal(sessions.find, KEY, 2) is ErrorCode.INVALID_SHARE_SESSION_EPOCH
    assert sessions.find(KEY, FINAL_EPOCH) is session
    assert session.epoch == 3
    session.epoch = EPOCH_MAX
    sessions.find(KEY, EPOCH_MAX)
    assert session.epoch == 1


def test_there_are_no_more_than_allowed():
    sessions = Sessions()
    first = sessions.make(KEY, 1)
    other = SessionKey("g", "other")
    assert refusal(sessions.make, other, 1) is ErrorCode.SHARE_SESSION_LIMIT_REACHED
    assert sessions.drop(first)
    assert not sessions.drop(first)
    assert sessions.make(other, 1).key == other
    assert len(sessions) == 1


def test_who_is_gone_does_not_ask_any_more():
    sessions = Sessions()
    session = sessions.make(KEY, 1)
    taken_back = []
    session.cancel = lambda: taken_back.append(1)
    sessions.drop(session)
    assert taken_back == [1]


def test_a_session_has_no_more_partitions_than_allowed():
    session = Sessions().make(KEY, 1)
    session.change([(bytes(16), index) for index in range(PLACES_MAX)], [])
    assert refusal(session.change, [(b"x" * 16, 0)], []) is ErrorCode.INVALID_REQUEST
    assert session.places == {}


def test_another_partition_is_first_each_time():
    session = Sessions().make(KEY, 1)
    assert session.rotated(5) == []
    session.change([A, B, C, A], [])
    assert [session.rotated(epoch)[0] for epoch in range(4)] == [A, B, C, A]
    session.change([], [B])
    assert session.rotated(1) == [C, A]
