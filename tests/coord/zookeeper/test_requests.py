"""What each request answers, changes and tells, over a keeper without sockets."""

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.kernel.clock import ManualClock
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import (
    ACL,
    MULTI_END,
    AuthPacket,
    Code,
    Create2Response,
    CreateRequest,
    CreateTTLRequest,
    GetACLResponse,
    GetChildrenResponse,
    Id,
    MultiHeader,
    NumberResponse,
    OpCode,
    PathModeRequest,
    PathRequest,
    PathVersionRequest,
    PathWatchRequest,
    SetACLRequest,
    SetDataRequest,
    SetWatches,
    SetWatches2,
    WhoAmIResponse,
)

JOE = [ACL(31, Id("digest", "joe:x1nLG2Q2UTYjzQ5sV+kiWOTVmXE="))]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def keeper(clock):
    return opened(clock=clock)


@pytest.fixture
def client(keeper):
    return Told(keeper)


def multi(*parts):
    """A multi's body."""
    rows = [codec(MultiHeader).encode(MultiHeader(kind, False, -1)) + codec(type(request)).encode(request)
            for kind, request in parts]  # fmt: skip
    return b"".join(rows) + MULTI_END


# --- creating


def test_a_failed_request_changes_nothing(keeper, client):
    client.create("/a")
    head = keeper.keys.head
    assert client.create("/a") is Code.NODEEXISTS
    assert client.set("/b", b"") is Code.NONODE
    assert client.delete("/b") is Code.NONODE
    assert client.set("/a", b"", version=9) is Code.BADVERSION
    assert client.create("/a", flags=9) is Code.BADARGUMENTS
    assert client.create("/a/", b"") is Code.BADARGUMENTS
    assert client.create("/b", acl=[]) is Code.INVALIDACL
    assert keeper.keys.head == head


def test_one_znode_costs_one_entry_and_its_parents_record(keeper, client):
    client.create("/a")
    before = len(keeper.keys.scan(b"", b"\xff"))
    client.create("/a/leaf", b"data")
    client.set("/a/leaf", b"more")
    assert len(keeper.keys.scan(b"", b"\xff")) == before + 2  # the leaf, and /a's record


def test_null_data_is_kept(keeper, client):
    client.create("/null", None)
    assert client.data("/null")[0] is None
    client.set("/null", b"x")
    client.set("/null", None)
    assert client.data("/null")[0] is None


def test_create2_answers_the_stat(keeper, client):
    request = CreateRequest("/a", b"xyz", ANYONE, 0)
    error, body = client.call(OpCode.create2, request)
    answer, end = codec(Create2Response).decode(body, 0)
    assert (error, answer.path, answer.stat, end) == (0, "/a", client.exists("/a"), len(body))


def test_times_are_cloud_time(keeper, client, clock):
    client.create("/a")
    made = client.exists("/a")
    assert made.ctime == made.mtime == clock.cloud_ms()
    clock.advance_ms(86_400_000)
    changed = client.set("/a", b"")
    assert (changed.ctime, changed.mtime) == (made.ctime, made.mtime + 86_400_000)


# --- containers and TTLs


def test_a_container_goes_once_its_children_have(keeper, client, clock):
    client.call(OpCode.createContainer, CreateRequest("/c", b"", ANYONE, 4))
    clock.advance_ms(61_000)
    keeper.clock_moved()
    assert client.exists("/c") is not Code.NONODE  # it never had one
    client.create("/c/x")
    clock.advance_ms(61_000)
    keeper.clock_moved()
    client.delete("/c/x")
    client.data("/c", watch=True)
    keeper.tick()
    assert client.exists("/c") is not Code.NONODE  # the sweep is each minute
    clock.pass_ms(61_000)
    client.call(OpCode.ping, xid=-2)
    keeper.tick()
    assert client.events() == ["NodeDeleted /c"]


def test_containers_and_ttls_are_swept_on_cloud_time(keeper, client, clock):
    client.call(OpCode.createContainer, CreateRequest("/c", b"", ANYONE, 4))
    client.create("/c/x")
    client.delete("/c/x")
    assert client.call(OpCode.createTTL, CreateTTLRequest("/t", b"", ANYONE, 5, 3_600_000))[0] == 0
    assert client.exists("/t").ephemeralOwner == 0
    client.data("/c", watch=True)
    client.data("/t", watch=True)
    clock.advance_ms(60_000)
    keeper.clock_moved()
    assert client.events() == ["NodeDeleted /c"]
    clock.advance_ms(3_000_000)
    client.set("/t", b"lives on")
    client.data("/t", watch=True)
    client.events()
    clock.advance_ms(3_600_000)
    keeper.clock_moved()
    assert client.events() == []
    clock.advance_ms(60_000)
    keeper.clock_moved()
    assert client.events() == ["NodeDeleted /t"]


