"""Users, roles and permissions over the wire; etcdctl's side of it is compared in tests/interop."""

import pytest
from tests.coord.etcd.running import Client, run, running

from cloudlet.coord.etcd.auth import covered, span_of
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus

READ, WRITE, READWRITE = range(3)


class Acting(Client):
    """A client with a token."""

    def __init__(self, wire, token):
        super().__init__(wire)
        self.wire = self
        self._inner = wire
        self._token = token

    async def unary(self, path, message):
        inner = self._inner
        fields = inner._fields
        inner._fields = (*fields, (b"token", self._token.encode()))
        try:
            stream = inner.stream(path)
        finally:
            inner._fields = fields
        stream.send(message, ends=True)
        return await stream.receive()


async def prepared(served):
    """root, and u1 with the role r1: all of a/, reading b."""
    client = served.client
    await client.UserAdd(name="root", password="r")
    await client.UserGrantRole(user="root", role="root")
    await client.UserAdd(name="u1", password="p")
    await client.RoleAdd(name="r1")
    for key, end, kind in ((b"a/", b"a0", READWRITE), (b"b", b"", READ)):
        await client.RoleGrantPermission(name="r1", perm=pb.Permission(permType=kind, key=key, range_end=end))
    await client.UserGrantRole(user="u1", role="r1")
    await client.AuthEnable()
    acting = {}
    for name, password in (("root", "r"), ("u1", "p")):
        token = (await client.Authenticate(name=name, password=password)).token
        acting[name] = Acting(client.wire, token)
    return acting


async def code(call):
    with pytest.raises(GrpcStatus) as caught:
        await call
    return caught.value.code


def test_what_a_user_may():
    async def body():
        async with running() as served:
            u1 = (await prepared(served))["u1"]
            await u1.Put(key=b"a/1", value=b"1")
            assert (await u1.Range(key=b"a/", range_end=b"a0")).count == 1
            await u1.Range(key=b"b")
            for call in (
                u1.Put(key=b"b"),
                u1.Range(key=b"c"),
                u1.Range(key=b"a/", range_end=b"b"),
                u1.DeleteRange(key=b"\0", range_end=b"\0"),
                u1.Txn(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"z"))]),
                u1.Txn(compare=[pb.Compare(key=b"z", version=0)]),
                u1.UserAdd(name="x", password="y"),
                u1.AuthDisable(),
            ):
                assert await code(call) == Code.PERMISSION_DENIED
            with pytest.raises(GrpcStatus, match="permission denied") as caught:
                await u1.Lock(name=b"z")
            assert caught.value.code == Code.UNKNOWN  # as of all that etcd's recipes refuse
            assert await code(served.client.Range(key=b"a/1")) == Code.INVALID_ARGUMENT  # no user at all
            assert (await u1.Range(key=b"a/1")).count == 1

    run(body)


def test_a_lease_of_keys_that_one_may_not_write():
    async def body():
        async with running() as served:
            acting = await prepared(served)
            root, u1 = acting["root"], acting["u1"]
            lease = (await root.LeaseGrant(TTL=60)).ID
            await root.Put(key=b"secret", lease=lease)
            assert await code(u1.LeaseRevoke(ID=lease)) == Code.PERMISSION_DENIED
            assert await code(u1.LeaseTimeToLive(ID=lease, keys=True)) == Code.PERMISSION_DENIED
            assert await code(u1.LeaseLeases()) == Code.PERMISSION_DENIED
            put = pb.PutRequest(key=b"a/1", lease=lease)
            assert await code(u1.Put(key=b"a/1", lease=lease)) == Code.PERMISSION_DENIED
            assert await code(u1.Txn(success=[pb.RequestOp(request_put=put)])) == Code.PERMISSION_DENIED
            assert (await u1.LeaseTimeToLive(ID=lease)).grantedTTL == 60
            await root.LeaseRevoke(ID=lease)
            assert (await root.Range(key=b"secret")).count == 0
            own = (await u1.LeaseGrant(TTL=60)).ID
            await u1.Put(key=b"a/1", lease=own)
            await u1.Txn(success=[pb.RequestOp(request_put=pb.PutRequest(key=b"a/2", lease=own))])
            assert [each.ID for each in (await u1.LeaseLeases()).leases] == [own]

    run(body)


def test_a_permission_for_a_range_of_nothing():
    async def body():
        async with running() as served:
            await served.client.RoleAdd(name="r")
            for key, end in ((b"", b""), (b"", b"z"), (b"b", b"a"), (b"b", b"b")):
                with pytest.raises(GrpcStatus) as caught:
                    await served.client.RoleGrantPermission(
                        name="r", perm=pb.Permission(key=key, range_end=end)
                    )
                assert caught.value.message == "etcdserver: invalid auth management"
            for key, end in ((b"b", b"c"), (b"b", b"\0"), (b"\0", b"\0"), (b"b", b"")):
                await served.client.RoleGrantPermission(name="r", perm=pb.Permission(key=key, range_end=end))

    run(body)


