"""The face on its port: words, the admin server, TLS, faults, and other faces beside it."""

import contextlib
import json
import re
import socket
import ssl
import struct
import urllib.error
import urllib.request

import pytest
from tests.coord.zookeeper.raw import RawClient
from tests.coord.zookeeper.running import running

from cloudlet.coord.zookeeper import children, reads
from cloudlet.coord.zookeeper.words import ANSWERS, ENVIRONMENT
from cloudlet.kernel.clock import SystemClock
from cloudlet.shell.local_ca import LocalAuthority
from cloudlet.shell.zookeeper_admin import COMMANDS, NAMES
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    Code,
    GetChildrenResponse,
    OpCode,
    PathWatchRequest,
    SetDataRequest,
    WhoAmIResponse,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    authority = LocalAuthority(tmp_path_factory.mktemp("tls"), SystemClock().wall_ms())
    authority.server_context(())  # makes the files that clients trust
    return authority


@pytest.fixture(scope="module")
def face(authority):
    with running(tls=lambda: authority.server_context(())) as face:
        yield face


@pytest.fixture
def alone():
    """A face of one's own, and its only client."""
    with running() as face, contextlib.closing(RawClient(face.port)) as client:
        client.connect(20_000)
        yield face, client


@pytest.fixture
def raw(face):
    made = []

    def connect():
        client = RawClient(face.port)
        client.connect(20_000)
        made.append(client)
        return client

    yield connect
    for client in made:
        client.close()


def word(face, text):
    with socket.create_connection(("127.0.0.1", face.port), timeout=10) as asked:
        asked.sendall(text)
        return asked.makefile("rb").read().decode()


# --- four-letter words


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_every_word_is_answered_and_the_connection_closed(face, raw, name):
    client = raw()
    client.call(OpCode.exists, PathWatchRequest("/word", True))
    client.create(f"/ephemeral-{name}", flags=1)
    said = word(face, name.encode())
    expected = {
        "ruok": "imok", "isro": "rw", "srvr": "Mode: standalone", "stat": "Clients:", "conf": "tickTime=2000",
        "cons": "sid=0x", "dump": f"/ephemeral-{name}", "envi": "zookeeper.version=3.9",
        "mntr": "zk_server_state\tstandalone", "wchs": "Total watches:", "wchc": "\t/word", "wchp": "/word\n",
        "dirs": "datadir_size: ", "crst": "reset", "srst": "reset",
    }  # fmt: skip
    assert expected.get(name, "") in said


def test_dumps_look_as_zookeepers(alone):
    face, client = alone
    client.call(OpCode.exists, PathWatchRequest("/word", True))
    client.call(OpCode.getChildren, PathWatchRequest("/", True))
    client.create("/held", flags=1)
    session = f"{client.session.sessionId:#x}"
    assert word(face, b"wchc") == f"{session}\n\t/word\n\n"
    assert word(face, b"wchp") == f"/word\n\t{session}\n\n"
    assert word(face, b"wchs") == "1 connections watching 1 paths\nTotal watches:1\n"
    date = r"\w{3} \w{3} \d\d \d\d:\d\d:\d\d UTC \d{4}"
    address = ":".join(map(str, client.socket.getsockname()[:2]))
    assert re.fullmatch(
        rf"SessionTracker dump:\nSession Sets \(1\)/\(1\):\n1 expire at {date}:\n\t{session}\n"
        rf"ephemeral nodes dump:\nSessions with Ephemerals \(1\):\n{session}:\n\t/held\n"
        rf"Connections dump:\nConnections Sets \(1\)/\(1\):\n1 expire at {date}:\n"
        rf"\tip: /{address} sessionId: {session}\n",
        word(face, b"dump"),
    )
    names = [line.partition("=")[0] for line in word(face, b"envi").splitlines()]
    assert names == ["Environment:", *ENVIRONMENT]


def test_words_can_be_left_out(tmp_path):
    with running(tmp_path, words=frozenset({"ruok", "srvr"})) as face:
        assert word(face, b"ruok") == "imok"
        assert word(face, b"stat") == "stat is not executed because it is not in the whitelist.\n"


def test_the_trace_mask_is_kept(face):
    assert word(face, b"gtmk") == "306"
    assert word(face, b"stmk" + (258).to_bytes(8)) == "258"
    word(face, b"srst")
    assert word(face, b"gtmk") == "258"


@pytest.mark.parametrize("limit", ["address_clients_max", "clients_max"])
def test_there_can_be_a_limit_of_connections(tmp_path, limit):
    with running(tmp_path, **{limit: 2}) as face:
        first, second = (RawClient(face.port) for _ in range(2))
        for client in (first, second):
            client.connect()
        third = socket.create_connection(("127.0.0.1", face.port), 30)
        with contextlib.closing(third), contextlib.suppress(ConnectionError):
            assert third.recv(1) == b""
        first.close()
        second.create("/a")
        with contextlib.closing(RawClient(face.port)) as again:
            again.connect()
        second.close()


