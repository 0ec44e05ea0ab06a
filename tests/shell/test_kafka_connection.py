"""Frames of a connection under any cut of the stream, with requests that wait and clients that do not read.

The transport is a model: it offers bytes as long as it is not paused, into whatever room there is.
"""

import asyncio
import socket

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.aws.drive import begin
from cloudlet.kafka.answer import Answer
from cloudlet.kafka.configs import Configs
from cloudlet.kafka.connection_quotas import ConnectionQuotas
from cloudlet.kafka.listeners import Door
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.fault import ProtocolError
from cloudlet.shell.kafka_connection import BUFFER_BYTES_MIN, BUFFER_GROWTH, Connection, Shared

FRAME_BYTES = 1 << 20


def shared_of(answer, frame_bytes=FRAME_BYTES):
    entrance = ConnectionQuotas(Configs({}), lambda host: None)
    return Shared(answer, entrance, SystemClock(), frame_bytes)


class Transport(asyncio.Transport):
    """What a connection does to its transport."""

    def __init__(self):
        super().__init__()
        self.written = []
        self.is_paused = False
        self.is_closed = False
        self.socket = socket.socket()

    def get_extra_info(self, name, default=None):
        return {"socket": self.socket, "peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name)

    def set_write_buffer_limits(self, high=None, low=None):
        pass

    def write(self, data):
        self.written.append(bytes(data))

    def writelines(self, parts):
        self.written.append(b"".join(parts))

    def pause_reading(self):
        assert not self.is_paused
        self.is_paused = True

    def resume_reading(self):
        assert self.is_paused
        self.is_paused = False

    def is_closing(self):
        return self.is_closed

    def close(self):
        self.is_closed = True

    abort = close


class Script:
    """Answers a frame with itself; some wait until they are released."""

    def __init__(self, waits):
        self.waits = waits
        self.seen = []
        self.waiting = []

    def answer(self, frame, peer):
        number = len(self.seen)
        self.seen.append(bytes(frame))
        if frame[:4] == b"\xff\xff\xff\xff":
            raise ProtocolError("broken")
        if self.waits[number % len(self.waits)]:
            return begin(self._later(frame))
        return Answer([bytes(frame)])

    async def _later(self, frame):
        before = bytes(frame)
        future = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        await future
        assert bytes(frame) == before, "the frame was written over while its request was at work"
        return Answer([before[:8], before[8:]])


async def feed(connection, transport, script, stream, cuts):
    """Offer the stream in pieces, releasing what waits whenever nothing else can go on."""
    position, turn = 0, 0
    while position < len(stream) or script.waiting:
        if transport.is_paused or position == len(stream):
            for _ in range(3):
                await asyncio.sleep(0)
            if script.waiting:
                script.waiting.pop(0).set_result(None)
                for _ in range(4):
                    await asyncio.sleep(0)
            continue
        room = connection.get_buffer(-1)
        assert len(room) > 0, "asked to read into no room"
        size = min(len(room), cuts[turn % len(cuts)], len(stream) - position)
        turn += 1
        room[:size] = stream[position : position + size]
        position += size
        connection.buffer_updated(size)
    for _ in range(4):
        await asyncio.sleep(0)


def framed(body):
    return len(body).to_bytes(4, "big") + body


SIZES = st.one_of(
    st.integers(8, 200),
    st.integers(BUFFER_BYTES_MIN - 30, BUFFER_BYTES_MIN + 30),
    st.integers(8, 100_000),
)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(SIZES, min_size=1, max_size=30),
    cuts=st.lists(st.integers(1, 70_000), min_size=1, max_size=8),
    waits=st.lists(st.booleans(), min_size=1, max_size=5),
)
def test_every_frame_is_answered_once_and_in_order_under_any_cut(sizes, cuts, waits):
    frames = [bytes([number % 200]) * size for number, size in enumerate(sizes)]

    async def run():
        script = Script(waits)
        shared = shared_of(script.answer)
        connection, transport = Connection(shared, Door("PLAINTEXT", "PLAINTEXT")), Transport()
        connection.connection_made(transport)
        await feed(connection, transport, script, b"".join(map(framed, frames)), cuts)
        transport.socket.close()
        assert script.seen == frames
        assert transport.written == frames
        assert not shared.tasks

    asyncio.run(run())


def test_nothing_is_begun_while_the_client_does_not_read():
    async def run():
        script = Script([False])
        shared = shared_of(script.answer)
        connection, transport = Connection(shared, Door("PLAINTEXT", "PLAINTEXT")), Transport()
        connection.connection_made(transport)
        connection.pause_writing()
        stream = framed(b"a" * 100) * 300  # more than the buffer holds
        position = 0
        while not transport.is_paused:
            room = connection.get_buffer(-1)
            room[: len(stream) - position] = stream[position : position + len(room)]
            size = min(len(room), len(stream) - position)
            position += size
            connection.buffer_updated(size)
        assert not script.seen
        connection.resume_writing()
        await feed(connection, transport, script, stream[position:], [1000])
        transport.socket.close()
        assert len(script.seen) == 300

    asyncio.run(run())


def test_a_broken_request_ends_the_connection_after_what_came_before():
    async def run():
        script = Script([False])
        shared = shared_of(script.answer)
        connection, transport = Connection(shared, Door("PLAINTEXT", "PLAINTEXT")), Transport()
        connection.connection_made(transport)
        stream = framed(b"a" * 10) + framed(b"\xff" * 10) + framed(b"b" * 10)
        room = connection.get_buffer(-1)
        room[: len(stream)] = stream
        connection.buffer_updated(len(stream))
        transport.socket.close()
        assert transport.is_closed
        assert transport.written == [b"a" * 10]
        assert len(script.seen) == 2

    asyncio.run(run())


def test_what_a_client_says_of_a_frames_length_takes_no_memory_before_its_bytes_come():
    async def run():
        script = Script([False])
        shared = shared_of(script.answer, 100 << 20)
        connection, transport = Connection(shared, Door("PLAINTEXT", "PLAINTEXT")), Transport()
        connection.connection_made(transport)
        stream = framed(bytes(50 << 20))
        position = 0
        while position < len(stream):
            room = connection.get_buffer(-1)
            assert len(room) <= max(BUFFER_BYTES_MIN, BUFFER_GROWTH * position)
            size = min(len(room), len(stream) - position)
            room[:size] = stream[position : position + size]
            position += size
            connection.buffer_updated(size)
        transport.socket.close()
        assert [len(frame) for frame in script.seen] == [50 << 20]

    asyncio.run(run())