def test_a_container_without_children_goes_where_that_is_asked_for(clock):
    keeper = opened(clock=clock, unused_ms_max=90_000)
    client = Told(keeper, 10_000_000)
    client.create("/c", flags=4)
    client.create("/plain")
    for passed_ms, is_there in ((61_000, True), (60_000, False)):
        clock.advance_ms(passed_ms)
        keeper.clock_moved()
        assert (client.exists("/c") is not Code.NONODE) is is_there
    assert client.exists("/plain") is not Code.NONODE


def test_a_znode_with_children_outlives_its_ttl(keeper, client, clock):
    client.call(OpCode.createTTL, CreateTTLRequest("/t", b"", ANYONE, 5, 1_000))
    client.create("/t/x")
    clock.advance_ms(3_600_000)
    keeper.clock_moved()
    assert client.exists("/t").numChildren == 1


def test_ttls_and_containers_survive_a_restart(keeper, client, clock):
    client.call(OpCode.createTTL, CreateTTLRequest("/t", b"", ANYONE, 5, 1_000))
    again = opened(keeper.keys, clock)
    clock.advance_ms(120_000)
    again.clock_moved()
    assert Told(again).exists("/t") is Code.NONODE


@pytest.mark.parametrize("ttl", [0, -1, 1 << 40])
def test_a_ttl_out_of_range_is_refused(client, ttl):
    request = CreateTTLRequest("/t", b"", ANYONE, 5, ttl)
    assert client.call(OpCode.createTTL, request)[0] is Code.BADARGUMENTS


def test_ttls_can_be_switched_off(clock):
    client = Told(opened(clock=clock, has_ttl_nodes=False))
    request = CreateTTLRequest("/t", b"", ANYONE, 5, 1_000)
    assert client.call(OpCode.createTTL, request)[0] is Code.UNIMPLEMENTED


# --- multi


def test_a_multi_is_one_revision(keeper, client):
    client.create("/a")
    head = keeper.keys.head
    body = multi(
        (OpCode.create, CreateRequest("/a/x", b"", ANYONE, 2)),
        (OpCode.create, CreateRequest("/a/x", b"", ANYONE, 2)),
        (OpCode.setData, SetDataRequest("/a", b"1", 0)),
        (OpCode.setData, SetDataRequest("/a", b"2", 1)),
    )
    assert client.call(OpCode.multi, body)[0] == 0
    assert keeper.keys.head == head + 1
    assert client.children("/a") == ["x0000000000", "x0000000001"]
    stat = client.exists("/a")
    assert (stat.version, stat.cversion, stat.mzxid, stat.pzxid) == (2, 2, head + 1, head + 1)


def test_the_events_of_a_multi_come_in_its_order(keeper, client):
    watching = Told(keeper)
    client.create("/b")
    watching.add_watch("/", recursive=True)
    body = multi(
        (OpCode.create, CreateRequest("/a", b"", ANYONE, 0)),
        (OpCode.setData, SetDataRequest("/b", b"", -1)),
        (OpCode.delete, PathVersionRequest("/a", -1)),
        (OpCode.delete, PathVersionRequest("/b", -1)),
    )
    client.call(OpCode.multi, body)
    assert watching.events() == ["NodeCreated /a", "NodeDataChanged /b", "NodeDeleted /a", "NodeDeleted /b"]


def test_a_large_multi_is_one_commit(keeper, client):
    head = keeper.keys.head
    rows = [(OpCode.create, CreateRequest(f"/n{number}", b"x" * 100, ANYONE, 0)) for number in range(1000)]
    assert client.call(OpCode.multi, multi(*rows))[0] == 0
    assert keeper.keys.head == head + 1
    assert client.exists("/").numChildren == 1001


def test_a_multi_with_an_operation_that_is_none_is_unreadable(keeper, client):
    head = keeper.keys.head
    body = multi(
        (OpCode.create, CreateRequest("/a", b"", ANYONE, 0)), (OpCode.getData, PathWatchRequest("/a", False))
    )
    assert client.call(OpCode.multi, body)[0] is Code.MARSHALLINGERROR
    assert keeper.keys.head == head


# --- sessions


def test_a_check_outside_of_a_multi_is_refused(client):
    assert client.call(OpCode.check, PathVersionRequest("/", -1))[0] is Code.UNIMPLEMENTED
    assert client.client.is_closing


