"""Faults on demand, in a whole cloud, as kazoo and gRPC's own client meet them."""

import json
import threading
import time

import grpc
import pytest
from click.testing import CliRunner
from kazoo.client import KazooClient
from kazoo.exceptions import ConnectionLoss, OperationTimeoutError
from kazoo.handlers.threading import KazooTimeoutError
from kazoo.protocol.states import KazooState
from tests.shell.whole_cloud import whole_cloud

from cloudlet.cli.main import main
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import decode, encode


@pytest.fixture(scope="module")
def cloud(tmp_path_factory):
    with whole_cloud(tmp_path_factory.mktemp("data"), only=("etcd", "zookeeper", "aws")) as cloud:
        yield cloud


@pytest.fixture
def fault(cloud):
    def tell(verb, **asked):
        return cloud.done(f"/fault/{verb}", **asked)

    yield tell
    tell("lift")


class Zk(KazooClient):
    """A kazoo client that keeps its states."""

    def __init__(self, cloud):
        super().__init__(cloud.cloud.endpoints["zookeeper"], timeout=30)
        self.states = []
        self.changed = threading.Condition()
        self.add_listener(self.note)

    def note(self, state):
        with self.changed:
            self.states.append(state)
            self.changed.notify_all()

    def saw(self, state):
        """Wait for a state; the states until then are forgotten."""
        with self.changed:
            assert self.changed.wait_for(lambda: state in self.states, 10), self.states
            del self.states[: self.states.index(state) + 1]


@pytest.fixture
def zk(cloud):
    client = Zk(cloud)
    client.start(timeout=10)
    client.saw(KazooState.CONNECTED)
    yield client
    client.stop()
    client.close()


class Etcd:
    """gRPC's client."""

    def __init__(self, address):
        self.channel = grpc.insecure_channel(address, [("grpc.use_local_subchannel_pool", 1)])

    def __call__(self, path, timeout_s=10, wait=True, **fields):
        method = pb.METHODS[f"/etcdserverpb.{path}"]
        call = self.channel.unary_unary(f"/etcdserverpb.{path}")
        said = encode(getattr(pb, method.request)(**fields))
        return decode(getattr(pb, method.reply), call(said, timeout=timeout_s, wait_for_ready=wait))

    def value(self, key):
        found = self("KV/Range", key=key).kvs
        return found[0].value if found else None


@pytest.fixture
def etcd(cloud):
    client = Etcd(cloud.cloud.endpoints["etcd"])
    yield client
    client.channel.close()


def until(holds):
    """Wait for something that takes half a second at most."""
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_session_ends_and_its_ephemerals_with_it(cloud, fault, zk):
    zk.create("/worker", b"", ephemeral=True)
    other = Zk(cloud)
    other.start(timeout=10)
    try:
        assert fault("session-expire", id=f"{zk.client_id[0]:x}") == {"sessions": 1}
        zk.saw(KazooState.LOST)
        assert other.exists("/worker") is None
        zk.saw(KazooState.CONNECTED)  # in a new session
        assert other.states == [KazooState.CONNECTED]
        assert cloud.tell("POST", "/fault/session-expire", id="77")[0] == 404
    finally:
        other.stop()
        other.close()


def test_a_lease_ends_and_its_keys_with_it(cloud, fault, etcd):
    lease = etcd("Lease/LeaseGrant", TTL=600).ID
    etcd("KV/Put", key=b"leased", value=b"1", lease=lease)
    assert fault("lease-expire", id=f"0x{lease:x}") == {"leases": 1}
    until(lambda: etcd.value(b"leased") is None)
    assert etcd("Lease/LeaseTimeToLive", ID=lease).TTL == -1
    assert cloud.tell("POST", "/fault/lease-expire", id="77")[0] == 404
    assert fault("lease-expire") == {"leases": 0}


def test_connections_break_and_sessions_live_on(fault, zk, etcd):
    zk.create("/kept", b"", ephemeral=True)
    etcd("KV/Put", key=b"k", value=b"1")
    session = zk.client_id[0]
    assert fault("drop", id=f"{session:x}") == {"connections": 1}
    zk.saw(KazooState.SUSPENDED)
    zk.saw(KazooState.CONNECTED)
    assert fault("drop")["connections"] >= 2
    zk.saw(KazooState.SUSPENDED)
    zk.saw(KazooState.CONNECTED)
    assert zk.client_id[0] == session
    assert zk.exists("/kept")
    assert etcd.value(b"k") == b"1"


@pytest.mark.parametrize("face", ["etcd", "zookeeper"])
def test_a_delay_is_waited_before_every_reply(fault, zk, etcd, face):
    call = (lambda: etcd.value(b"d")) if face == "etcd" else (lambda: zk.exists("/d"))
    call()
    assert fault("delay", ms=300, face=face)[face]["delay_ms"] == 300
    began = time.monotonic()
    call()
    assert time.monotonic() - began >= 0.29


def test_a_delayed_call_answers_what_it_would(fault, etcd):
    fault("delay", ms=20)
    revision = etcd("KV/Put", key=b"late", value=b"1").header.revision
    assert etcd("KV/Put", key=b"late", value=b"2").header.revision == revision + 1
    assert etcd.value(b"late") == b"2"
    with pytest.raises(grpc.RpcError) as refused:
        etcd("KV/Put", key=b"", value=b"2")
    assert refused.value.details() == "etcdserver: key is not provided"


