"""Who may do what, by the properties that ZooKeeper has for it."""

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.wire.zookeeper import (
    ACL,
    AuthPacket,
    Code,
    CreateRequest,
    GetACLResponse,
    Id,
    OpCode,
    PathRequest,
    SetACLRequest,
    WhoAmIResponse,
)

MINE = [ACL(31, Id("auth", ""))]
JOE = [ACL(31, Id("digest", "joe:bla"))]


def proven(client, scheme, what):
    return client.call(OpCode.auth, AuthPacket(0, scheme, what), xid=-4)[0]


def identities(client):
    found = client.read(OpCode.whoAmI, None, WhoAmIResponse)
    return [(info.authScheme, info.user) for info in found.clientInfo]


@pytest.mark.parametrize(
    ("hash_name", "digest"),
    [
        ("sha1", "joe:oesAybBun9icKJjQSTRN8OBueSc="),
        ("sha256", "joe:NZS46jfOYGT+zto6YyNSTvBW3wwLRg1mAsWvHo0QTFg="),
        ("sha3_256", "joe:04UGH1pKKP2I6497NZTU2pRx/lfCyP7qU9iYUrhq3JE="),
    ],
)
def test_digests_are_made_by_the_algorithm_that_is_set(hash_name, digest):
    client = Told(opened(digest_hash=hash_name))
    assert proven(client, "digest", b"joe:secret") == 0
    client.create("/a", acl=MINE)
    found = client.read(OpCode.getACL, PathRequest("/a"), GetACLResponse)
    assert found.acl == [ACL(31, Id("digest", digest))]


def test_the_super_digest_is_of_the_algorithm_that_is_set():
    name = "super:wjySwxg860UATFtciuZ1lpzrCHrPeov6SPu/ZD56uig="  # of super:test, by SHA-256
    for hash_name, may in (("sha256", True), ("sha1", False)):
        client = Told(opened(digest_hash=hash_name, super_digest=name))
        client.create("/a", acl=JOE)
        proven(client, "digest", b"super:test")
        assert (client.data("/a") is not Code.NOAUTH) is may


def test_scheme_digest_can_be_switched_off():
    client = Told(opened(has_digest=False))
    assert client.create("/a", acl=JOE) is Code.INVALIDACL
    assert client.create("/a", acl=[ACL(31, Id("ip", "127.0.0.1"))]) == "/a"
    assert client.call(OpCode.setACL, SetACLRequest("/a", JOE, -1))[0] is Code.INVALIDACL
    assert proven(client, "digest", b"joe:secret") is Code.AUTHFAILED
    assert client.client.is_closing


def test_lists_can_be_skipped():
    keeper = opened(skips_acl=True)
    client = Told(keeper)
    client.create("/a", acl=JOE)
    assert client.data("/a")[0] == b""
    client.add_watch("/a")
    assert Told(keeper).set("/a", b"new").version == 1
    assert client.events() == ["NodeDataChanged /a"]
    assert identities(client) == [("ip", "127.0.0.1")]  # and it is nobody else for that
    assert client.create("/b", acl=MINE) is Code.INVALIDACL


def test_the_holder_of_a_certificate_may_be_let_do_all():
    keeper = opened(x509_super="CN=root")
    told = Told(keeper)
    told.create("/a", acl=JOE)
    for subject, may in (("CN=joe", False), ("CN=root", True)):
        client = keeper.join("127.0.0.1", is_secure=True, subject=subject)
        told.client, client.session = client, told.client.session
        assert (told.data("/a") is not Code.NOAUTH) is may
    assert identities(told) == [("ip", "127.0.0.1"), ("x509", "CN=root"), ("super", "CN=root")]


@pytest.mark.parametrize(
    ("names", "said", "error"),
    [
        (None, b"goo", Code.AUTHFAILED),  # no such scheme
        ((), b"goo", 0),
        (("woo", "foo"), b"foo", 0),
        (("woo",), b"", 0),
    ],
)
def test_scheme_ensemble(names, said, error):
    client = Told(opened(ensembles=None if names is None else frozenset(names)))
    assert proven(client, "ensemble", said) == error
    assert client.client.is_closing is bool(error)
    assert client.create("/a", acl=[ACL(31, Id("ensemble", "foo"))]) is Code.INVALIDACL


def test_a_client_of_another_ensemble_is_cut_off_without_an_answer():
    keeper = opened(ensembles=frozenset({"woo"}))
    client = Told(keeper)
    with pytest.raises(AssertionError, match="no reply"):
        proven(client, "ensemble", b"goo")
    assert client.client.is_closing
    assert client.client not in keeper.clients
    session = client.client.session
    assert Told(keeper, session=(session.id, session.password)).create("/a") == "/a"


def test_clients_must_prove_who_they_are_in_one_of_the_schemes_required():
    keeper = opened(schemes_required=frozenset({"digest", "x509"}))
    request = CreateRequest("/a", b"", ANYONE, 0)
    for kind, asked in ((OpCode.create, request), (OpCode.ping, None), (OpCode.closeSession, None)):
        client = Told(keeper)
        assert client.call(kind, asked)[0] is Code.SESSIONCLOSEDREQUIRESASLAUTH
        assert client.client.is_closing
    client = Told(keeper)
    assert proven(client, "digest", b"joe:secret") == 0
    assert client.create("/a") == "/a"


@pytest.mark.parametrize(
    ("name", "may"),
    [
        ("user", True), ("service/host.name.com", True), ("user@KERB.REALM", True), ("a/b/c", True),
        ("", True), ("service/host.name.com@KERB.REALM", True), ("a/b/c@d", False),
        ("user@KERB.REALM/server.com", False), ("a@b@c", False),
    ],
)  # fmt: skip
def test_names_of_scheme_sasl(name, may):
    client = Told(opened())
    assert client.create("/a", acl=[ACL(31, Id("sasl", name))]) == ("/a" if may else Code.INVALIDACL)