def test_the_end_of_a_session_is_one_revision(keeper, client):
    other = Told(keeper)
    for number in range(500):
        client.create(f"/e{number}", flags=1)
    other.children("/", watch=True)
    head = keeper.keys.head
    assert client.call(OpCode.closeSession)[0] == 0
    assert keeper.keys.head == head + 1
    assert other.events() == ["NodeChildrenChanged /"]
    assert other.children("/") == ["zookeeper"]
    assert [lease.id for lease in keeper.keys.leases()] == [other.client.session.id]


def test_a_session_that_is_not_heard_of_ends(keeper, client, clock):
    other = Told(keeper, 30_000)
    client.create("/e", flags=1)
    other.exists("/e", watch=True)
    clock.pass_ms(9_000)
    assert client.call(OpCode.ping, xid=-2)[0] == 0
    for _ in range(9):
        clock.pass_ms(1_000)
        keeper.tick()
    assert other.events() == []
    clock.pass_ms(1_100)
    keeper.tick()
    assert other.events() == ["NodeDeleted /e"]
    assert client.client.is_closing


def test_requests_keep_a_session_alive(keeper, client, clock):
    for _ in range(50):
        clock.pass_ms(5_000)
        keeper.tick()
        assert client.exists("/") is not None
    assert client.client.session.id in keeper.sessions.by_id


def test_a_connected_client_outlives_a_jump_of_the_clock(keeper, client, clock):
    clock.advance_ms(86_400_000)
    keeper.clock_moved()
    assert client.exists("/").numChildren == 1


def test_ephemerals_are_listed(keeper, client):
    for path in ("/e1", "/e2"):
        client.create(path, flags=1)
    Told(keeper).create("/other", flags=1)
    for prefix, expected in (("/", ["/e1", "/e2"]), ("", ["/e1", "/e2"]), ("/e1", ["/e1"]), ("/x", [])):
        found = client.read(OpCode.getEphemerals, PathRequest(prefix), GetChildrenResponse)
        assert found.children == expected


# --- watches


def test_a_persistent_watch_stays(keeper, client):
    client.create("/a")
    client.add_watch("/a")
    client.set("/a", b"1")
    client.set("/a", b"2")
    client.create("/a/x")
    client.set("/a/x", b"")
    client.delete("/a/x")
    client.delete("/a")
    assert client.events() == [
        "NodeDataChanged /a", "NodeDataChanged /a", "NodeChildrenChanged /a", "NodeChildrenChanged /a",
        "NodeDeleted /a",
    ]  # fmt: skip


def test_a_recursive_watch_hears_of_all_below(keeper, client):
    client.create("/a")
    client.add_watch("/a", recursive=True)
    client.create("/a/x")
    client.create("/a/x/y")
    client.set("/a/x/y", b"")
    client.create("/ab")
    client.delete("/a/x/y")
    assert client.events() == [
        "NodeCreated /a/x", "NodeCreated /a/x/y", "NodeDataChanged /a/x/y", "NodeDeleted /a/x/y",
    ]  # fmt: skip


def test_a_watch_is_told_once_however_often_it_is_set(keeper, client):
    client.create("/a")
    for _ in range(3):
        client.data("/a", watch=True)
        client.exists("/a", watch=True)
    client.set("/a", b"1")
    client.set("/a", b"2")
    assert client.events() == ["NodeDataChanged /a"]


def test_an_event_comes_before_the_answer_that_shows_its_change(keeper, client):
    client.create("/a")
    client.data("/a", watch=True)
    Told(keeper).set("/a", b"new")
    assert client.data("/a")[0] == b"new"  # `call` would have noted nothing had the answer come first
    assert client.told == ["NodeDataChanged /a"]


def test_watches_can_be_removed(keeper, client):
    client.create("/a")
    client.data("/a", watch=True)
    client.children("/a", watch=True)
    assert client.call(OpCode.checkWatches, PathModeRequest("/a", 2))[0] == 0
    assert client.call(OpCode.removeWatches, PathModeRequest("/a", 2))[0] == 0
    assert client.call(OpCode.removeWatches, PathModeRequest("/a", 2))[0] is Code.NOWATCHER
    client.set("/a", b"")
    client.create("/a/x")
    assert client.events() == ["NodeChildrenChanged /a"]


@pytest.mark.parametrize("kind", [0, 6, 9, -1])
def test_a_type_of_watches_that_is_none(keeper, client, kind):
    client.create("/a")
    for op in (OpCode.checkWatches, OpCode.removeWatches):
        assert client.call(op, PathModeRequest("/a", kind))[0] is Code.MARSHALLINGERROR