def test_a_word_may_have_an_end_of_line(face):
    assert word(face, b"ruok\n") == "imok"


def test_counts_are_told(face, raw):
    word(face, b"srst")
    client = raw()
    for _ in range(5):
        client.call(OpCode.exists, PathWatchRequest("/", False))
    rows = dict(line.split("\t") for line in word(face, b"mntr").splitlines())
    assert int(rows["zk_packets_received"]) >= 5
    assert int(rows["zk_packets_sent"]) >= 5
    assert int(rows["zk_znode_count"]) >= 4
    assert float(rows["zk_max_latency"]) >= 0


# --- the admin server


def commanded(face, name, **headers):
    request = urllib.request.Request(f"http://{face.address}/commands/{name}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"null")


@pytest.mark.parametrize("name", sorted({*COMMANDS, *NAMES}))
def test_every_command_is_answered(face, raw, name):
    raw().call(OpCode.exists, PathWatchRequest("/watched", True))
    status, said = commanded(face, name)
    assert (status, said["command"]) == (200, NAMES.get(name, name))
    refusals = {
        "leader": "server is not initialized",
        "set_trace_mask": "setTraceMask requires long traceMask argument",
    }
    assert said["error"] == refusals.get(said["command"])


def test_commands_tell_what_is_so(alone):
    face, client = alone
    client.call(OpCode.exists, PathWatchRequest("/watched/one", True))
    client.create("/admin-e", flags=1)
    assert commanded(face, "monitor")[1]["num_alive_connections"] >= 1
    client.call(OpCode.getChildren, PathWatchRequest("/", True))  # of which ZooKeeper tells nothing
    session = client.session.sessionId
    assert commanded(face, "wchp")[1]["path_to_session_ids"] == {"/watched/one": [session]}
    assert commanded(face, "wchc")[1]["session_id_to_watched_paths"] == {str(session): ["/watched/one"]}
    summary = commanded(face, "wchs")[1]
    assert [summary[f"num_{name}"] for name in ("connections", "paths", "total_watches")] == [1, 1, 1]
    assert commanded(face, "set_trace_mask?traceMask=5")[1]["tracemask"] == 5
    assert commanded(face, "gtmk")[1]["tracemask"] == 5
    assert commanded(face, "conf")[1].keys() == {
        "client_port", "data_dir", "data_log_dir", "tick_time", "max_client_cnxns", "min_session_timeout",
        "max_session_timeout", "server_id", "client_port_listen_backlog", "command", "error",
    }  # fmt: skip
    paths = commanded(face, "dump")[1]["session_id_to_ephemeral_paths"]
    assert paths[str(client.session.sessionId)] == ["/admin-e"]


def test_an_unknown_command_is_said(face):
    assert commanded(face, "nonesuch")[0] == 404


def test_a_foreign_page_is_refused(face):
    request = urllib.request.Request(
        f"http://{face.address}/commands/stat_reset", headers={"Origin": "http://evil.example"}
    )
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=10)


def test_the_commands_are_listed(face):
    with urllib.request.urlopen(f"http://{face.address}/commands", timeout=10) as reply:
        assert b"/commands/monitor" in reply.read()


# --- TLS


def secured(face, authority, pair=None, folder=None):
    context = ssl.create_default_context(cafile=authority.ca_file)
    if pair is not None:
        certificate, key = folder / "client.pem", folder / "client.key"
        certificate.write_bytes(pair[0])
        key.write_bytes(pair[1])
        context.load_cert_chain(certificate, key)
    client = RawClient(face.port)
    client.socket = context.wrap_socket(client.socket, server_hostname="localhost")
    return client


def who(client):
    _, body = client.call(OpCode.whoAmI)
    found, _ = codec(WhoAmIResponse).decode(body, 0)
    return {(info.authScheme, info.user) for info in found.clientInfo}


def test_tls_on_the_same_port(face, authority):
    client = secured(face, authority)
    client.connect()
    assert client.create("/tls") == 0
    assert who(client) == {("ip", "127.0.0.1")}
    client.close()


def test_a_certificate_is_an_identity(face, authority, tmp_path):
    client = secured(face, authority, authority.client_pair("joe"), tmp_path)
    client.connect()
    assert ("x509", "CN=joe") in who(client)
    client.close()


# --- faults


@pytest.fixture
def faults(face):
    yield face.face.faults
    face.call(face.face.faults.lift)


def test_requests_fail_as_often_as_asked(face, faults, raw):
    client = raw()
    client.create("/failing")
    faults.failing = 2
    for expected in (Code.OPERATIONTIMEOUT, Code.OPERATIONTIMEOUT, Code.OK):
        assert client.call(OpCode.setData, SetDataRequest("/failing", b"", -1))[0].err == expected
    _, body = client.call(OpCode.exists, PathWatchRequest("/failing", False))
    assert struct.unpack_from(">i", body, 32) == (1,)  # the version: set once


