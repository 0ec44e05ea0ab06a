"""Frames: cut anywhere, many at once, broken, too large; and what the connection does about them."""

import contextlib
import socket
import threading
import time

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker

from cloudlet.kafka import fetch
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.frames import request_frame
from cloudlet.wire.kafka.records import Record, encode


def frame_of(request, version, correlation_id=1):
    return request_frame(apis()[type(request).SCHEMA.key], version, correlation_id, "c", request)


def test_a_frame_may_come_byte_by_byte(kafka):
    with RawClient(kafka.address) as client:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in frame_of(messages.MetadataRequest(Topics=[]), 9):
            client.socket.sendall(bytes([byte]))
        correlation_id, response = client.receive(apis()[3], 9)
    assert correlation_id == 1
    assert response.ControllerId == 1


def test_requests_that_come_together_are_answered_in_order(kafka):
    with RawClient(kafka.address) as client:
        frames = [frame_of(messages.MetadataRequest(Topics=[]), 9, number) for number in range(500)]
        client.socket.sendall(b"".join(frames))
        answered = [client.receive(apis()[3], 9)[0] for _ in range(500)]
    assert answered == list(range(500))


def test_what_comes_behind_a_waiting_fetch_waits_for_it(kafka, name):
    with RawClient(kafka.address) as admin:
        admin.ask(creation(name), 7)
    fetch = messages.FetchRequest(
        MaxWaitMs=200, MinBytes=1, MaxBytes=1000, SessionEpoch=-1, Topics=[fetch_topic(name)]
    )
    with RawClient(kafka.address) as client:
        client.socket.sendall(frame_of(fetch, 11, 1) + frame_of(messages.MetadataRequest(Topics=[]), 9, 2))
        assert client.receive(apis()[1], 11)[0] == 1
        assert client.receive(apis()[3], 9)[0] == 2


def creation(name, partitions=1):
    topic = messages.CreateTopicsRequest.CreatableTopic(
        Name=name, NumPartitions=partitions, ReplicationFactor=1
    )
    return messages.CreateTopicsRequest(Topics=[topic])


def fetch_topic(name, partitions=1, offset=0):
    cls = messages.FetchRequest
    return cls.FetchTopic(
        Topic=name,
        Partitions=[
            cls.FetchPartition(Partition=index, FetchOffset=offset, PartitionMaxBytes=1 << 20)
            for index in range(partitions)
        ],
    )


def test_a_frame_that_is_too_large_closes_the_connection(kafka):
    for size in (-1, 0, 7, (100 << 20) + 1, (1 << 31) - 1):
        with RawClient(kafka.address) as client:
            client.socket.sendall((size & 0xFFFFFFFF).to_bytes(4, "big"))
            assert client.is_closed(), size


def test_a_body_that_is_not_whole_closes_the_connection_and_harms_nobody(kafka):
    whole = frame_of(messages.MetadataRequest(Topics=[]), 9)
    with RawClient(kafka.address) as other:
        for stop in range(12, len(whole)):
            with RawClient(kafka.address) as client:
                cut = whole[4:stop]
                client.socket.sendall(len(cut).to_bytes(4, "big") + cut)
                assert client.is_closed()
        assert other.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1


def test_large_requests_come_through_in_any_pieces(kafka, name):
    """Three produce requests of some megabytes, written in odd pieces, and small ones between them."""
    with RawClient(kafka.address) as client:
        client.ask(creation(name), 7)
        cls = messages.ProduceRequest
        frames = b""
        for number in range(3):
            records = [Record(bytes([number]) * 700, timestamp_ms=1_700_000_000_000) for _ in range(1400)]
            data = cls.PartitionProduceData(Index=0, Records=encode(records))
            topic = cls.TopicProduceData(Name=name, PartitionData=[data])
            frames += frame_of(cls(Acks=1, TimeoutMs=1000, TopicData=[topic]), 9, 2 * number)
            frames += frame_of(messages.MetadataRequest(Topics=[]), 9, 2 * number + 1)

        def write():
            for start in range(0, len(frames), 77_777):
                client.socket.sendall(frames[start : start + 77_777])

        writer = threading.Thread(target=write)
        writer.start()
        bases = []
        for number in range(6):
            correlation_id, response = client.receive(apis()[3 if number % 2 else 0], 9)
            assert correlation_id == number
            if number % 2 == 0:
                row = response.Responses[0].PartitionResponses[0]
                assert row.ErrorCode == 0, row
                bases.append(row.BaseOffset)
        writer.join()
    assert bases == [0, 1400, 2800]


def test_an_idle_connection_is_closed_and_a_busy_one_is_not(tmp_path):
    with running_broker(tmp_path) as broker, RawClient(broker.address) as client:
        client.ask(messages.MetadataRequest(Topics=[]), 9)
        now_ms = broker.clock.monotonic_ms()
        (connection,) = broker.call(lambda: list(broker.face._shared.connections))
        broker.call(lambda: connection.look(now_ms, 50))
        client.ask(messages.MetadataRequest(Topics=[]), 9)
        broker.call(lambda: connection.look(now_ms + 100, 50))
        client.ask(messages.MetadataRequest(Topics=[]), 9)
        broker.call(lambda: connection.look(now_ms + 200, 50))
        broker.call(lambda: connection.look(now_ms + 300, 50))
        assert client.is_closed()


def test_a_connection_that_has_only_begun_is_not_idle(kafka):
    with RawClient(kafka.address) as client:
        deadline = time.monotonic() + 20
        while not (fresh := [one for one in kafka.call(connections(kafka)) if not one.requests]):
            assert time.monotonic() < deadline
        for connection in fresh:
            kafka.call(lambda: connection.look(kafka.clock.monotonic_ms(), 1000))  # noqa: B023 (called at once)
        assert client.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1