def test_watches_go_with_the_connection(keeper, client):
    client.add_watch("/", recursive=True)
    client.data("/", watch=True)
    keeper.leave(client.client)
    assert keeper.watches.is_idle
    assert not keeper.watches._recursive


def test_watches_set_anew_tell_what_was_missed(keeper, client):
    for path in ("/same", "/changed", "/deleted", "/parent"):
        client.create(path)
    seen = keeper.keys.head
    client.set("/changed", b"1")
    client.delete("/deleted")
    client.create("/parent/x")
    client.create("/made")
    request = SetWatches(
        seen, ["/same", "/changed", "/deleted"], ["/made", "/never"], ["/parent", "/same", "/deleted"]
    )
    assert client.call(OpCode.setWatches, request, xid=-8)[0] == 0
    assert client.events() == [
        "NodeDataChanged /changed", "NodeDeleted /deleted", "NodeCreated /made",
        "NodeChildrenChanged /parent", "NodeDeleted /deleted",
    ]  # fmt: skip
    client.set("/same", b"")
    client.create("/same/x")
    client.create("/never")
    assert client.events() == ["NodeDataChanged /same", "NodeChildrenChanged /same", "NodeCreated /never"]


def test_persistent_watches_set_anew(keeper, client):
    request = SetWatches2(keeper.keys.head, [], [], [], ["/p"], ["/r"])
    assert client.call(OpCode.setWatches2, request, xid=-8)[0] == 0
    for path in ("/p", "/r", "/r/x", "/p/x"):
        client.create(path)
    assert client.events() == [
        "NodeCreated /p", "NodeCreated /r", "NodeCreated /r/x", "NodeChildrenChanged /p",
    ]  # fmt: skip


def test_who_may_not_read_is_not_told(keeper, client):
    client.call(OpCode.auth, AuthPacket(0, "digest", b"joe:secret"), xid=-4)
    stranger = Told(keeper)
    for watching in (client, stranger):
        watching.add_watch("/", recursive=True)
    client.create("/secret", acl=[ACL(31, Id("auth", ""))])
    client.set("/secret", b"")
    client.delete("/secret")
    told = ["NodeCreated /secret", "NodeDataChanged /secret", "NodeDeleted /secret"]
    assert (client.events(), stranger.events()) == (told, [])


# --- access


def test_set_acl_changes_neither_data_version_nor_entry(keeper, client):
    client.create("/a")
    before = client.exists("/a"), keeper.keys.get(b"e/zk/1/a")
    assert client.call(OpCode.setACL, SetACLRequest("/a", [ACL(1, Id("world", "anyone"))], 0))[0] == 0
    after = client.exists("/a")
    assert (after.aversion, after.version, after.mzxid) == (1, 0, before[0].mzxid)
    assert keeper.keys.get(b"e/zk/1/a") == before[1]
    assert client.set("/a", b"") is Code.NOAUTH
    assert Told(opened(keeper.keys)).set("/a", b"") is Code.NOAUTH


def test_the_superuser_may_do_all(clock):
    client = Told(opened(clock=clock, super_digest="super:D/InIHSb7yEEbrWz8b9l71RjZJU="))
    client.create("/a", acl=JOE)
    assert client.data("/a") is Code.NOAUTH
    client.call(OpCode.auth, AuthPacket(0, "digest", b"super:wrong"), xid=-4)
    assert client.data("/a") is Code.NOAUTH
    client.call(OpCode.auth, AuthPacket(0, "digest", b"super:test"), xid=-4)
    assert client.data("/a")[0] == b""


def test_digests_are_masked_for_who_may_not_administer(keeper, client):
    client.create("/a", acl=[ACL(1, Id("world", "anyone")), *JOE])
    found = client.read(OpCode.getACL, PathRequest("/a"), GetACLResponse)
    assert found.acl == [ACL(1, Id("world", "anyone")), ACL(31, Id("digest", "joe:x"))]


@pytest.mark.parametrize("proof", [("nonesuch", b""), ("digest", b""), ("digest", None)])
def test_what_proves_nothing_ends_the_connection(keeper, client, proof):
    assert client.call(OpCode.auth, AuthPacket(0, *proof), xid=-4)[0] is Code.AUTHFAILED
    assert client.client.is_closing


def test_who_am_i(keeper):
    client = Told(keeper, address="10.1.2.3")
    client.call(OpCode.auth, AuthPacket(0, "digest", b"joe:secret"), xid=-4)
    found = client.read(OpCode.whoAmI, None, WhoAmIResponse)
    assert [(info.authScheme, info.user) for info in found.clientInfo] == [
        ("ip", "10.1.2.3"),
        ("digest", "joe"),
    ]