def test_a_request_may_get_no_answer_and_is_carried_out(face, faults, raw):
    client, other = raw(), raw()
    client.create("/unanswered")
    faults.unanswered = 1
    client.ask(OpCode.setData, codec(SetDataRequest).encode(SetDataRequest("/unanswered", b"", -1)))
    _, body = client.call(OpCode.exists, PathWatchRequest("/unanswered", False))
    assert struct.unpack_from(">i", body, 32) == (1,)
    assert other.call(OpCode.exists, PathWatchRequest("/unanswered", False))[0].err == 0


def test_connections_are_rejected(face, faults):
    faults.rejects_connections = True
    client = RawClient(face.port)
    with pytest.raises((EOFError, ConnectionError)):
        client.connect()
    client.close()


def test_replies_are_delayed_in_their_order(face, faults, raw):
    client = raw()
    faults.delay_ms = 30
    asked = [client.ask(OpCode.exists, codec(PathWatchRequest).encode(PathWatchRequest("/", False)))
             for _ in range(3)]  # fmt: skip
    assert [client.reply()[0].xid for _ in asked] == asked
    faults.delay_ms = 0
    assert client.call(OpCode.exists, PathWatchRequest("/", False))[0].err == 0


def test_no_reply_overtakes_one_that_is_delayed_longer(face, faults, raw):
    """A client takes a reply of another number for the end of the connection."""
    client = raw()
    asked = []
    for delay_ms in (200, 20, 0):
        faults.delay_ms = delay_ms
        before = face.face.keeper.statistics.received
        asked.append(client.ask(OpCode.exists, codec(PathWatchRequest).encode(PathWatchRequest("/", False))))
        while face.call(lambda: face.face.keeper.statistics.received) == before:
            pass
    assert [client.reply()[0].xid for _ in asked] == asked


def test_connections_are_dropped_and_sessions_stay(face, raw):
    client, other = raw(), raw()
    assert face.call(lambda: face.face.drop(client.session.sessionId)) == 1
    with pytest.raises((EOFError, ConnectionError)):
        client.take_frame()
    assert other.call(OpCode.exists, PathWatchRequest("/", False))[0].err == 0
    back = RawClient(face.port)
    opened, _ = back.connect(session=client.session.sessionId, password=client.session.passwd)
    assert opened.sessionId == client.session.sessionId
    back.close()


# --- a cloud around it


def test_silence_forgets_and_going_on_begins_anew(face, raw):
    client = raw()
    client.create("/kept")
    session = client.session
    face.call(lambda: face.loop.create_task(silence_and_go_on(face)))
    with pytest.raises((EOFError, ConnectionError)):
        client.take_frame()
    back = RawClient(face.port)
    opened, _ = back.connect(session=session.sessionId, password=session.passwd)
    assert opened.sessionId == session.sessionId
    assert back.call(OpCode.exists, PathWatchRequest("/kept", False))[0].err == 0
    back.close()


async def silence_and_go_on(face):
    await face.face.silence()
    face.face.go_on()


# --- long replies


def test_a_long_list_keeps_its_place_among_the_replies(face, raw, monkeypatch):
    monkeypatch.setattr(children, "SLICE_NAMES", 10)
    monkeypatch.setattr(reads, "SLICE_NAMES", 10)
    client, other = raw(), raw()
    client.create("/listed")
    for number in range(60):
        client.create(f"/listed/{number:02}")
    asked = []
    for _ in range(4):  # each behind a write that is still to be settled
        set_data = codec(SetDataRequest).encode(SetDataRequest("/listed", b"", -1))
        watch = codec(PathWatchRequest).encode(PathWatchRequest("/listed", True))
        asked += [client.ask(OpCode.setData, set_data), client.ask(OpCode.getChildren, watch)]
        asked.append(client.ask(OpCode.exists, watch))
    for number in range(5):
        other.create(f"/listed/more-{number}")
    found = []
    while len([header for header, _ in found if header.xid > 0]) < len(asked):
        found.append(client.reply())
    assert [header.xid for header, _ in found if header.xid > 0] == asked
    for header, body in found:
        if header.xid in asked[1::3]:
            names = codec(GetChildrenResponse).decode(body, 0)[0].children
            assert [name for name in names if "more" not in name] == [f"{n:02}" for n in range(60)]


def test_who_asks_for_a_long_list_may_go(face, raw, monkeypatch):
    monkeypatch.setattr(children, "SLICE_NAMES", 1)
    monkeypatch.setattr(reads, "SLICE_NAMES", 1)
    client = raw()
    client.create("/left")
    for number in range(40):
        client.create(f"/left/{number}")
    for _ in range(10):
        gone = raw()
        gone.ask(OpCode.getChildren, codec(PathWatchRequest).encode(PathWatchRequest("/left", False)))
        gone.close()
    assert client.call(OpCode.getChildren, PathWatchRequest("/left", False))[0].err == 0