def test_new_connections_are_refused(cloud, fault, zk, etcd):
    etcd.value(b"x")
    fault("reject")
    late = KazooClient(cloud.cloud.endpoints["zookeeper"], timeout=1)
    with pytest.raises(KazooTimeoutError):
        late.start(timeout=0.5)
    late.stop()
    late.close()
    other = Etcd(cloud.cloud.endpoints["etcd"])
    with pytest.raises(grpc.RpcError) as refused:
        other("KV/Range", key=b"x", wait=False)
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    zk.exists("/")  # whoever is in, stays in
    etcd.value(b"x")
    fault("lift")
    other.value(b"x")
    other.channel.close()


def test_requests_fail_and_nothing_is_done(fault, zk, etcd):
    fault("fail", count=1, face="zookeeper")
    with pytest.raises(OperationTimeoutError):
        zk.create("/failed", b"")
    assert zk.exists("/failed") is None
    fault("fail", count=2, face="etcd")
    for _ in range(2):
        with pytest.raises(grpc.RpcError) as refused:
            etcd("KV/Put", key=b"failed", value=b"1")
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
        assert refused.value.details() == "etcdserver: request timed out"
    assert etcd.value(b"failed") is None


def test_requests_are_carried_out_and_not_answered(cloud, fault, zk, etcd):
    other = Zk(cloud)
    other.start(timeout=10)
    fault("no-response", count=1, face="zookeeper")
    lost = other.create_async("/unheard", b"")
    until(lambda: fault("lift", face="etcd")["zookeeper"]["unanswered"] == 0)
    assert zk.exists("/unheard")
    with pytest.raises(KazooTimeoutError):
        lost.get(timeout=0.1)
    other.saw(KazooState.CONNECTED)
    fault("drop", id=f"{other.client_id[0]:x}")
    with pytest.raises(ConnectionLoss):
        lost.get(timeout=10)
    other.saw(KazooState.CONNECTED)
    other.stop()
    other.close()
    fault("no-response", count=1, face="etcd")
    with pytest.raises(grpc.RpcError) as late:
        etcd("KV/Put", key=b"unheard", value=b"1", timeout_s=0.5)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert etcd.value(b"unheard") == b"1"


def test_a_stream_may_be_left_without_answers(fault, etcd):
    lease = etcd("Lease/LeaseGrant", TTL=60).ID
    keepalive = etcd.channel.stream_stream("/etcdserverpb.Lease/LeaseKeepAlive")
    said = encode(pb.LeaseKeepAliveRequest(ID=lease))
    fault("no-response", count=1, face="etcd")
    with pytest.raises(grpc.RpcError) as late:
        next(keepalive(iter([said]), timeout=0.5))
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert decode(pb.LeaseKeepAliveResponse, next(keepalive(iter([said]), timeout=10))).TTL == 60
    etcd("Lease/LeaseRevoke", ID=lease)


def test_the_command_line_says_what_is_in_force(cloud, fault):
    def said(*arguments):
        result = CliRunner().invoke(main, ["fault", *arguments, "--data", str(cloud.data)])
        assert result.exit_code == 0, result.output
        return json.loads(result.output)

    quiet = {"rejects_connections": False, "delay_ms": 0, "failing": 0, "unanswered": 0}
    said("delay", "5", "--face", "etcd")
    said("reject", "--face", "etcd")
    said("fail", "7", "--face", "zookeeper")
    said("no-response", "--face", "zookeeper")
    assert said() == {
        "etcd": quiet | {"delay_ms": 5, "rejects_connections": True},
        "zookeeper": quiet | {"failing": 7, "unanswered": -1},
    }
    assert said("lift", "--face", "etcd")["etcd"] == quiet
    assert said("lift") == {"etcd": quiet, "zookeeper": quiet}
    assert said("lease-expire") == {"leases": 0}
    assert said("session-expire") == {"sessions": 0}
    assert said("drop") == {"connections": 0}


def test_what_makes_no_sense_is_refused(cloud):
    for verb, asked in [
        ("delay", {"ms": -1}), ("delay", {"ms": 3_600_000}), ("fail", {"count": -2}),
        ("lift", {"face": "sqs"}), ("drop", {"id": "worker"}), ("reject", {"mode": "hard"}),
        ("drop", {"id": "55"}), ("drop", {"id": "55", "face": "etcd"}),
    ]:  # fmt: skip
        status, answer = cloud.tell("POST", f"/fault/{verb}", **asked)
        assert status in (400, 404), (verb, asked, answer)


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("/fault/delay", {}),
        ("/fault/delay", {"count": 3}),
        ("/fault/reject", {"ms": 5}),
        ("/fault/fail", {"id": 1}),
        ("/fault/session-expire", {"face": "zookeeper"}),
        ("/clock/freeze", {"for": "1d"}),
        ("/clock/thaw", {"at": "1d"}),
        ("/reset", {"face": "etcd"}),
        ("/stop", {"after": "1d"}),
    ],
)
def test_a_word_that_a_verb_does_not_know_is_refused_before_anything_is_done(cloud, etcd, verb, body):
    etcd("KV/Put", key=b"kept", value=b"1")
    status, said = cloud.tell("POST", verb, **body)
    assert status == 400
    assert f"the body is not what {verb} wants" in said["error"]
    assert etcd.value(b"kept") == b"1"
    assert not cloud.tell("GET", "/clock")[1]["frozen"]


def test_the_clock_ends_the_session_of_a_client_that_is_gone(cloud, fault, zk):
    other = Zk(cloud)
    other.start(timeout=10)
    other.create("/left-behind", b"", ephemeral=True)
    fault("reject", face="zookeeper")
    fault("drop", face="zookeeper", id=f"{other.client_id[0]:x}")
    other.saw(KazooState.SUSPENDED)
    assert zk.exists("/left-behind")
    cloud.done("/clock/advance", by="31s")
    until(lambda: zk.exists("/left-behind") is None)
    assert zk.states == []  # the connected one lives on
    other.stop()
    other.close()