def connections(kafka):
    return lambda: list(kafka.face._shared.connections)


def test_a_large_buffer_is_given_back(kafka, name):
    with RawClient(kafka.address) as client:
        client.ask(
            messages.MetadataRequest(
                Topics=[messages.MetadataRequest.MetadataRequestTopic(Name="x" * 30_000)]
            ),
            9,
        )
        (connection,) = [
            one for one in kafka.call(lambda: list(kafka.face._shared.connections)) if one.requests == 1
        ]
        assert len(connection._buffer) > 16 << 10
        for _ in range(2):
            kafka.call(lambda: connection.look(0.0, 1e9))
        assert len(connection._buffer) == 8 << 10
        assert client.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1


LIMITS = {
    "per address": {"max_connections_per_ip": 2},
    "of an address of its own": {
        "max_connections_per_ip": 0,
        "max_connections_per_ip_overrides": "10.0.0.1:7,127.0.0.1:2",
    },
}


@pytest.mark.parametrize("limit", LIMITS)
def test_more_connections_of_an_address_than_allowed_are_closed(tmp_path, limit):
    with running_broker(tmp_path, **LIMITS[limit]) as broker:
        clients = [RawClient(broker.address) for _ in range(2)]
        for client in clients:
            client.ask(messages.MetadataRequest(Topics=[]), 9)
        with RawClient(broker.address) as third:
            assert third.is_closed()
        for client in clients:
            assert client.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1
            client.socket.close()
        wait_for(broker, 0)
        with RawClient(broker.address) as again:
            assert again.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1


def wait_for(broker, connections):
    deadline = time.monotonic() + 20
    while broker.call(lambda: len(broker.face._shared.connections)) != connections:
        assert time.monotonic() < deadline


def test_more_connections_than_allowed_wait_until_one_goes(tmp_path):
    with running_broker(tmp_path, max_connections=2) as broker:
        first, second, third, fourth = (RawClient(broker.address) for _ in range(4))
        with first, second, third, fourth:
            for client in (first, second):
                client.ask(messages.MetadataRequest(Topics=[]), 9)
            sent = third.send(messages.MetadataRequest(Topics=[]), 9)
            fourth.send(messages.MetadataRequest(Topics=[]), 9)
            assert first.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1
            assert is_silent(third)
            first.socket.close()
            assert third.receive(apis()[3], 9)[0] == sent
            assert is_silent(fourth)
            second.socket.close()
            assert fourth.receive(apis()[3], 9)[1].ControllerId == 1


def is_silent(client):
    client.socket.setblocking(False)
    try:
        client.socket.recv(1)
    except BlockingIOError:
        return True
    finally:
        client.socket.settimeout(20)
    return False


def test_the_idlest_go_when_the_limit_is_lowered(tmp_path):
    with (
        running_broker(tmp_path) as broker,
        RawClient(broker.address) as old,
        RawClient(broker.address) as new,
    ):
        old.ask(messages.MetadataRequest(Topics=[]), 9)
        new.ask(messages.MetadataRequest(Topics=[]), 9)
        by_port = {one.peer: one for one in broker.call(connections(broker))}
        assert len(by_port) == 2
        mine = {old.socket.getsockname()[1]: 1.0, new.socket.getsockname()[1]: 2.0}
        for one in by_port.values():
            one.idle_since_ms = mine[one._transport.get_extra_info("peername")[1]]
        broker.call(lambda: broker.face._shared.shed(1))
        assert old.is_closed()
        assert new.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1


def test_silence_closes_connections_and_new_ones_wait(kafka):
    with RawClient(kafka.address) as client:
        client.ask(messages.MetadataRequest(Topics=[]), 9)
        kafka.call(kafka.face.silence)
        assert client.is_closed()
    with RawClient(kafka.address) as client:
        client.send(messages.MetadataRequest(Topics=[]), 9)
        time.sleep(0.05)  # it would have been answered by now
        client.socket.setblocking(False)
        try:
            client.socket.recv(1)
            raise AssertionError("answered while silent")
        except BlockingIOError:
            pass
        client.socket.settimeout(20)
        kafka.call(kafka.face.go_on)
        assert client.receive(apis()[3], 9)[1].ControllerId == 1


def test_fetches_get_little_while_much_waits_for_clients_that_do_not_read(kafka, name, monkeypatch):
    monkeypatch.setattr(fetch, "UNREAD_BYTES_MAX", 20 << 20)
    records = encode([Record(bytes(700_000), timestamp_ms=1_700_000_000_000)])
    wanted = fetch_topic(name)
    wanted.Partitions[0].PartitionMaxBytes = 50 << 20
    request = messages.FetchRequest(MaxBytes=50 << 20, MinBytes=1, MaxWaitMs=0, Topics=[wanted])

    def fetched(client):
        (row,) = client.ask(request, 12).Responses[0].Partitions
        return len(row.Records)

    with RawClient(kafka.address) as reader, contextlib.ExitStack() as sleepers:
        reader.ask(creation(name), 7)
        cls = messages.ProduceRequest
        data = cls.PartitionProduceData(Index=0, Records=records)
        topic = cls.TopicProduceData(Name=name, PartitionData=[data])
        for _ in range(20):
            reader.ask(cls(Acks=1, TimeoutMs=1000, TopicData=[topic]), 9)
        assert fetched(reader) > 13 << 20
        for _ in range(4):
            sleepers.enter_context(RawClient(kafka.address)).send(request, 12)
        deadline = time.monotonic() + 10
        while fetched(reader) > 1 << 20:
            assert time.monotonic() < deadline
        assert kafka.call(kafka.face._shared.unread_bytes) < 40 << 20
    while kafka.call(kafka.face._shared.unread_bytes):
        assert time.monotonic() < deadline
