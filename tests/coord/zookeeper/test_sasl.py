"""DIGEST-MD5: the example of RFC 2831, and whole exchanges."""

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.coord.zookeeper.sasl import DigestServer, parse, response_of
from cloudlet.kernel.fault import Fault
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import ACL, Code, CreateRequest, Id, OpCode, SaslToken, WhoAmIResponse

EXAMPLE = (
    b'charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",nc=00000001,'
    b'cnonce="OA6MHXh6VqTrRk",digest-uri="imap/elwood.innosoft.com",'
    b"response=d388dad90d4bbd760a152321f2143af7,qop=auth"
)
USERS = {"joe": "secret", "super": "super_secret"}


def test_the_example_of_the_standard():
    said = parse(EXAMPLE)
    assert response_of(said, "secret", "AUTHENTICATE").encode() == said["response"]
    assert response_of(said, "secret", "") == "ea40f60335c427b5527b84dbabcdfffd"


def answered(challenge, user, password, **changed):
    """What a client says to a challenge."""
    asked = parse(challenge)
    said = {
        "username": user.encode(), "realm": asked["realm"], "nonce": asked["nonce"], "cnonce": b"abc",
        "nc": b"00000001", "qop": b"auth", "digest-uri": b"zookeeper/zk-sasl-md5",
        **{name.replace("_", "-"): value for name, value in changed.items()},
    }  # fmt: skip
    said["response"] = response_of(said, password, "AUTHENTICATE").encode()
    bare = ("nc", "qop", "response")
    return b",".join(
        name.encode() + b"=" + (value if name in bare else b'"' + value + b'"')
        for name, value in said.items()
    )


def test_an_exchange():
    server = DigestServer(USERS, "n0nce")
    challenge = server.step(b"")
    assert parse(challenge)["algorithm"] == b"md5-sess"
    answer = server.step(answered(challenge, "joe", "secret"))
    assert answer.startswith(b"rspauth=")
    assert server.user == "joe"
    with pytest.raises(Fault):
        server.step(b"")


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": b"another"}, {"nc": b"00000002"}, {"qop": b"auth-conf"}, {"digest_uri": b"imap/x"},
        {"authzid": b"super"},
    ],
)  # fmt: skip
def test_what_is_not_as_offered_fails(changed):
    server = DigestServer(USERS, "n0nce")
    challenge = server.step(b"")
    with pytest.raises(Fault):
        server.step(answered(challenge, "joe", "secret", **changed))
    assert server.user is None


@pytest.mark.parametrize(("user", "password"), [("joe", "wrong"), ("nobody", ""), ("nobody", "secret")])
def test_a_wrong_password_fails(user, password):
    server = DigestServer(USERS, "n0nce")
    challenge = server.step(b"")
    with pytest.raises(Fault):
        server.step(answered(challenge, user, password))


@pytest.mark.parametrize("token", [b"=", b"x", b'username="open', b"a=1,a=2", b"x" * 5000, b"\0"])
def test_rubbish_fails(token):
    server = DigestServer(USERS, "n0nce")
    server.step(b"")
    with pytest.raises(Fault):
        server.step(token)


def step(client, token):
    error, body = client.call(OpCode.sasl, SaslToken(token))
    return error, codec(SaslToken).decode(body, 0)[0].token if body else None


def logged_in(client, user="joe", password="secret"):
    error, challenge = step(client, b"")
    assert error == 0
    return step(client, answered(challenge, user, password))


def test_a_client_is_who_it_has_proven_to_be():
    client = Told(opened(sasl_users=USERS))
    secret = [ACL(31, Id("sasl", "joe"))]
    assert client.create("/s", acl=secret) == "/s"
    assert client.data("/s") is Code.NOAUTH
    assert logged_in(client)[0] == 0
    assert client.data("/s")[0] == b""
    assert client.create("/mine", acl=[ACL(31, Id("auth", ""))]) == "/mine"


def test_a_failed_login_ends_the_connection():
    client = Told(opened(sasl_users=USERS))
    challenge = step(client, b"")[1]
    refused = client.call(OpCode.sasl, SaslToken(answered(challenge, "joe", "wrong")))
    assert refused == (Code.AUTHFAILED, b"\xff\xff\xff\xff")  # a token that is null: Java's client reads it
    assert client.client.is_closing


def test_the_super_user_of_sasl():
    keeper = opened(sasl_users={**USERS, "boss": "secret"}, sasl_supers=frozenset({"super", "boss"}))
    client = Told(keeper)
    client.create("/s", acl=[ACL(31, Id("sasl", "joe"))])
    logged_in(client, "super", "super_secret")
    assert client.data("/s")[0] == b""
    client.create("/t", acl=[ACL(31, Id("digest", "joe:bla"))])
    for user, may in (("joe", False), ("boss", True)):
        other = Told(keeper)
        logged_in(other, user, "secret")
        assert (other.data("/t") is not Code.NOAUTH) is may


def test_the_user_super_is_every_user_of_sasl():
    client = Told(opened(sasl_users=USERS))
    client.create("/s", acl=[ACL(31, Id("sasl", "joe"))])
    client.create("/t", acl=[ACL(31, Id("digest", "joe:bla"))])
    logged_in(client, "super", "super_secret")
    assert client.data("/s")[0] == b""
    assert client.data("/t") is Code.NOAUTH


def test_any_user_of_sasl_may_be_let_do_what_one_may():
    keeper = opened(sasl_users=USERS, sasl_anyone="anyone")
    client = Told(keeper)
    client.create("/s", acl=[ACL(1, Id("sasl", "anyone"))])
    client.create("/t", acl=[ACL(1, Id("sasl", "bob"))])
    assert client.data("/s") is Code.NOAUTH
    logged_in(client)
    assert client.data("/s")[0] == b""
    assert client.data("/t") is Code.NOAUTH
    found = client.read(OpCode.whoAmI, None, WhoAmIResponse)
    assert [info.user for info in found.clientInfo] == ["127.0.0.1", "joe"]


def test_clients_whose_login_failed_may_be_kept():
    client = Told(opened(sasl_users=USERS, keeps_failed_sasl=True))
    assert logged_in(client, password="wrong")[0] == 0
    assert not client.client.is_closing
    assert client.create("/s", acl=[ACL(31, Id("auth", ""))]) is Code.INVALIDACL
    assert client.create("/s") == "/s"


def test_without_users_a_null_token_is_answered():
    assert step(Told(opened()), b"") == (0, None)


def test_where_sasl_is_required_nothing_else_is_served_before():
    keeper = opened(sasl_users=USERS, schemes_required=frozenset({"sasl"}))
    client = Told(keeper)
    request = CreateRequest("/a", b"", ANYONE, 0)
    assert client.call(OpCode.create, request)[0] is Code.SESSIONCLOSEDREQUIRESASLAUTH
    assert client.client.is_closing
    other = Told(keeper)
    assert logged_in(other)[0] == 0
    assert other.call(OpCode.create, request)[0] == 0
    failed = Told(keeper)
    challenge = step(failed, b"")[1]
    refused = failed.call(OpCode.sasl, SaslToken(answered(challenge, "joe", "wrong")))
    assert refused == (Code.SESSIONCLOSEDREQUIRESASLAUTH, b"\xff\xff\xff\xff")
    assert failed.client.is_closing