def test_what_every_user_may_but_nobody_else():
    async def body():
        async with running() as served:
            u1, nobody = (await prepared(served))["u1"], served.client
            lease = (await u1.LeaseGrant(TTL=60)).ID
            for ask in (
                lambda who: who.MemberList(),
                lambda who: who.Status(),
                lambda who: who.LeaseTimeToLive(ID=lease),
                lambda who: who.LeaseLeases(),
            ):
                await ask(u1)
                assert await code(ask(nobody)) == Code.INVALID_ARGUMENT

    run(body)


def test_a_lease_of_such_keys_takes_no_other_key_and_is_not_listed():
    async def body():
        async with running() as served:
            acting = await prepared(served)
            root, u1 = acting["root"], acting["u1"]
            lease = (await root.LeaseGrant(TTL=60)).ID
            put = pb.PutRequest(key=b"a/1", lease=lease)
            await u1.Txn(success=[pb.RequestOp(request_put=put)])
            assert [each.ID for each in (await u1.LeaseLeases()).leases] == [lease]
            await root.Put(key=b"secret", lease=lease)
            assert await code(u1.Put(key=b"a/2", lease=lease)) == Code.PERMISSION_DENIED
            assert await code(u1.Txn(success=[pb.RequestOp(request_put=put)])) == Code.PERMISSION_DENIED
            assert await code(u1.LeaseLeases()) == Code.PERMISSION_DENIED
            assert [each.ID for each in (await root.LeaseLeases()).leases] == [lease]

    run(body)


def test_a_new_password_ends_the_tokens():
    async def body():
        async with running() as served:
            acting = await prepared(served)
            root, u1 = acting["root"], acting["u1"]
            await root.UserChangePassword(name="u1", password="new")
            assert await code(u1.Range(key=b"b")) == Code.UNAUTHENTICATED
            token = (await served.client.Authenticate(name="u1", password="new")).token
            await root.UserDelete(name="u1")
            await root.UserAdd(name="u1", password="new")
            assert await code(Acting(served.client.wire, token).Range(key=b"b")) == Code.UNAUTHENTICATED

    run(body)


def test_a_change_takes_effect_at_once():
    async def body():
        async with running() as served:
            acting = await prepared(served)
            root, u1 = acting["root"], acting["u1"]
            await u1.Range(key=b"b")
            await root.RoleRevokePermission(role="r1", key=b"b")
            assert await code(u1.Range(key=b"b")) == Code.PERMISSION_DENIED
            await root.UserDelete(name="u1")
            assert await code(u1.Range(key=b"a/1")) == Code.UNAUTHENTICATED
            await root.AuthDisable()
            assert (await served.client.Range(key=b"a/1")).count == 0

    run(body)


def test_it_survives_a_restart_but_tokens_do_not(tmp_path):
    async def body():
        async with running(tmp_path) as served:
            acting = await prepared(served)
        async with running(tmp_path) as served:
            assert await code(served.client.Range(key=b"a")) == Code.INVALID_ARGUMENT
            stale = Acting(served.client.wire, acting["u1"]._token)
            assert await code(stale.Range(key=b"a/")) == Code.UNAUTHENTICATED
            token = (await served.client.Authenticate(name="u1", password="p")).token
            assert (await Acting(served.client.wire, token).Range(key=b"a/")).count == 0
            assert await code(served.client.Authenticate(name="u1", password="q")) == Code.INVALID_ARGUMENT

    run(body)


def test_a_watch_needs_permission():
    async def body():
        async with running() as served:
            await prepared(served)
            stream = served.client.stream("Watch")
            await stream.create(key=b"a/")
            reply = await stream.receive()
            assert (reply.created, reply.canceled, reply.watch_id) == (True, True, -1)
            assert reply.cancel_reason.endswith("etcdserver: user name is empty")
            stream.cancel()

    run(body)


@pytest.mark.parametrize(
    ("wanted", "grants", "is_covered"),
    [
        ((b"a", b""), [(b"a", b"")], True),
        ((b"a", b""), [(b"b", b"")], False),
        ((b"a", b"c"), [(b"a", b"b"), (b"b", b"c")], True),
        ((b"a", b"c"), [(b"a", b"b"), (b"bb", b"c")], False),
        ((b"a", b"c"), [(b"", b"\0")], True),
        ((b"a", b"\0"), [(b"a", b"z")], False),
        ((b"a", b"\0"), [(b"a", b"m"), (b"l", b"\0")], True),
        ((b"a", b"c"), [], False),
        ((b"a", b""), [(b"a", b"a\0")], True),
        ((b"m", b""), [(b"a", b"m"), (b"n", b"z")], False),
    ],
)
def test_ranges_are_covered_by_unions(wanted, grants, is_covered):
    assert covered(span_of(*wanted), [span_of(*grant) for grant in grants]) == is_covered