@pytest.mark.parametrize(
    ("listed", "address", "may"),
    [
        ("10.0.0.0/8", "10.200.1.1", True), ("10.0.0.0/8", "11.0.0.1", False), ("10.0.0.1", "10.0.0.1", True),
        ("::1", "::1", True), ("fe80::/16", "fe80::1", True), ("10.0.0.1", "10.0.0.2", False),
    ],
)  # fmt: skip
def test_addresses(keeper, client, listed, address, may):
    client.create("/a", acl=[ACL(31, Id("ip", listed))])
    assert (Told(keeper, address=address).data("/a") is not Code.NOAUTH) is may


# --- quotas


def quota(client, path, limits):
    client.create(f"/zookeeper/quota{path}")
    client.create(f"/zookeeper/quota{path}/zookeeper_limits", limits)
    client.create(f"/zookeeper/quota{path}/zookeeper_stats", b"count=0,bytes=0")


def test_a_hard_quota_is_enforced(clock):
    client = Told(opened(clock=clock, enforces_quotas=True))
    client.create("/q", b"12345")
    quota(client, "/q", b"count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=3")
    assert client.create("/q/a", b"12") == "/q/a"
    assert client.set("/q/a", b"123456") is Code.QUOTAEXCEEDED
    assert client.set("/q/a", b"12345").version == 1
    assert client.create("/q/b") == "/q/b"
    assert client.create("/q/c") is Code.QUOTAEXCEEDED
    assert client.delete("/q/b") is Code.OK
    assert client.create("/q/c") == "/q/c"
    assert client.data("/zookeeper/quota/q/zookeeper_stats")[0] == b"count=3,bytes=10"


def test_what_is_over_its_quota_may_not_even_shrink_unless_to_below_it(clock):
    client = Told(opened(clock=clock, enforces_quotas=True))
    client.create("/q", b"123456789")
    quota(client, "/q", b"count=-1,bytes=-1=;byteHardLimit=5")
    assert client.set("/q", b"123456") is Code.QUOTAEXCEEDED
    assert client.set("/q", b"987654321").version == 1
    assert client.set("/q", b"12345").version == 2


def test_a_quota_is_looked_at_after_the_znode_and_its_list_and_before_the_version(clock):
    client = Told(opened(clock=clock, enforces_quotas=True))
    client.create("/q")
    client.create("/q/secret", acl=JOE)
    quota(client, "/q", b"count=-1,bytes=-1=;byteHardLimit=2")
    assert client.set("/q/none", b"123") is Code.NONODE
    assert client.set("/q/secret", b"123") is Code.NOAUTH
    assert client.call(OpCode.setData, SetDataRequest("/q", b"123", 7))[0] is Code.QUOTAEXCEEDED
    assert client.call(OpCode.setData, SetDataRequest("/q", b"12", 7))[0] is Code.BADVERSION


def test_a_soft_quota_is_only_logged(keeper, client, caplog):
    client.create("/q")
    quota(client, "/q", b"count=1,bytes=-1")
    assert client.create("/q/a") == "/q/a"
    assert "quota of /q exceeded: count=2, limit 1" in caplog.text


def test_quotas_are_counted_at_start_and_end_with_their_limits(clock):
    keeper = opened(clock=clock, enforces_quotas=True)
    client = Told(keeper)
    client.create("/q", b"1")
    client.create("/q/a", b"22")
    client.create("/q/a/b", b"333")
    quota(client, "/q", b"count=-1,bytes=-1=;countHardLimit=3")
    again = Told(opened(keeper.keys, clock, enforces_quotas=True))
    assert again.data("/zookeeper/quota/q/zookeeper_stats")[0] == b"count=3,bytes=6"
    assert again.create("/q/c") is Code.QUOTAEXCEEDED
    again.delete("/zookeeper/quota/q/zookeeper_limits")
    assert again.create("/q/c") == "/q/c"


# --- others


def test_all_children_are_counted(keeper, client):
    for path in ("/a", "/a/b", "/a/b/c", "/ab"):
        client.create(path)
    for path, count in (("/a", 2), ("/a/b", 1), ("/ab", 0), ("/", 7), ("/zookeeper", 2)):
        found = client.read(OpCode.getAllChildrenNumber, PathRequest(path), NumberResponse)
        assert (path, found.number) == (path, count)


def test_reconfig_is_refused_as_a_standalone_server_does(clock):
    client = Told(opened(clock=clock))
    assert client.call(OpCode.reconfig)[0] is Code.RECONFIGDISABLED
    allowed = Told(opened(clock=clock, has_reconfig=True))
    assert allowed.call(OpCode.reconfig)[0] is Code.UNIMPLEMENTED
