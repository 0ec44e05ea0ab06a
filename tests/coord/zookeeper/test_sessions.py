"""Sessions: the handshake, coming back, and the end."""

import contextlib
import ssl

import pytest
from tests.coord.zookeeper.keepers import Told, opened
from tests.coord.zookeeper.raw import RawClient
from tests.coord.zookeeper.running import running

from cloudlet.kernel.clock import ManualClock
from cloudlet.wire.zookeeper import Code, OpCode, PathWatchRequest


@pytest.fixture(scope="module")
def face():
    with running() as face:
        yield face


@pytest.fixture
def raw(face):
    made = []

    def connect():
        client = RawClient(face.port)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


@pytest.mark.parametrize(("asked", "agreed"), [(0, 4_000), (10_000, 10_000), (100_000, 40_000), (-5, 4_000)])
def test_the_timeout_is_clamped_to_between_2_and_20_ticks(raw, asked, agreed):
    answer, tail = raw().connect(asked)
    assert answer.timeOut == agreed
    assert answer.sessionId != 0
    assert len(answer.passwd) == 16
    assert tail == b"\0"


def test_an_old_client_gets_no_read_only_flag(raw):
    assert raw().connect(tail=b"")[1] == b""


def test_a_session_is_renewed_with_its_password(raw):
    first, second = raw(), raw()
    opened, _ = first.connect()
    renewed, _ = second.connect(session=opened.sessionId, password=opened.passwd, timeout_ms=20_000)
    assert (renewed.sessionId, renewed.passwd, renewed.timeOut) == (opened.sessionId, opened.passwd, 20_000)
    with pytest.raises(EOFError):  # the connection before is closed
        first.take_frame()
    assert second.create("/renewed", flags=1) == 0


@pytest.mark.parametrize("password", [b"x" * 16, b"", bytes(16)])
def test_a_wrong_password_is_an_expired_session(raw, password):
    opened, _ = raw().connect()
    client = raw()
    refused, _ = client.connect(session=opened.sessionId, password=password)
    assert (refused.sessionId, refused.timeOut, refused.passwd) == (0, 0, bytes(16))
    with pytest.raises(EOFError):
        client.take_frame()


def test_an_unknown_session_is_expired(raw):
    client = raw()
    assert client.connect(session=0x1234, password=b"y" * 16)[0].sessionId == 0
    with pytest.raises(EOFError):
        client.take_frame()


def test_a_client_that_has_seen_more_is_turned_away(raw):
    with pytest.raises(EOFError):
        raw().connect(zxid=1 << 40)


def test_a_frame_over_the_limit_closes_the_connection(raw):
    client = raw()
    client.connect()
    client.socket.sendall((0x100000).to_bytes(4, "big"))
    with pytest.raises(EOFError):
        client.take_frame()


def test_a_disconnected_session_ends_when_the_clock_is_advanced(face, raw):
    client, watching = raw(), raw()
    client.connect(30_000)
    watching.connect(30_000)
    assert client.create("/away", flags=1) == 0
    face.move_clock(60_000)
    assert watching.call(OpCode.exists, PathWatchRequest("/away", True))[0].err == 0
    client.close()
    sessions = face.face.keeper.sessions.by_id
    session = client.session.sessionId
    while face.call(lambda: sessions[session].client is not None):
        pass
    face.move_clock(29_000)
    assert watching.call(OpCode.exists, PathWatchRequest("/away", False))[0].err == 0
    face.move_clock(1_000)
    header, _ = watching.call(OpCode.exists, PathWatchRequest("/away", False))
    assert header.err == Code.NONODE
    assert len(watching.events) == 1
    assert session not in sessions


def test_a_connection_without_a_session_is_closed_after_a_while():
    clock = ManualClock()
    keeper = opened(clock=clock)
    client = Told(keeper)
    silent = keeper.join("127.0.0.1")
    clock.pass_ms(9_000)
    late = keeper.join("127.0.0.1")
    client.call(OpCode.ping)
    keeper.cut_strangers()
    assert (silent.is_closing, late.is_closing) == (False, False)
    clock.pass_ms(1_000)
    keeper.cut_strangers()
    assert (silent.is_closing, late.is_closing, client.client.is_closing) == (True, False, False)
    assert silent not in keeper.clients
    keeper.leave(late)
    clock.pass_ms(60_000)
    keeper.cut_strangers()
    assert not late.is_closing


@pytest.mark.parametrize("has_tls", [False, True])
@pytest.mark.parametrize("said", [b"", b"\0"])
def test_the_face_closes_connections_without_a_session(has_tls, said):
    options = {"tls": lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)} if has_tls else {}
    with running(sessionless_ms_max=1, **options) as face:
        silent = RawClient(face.port)
        silent.socket.sendall(said)
        with contextlib.closing(silent), pytest.raises(EOFError):
            silent.take_frame()


def test_closing_answers_and_then_closes(raw):
    client = raw()
    client.connect()
    assert client.create("/closing", flags=1) == 0
    assert client.call(OpCode.closeSession)[0].err == 0
    with pytest.raises(EOFError):
        client.take_frame()
    other = raw()
    other.connect()
    assert other.call(OpCode.exists, PathWatchRequest("/closing", False))[0].err == Code.NONODE


def test_a_request_that_cannot_be_read_is_a_marshalling_error(raw):
    client = raw()
    client.connect()
    client.ask(OpCode.getData, b"\0\0\0\x05/a")
    assert client.reply()[0].err == Code.MARSHALLINGERROR
    assert client.call(OpCode.ping, xid=-2)[0].err == 0


def test_an_unknown_operation_is_unimplemented_and_ends_the_connection(raw):
    client = raw()
    client.connect()
    assert client.call(99)[0].err == Code.UNIMPLEMENTED
    with pytest.raises(EOFError):
        client.take_frame()


def test_sessions_and_ephemerals_survive_a_restart(tmp_path):
    with running(tmp_path) as face:
        client = RawClient(face.port)
        opened, _ = client.connect(20_000)
        assert client.create("/e", flags=1) == 0
        client.close()
    with running(tmp_path) as face:
        client = RawClient(face.port)
        renewed, _ = client.connect(session=opened.sessionId, password=opened.passwd)
        assert renewed.sessionId == opened.sessionId
        assert client.call(OpCode.exists, PathWatchRequest("/e", False))[0].err == 0
        client.close()
