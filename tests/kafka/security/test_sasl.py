"""SASL exchanges: the RFCs' own examples, tokens made by MSK's signer, and what must fail."""

import base64
import json

import pytest
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.aws.identity import Identities
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kafka.security.sasl import MECHANISMS, Mechanisms
from cloudlet.kafka.security.scram import SaslFailure, ScramExchange, credential_of, salted_password
from cloudlet.kernel.clock import SystemClock

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")  # of RFC 7677, 3


def credential(mechanism, password, salt=SALT, iterations=4096):
    return credential_of(mechanism, salted_password(mechanism, password, salt, iterations), salt, iterations)


def mechanisms(users=(), clock=None):
    clock = clock or SystemClock()
    found = {(name, user): credential(name, password) for name, user, password in users}
    keys = MemoryKeys(clock.monotonic_ms)
    return Mechanisms(lambda *who: found.get(who), Identities(keys, clock), clock, lambda: "0123456789")


def test_the_example_of_rfc_7677():
    nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    kept = credential("SCRAM-SHA-256", "pencil")
    exchange = ScramExchange("SCRAM-SHA-256", {"user": kept}.get, nonce)
    assert exchange.step(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    final = (
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.principal is None
    assert exchange.step(final) == b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    assert exchange.principal == "User:user"
    with pytest.raises(SaslFailure):
        exchange.step(final)


@pytest.mark.parametrize(
    "first",
    [
        b"n,,n=stranger,r=abc",
        b"n,,n=user",
        b"n,,r=abc,n=user",
        b"n,,n=user,r=",
        b"p=tls-unique,,n=user,r=abc",
        b"n,a=other,n=user,r=abc",
        b"\xff\xff",
        b"",
        b"n,,n=user,r=" + b"a" * 10_000,
    ],
)
def test_what_begins_no_exchange(first):
    exchange = mechanisms([("SCRAM-SHA-512", "user", "pencil")]).begin("SCRAM-SHA-512")
    with pytest.raises(SaslFailure):
        exchange.step(first)
    assert exchange.principal is None


def test_a_proof_of_another_password_or_nonce_fails():
    def prove(password, nonce="abc0123456789", cut=0):
        exchange = mechanisms([("SCRAM-SHA-256", "user", "pencil")]).begin("SCRAM-SHA-256")
        exchange.step(b"n,,n=user,r=abc")
        exchange.step(client_final("SCRAM-SHA-256", password, nonce)[cut:])
        return exchange.principal

    assert prove("pencil") == "User:user"
    assert prove("pencil", "abcabc0123456789") == "User:user"  # as librdkafka before 2.6.1 says it
    for words in (
        ("pencils",),
        ("pencil", "abc"),
        ("pencil", "abc0123456789abc"),
        ("pencil", "abc012345678"),
        ("pencil", "abc0123456789", 3),
    ):
        with pytest.raises(SaslFailure, match="invalid credentials"):
            prove(*words)


def client_final(mechanism, password, nonce):
    """What a client sends for the user `user` who began with the nonce abc."""
    import hashlib
    import hmac

    name = "sha256"
    salted = salted_password(mechanism, password, SALT, 4096)
    key = hmac.digest(salted, b"Client Key", name)
    bare = b"c=biws,r=" + nonce.encode()
    server_first = b"r=abc0123456789,s=" + base64.b64encode(SALT) + b",i=4096"
    signed = b"n=user,r=abc," + server_first + b"," + bare
    signature = hmac.digest(hashlib.new(name, key).digest(), signed, name)
    proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
    return bare + b",p=" + base64.b64encode(proof)


def test_plain_takes_what_a_scram_credential_was_made_from():
    offered = mechanisms([("SCRAM-SHA-512", "alice", "pencil")])
    exchange = offered.begin("PLAIN")
    assert exchange.step(b"\0alice\0pencil") == b""
    assert exchange.principal == "User:alice"
    for message in (b"\0alice\0pencils", b"\0bob\0pencil", b"alice\0pencil", b"bob\0alice\0pencil", b"\0\0x"):
        with pytest.raises(SaslFailure):
            offered.begin("PLAIN").step(message)


def jwt(claims, header=None, signature=""):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part(header or {'alg': 'none'})}.{part(claims)}.{signature}"


def bearer(token):
    return b"n,,\x01auth=Bearer " + token.encode() + b"\x01\x01"


def test_an_unsecured_token_says_who_it_is_until_it_expires():
    now_s = SystemClock().wall_ms() // 1000
    exchange = mechanisms().begin("OAUTHBEARER")
    assert exchange.step(bearer(jwt({"sub": "alice", "exp": now_s + 60}))) == b""
    assert (exchange.principal, exchange.expires_ms) == ("User:alice", (now_s + 60) * 1000)
    for token in (
        jwt({"sub": "alice", "exp": now_s - 1}),
        jwt({"sub": "", "exp": now_s + 60}),
        jwt({"exp": now_s + 60}),
        jwt({"sub": "alice", "exp": now_s + 60, "nbf": now_s + 600}),
        jwt({"sub": "alice", "exp": now_s + 60}, {"alg": "RS256"}, "c2lnbmVk"),
        "no.token.",
        "nothing",
    ):
        exchange = mechanisms().begin("OAUTHBEARER")
        with pytest.raises(SaslFailure) as failure:
            exchange.step(bearer(token))
        assert json.loads(failure.value.challenge) == {"status": "invalid_token"}
        assert exchange.principal is None


def test_a_token_of_msks_signer_is_its_caller(monkeypatch):
    for name, value in (("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")):
        monkeypatch.setenv(name, value)
    token, expires_ms = MSKAuthTokenProvider.generate_auth_token("eu-west-1")
    exchange = mechanisms().begin("OAUTHBEARER")
    assert exchange.step(bearer(token)) == b""
    assert exchange.principal == "User:arn:aws:iam::000000000000:root"
    assert abs(exchange.expires_ms - expires_ms) < 2_000
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    token, _ = MSKAuthTokenProvider.generate_auth_token("eu-west-1")
    with pytest.raises(SaslFailure):
        mechanisms().begin("OAUTHBEARER").step(bearer(token))


def iam_payload(secret="test", action="kafka-cluster:Connect", **changed):
    """What MSK's library for Java sends, signed by botocore."""
    request = AWSRequest("GET", "https://b-1.example/", params={"Action": action})
    SigV4QueryAuth(Credentials("test", secret), "kafka-cluster", "us-east-1", 900).add_auth(request)
    found = AWSRequest("GET", request.url).prepare().url.partition("?")[2]
    from urllib.parse import parse_qsl

    fields = {name.lower(): value for name, value in parse_qsl(found)}
    made = {"version": "2020_10_22", "host": "b-1.example", "user-agent": "test", **fields, **changed}
    return json.dumps(made).encode()


def test_aws_msk_iam():
    exchange = mechanisms().begin("AWS_MSK_IAM")
    answer = json.loads(exchange.step(iam_payload()))
    assert answer == {"version": "2020_10_22", "request-id": "0123456789"}
    assert exchange.principal == "User:arn:aws:iam::000000000000:root"
    for payload in (
        iam_payload("wrong"),
        iam_payload(version="2019"),
        iam_payload(host="b-2.example"),
        iam_payload(action="kafka-cluster:Other"),
        b"{}",
        b"no json",
    ):
        with pytest.raises(SaslFailure, match="Access denied"):
            mechanisms().begin("AWS_MSK_IAM").step(payload)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_rubbish_is_refused_and_harms_nothing(mechanism):
    for message in (b"", b"\x00", b"\xff" * 100, b"n,,", b"{}", b"a" * 100_000):
        exchange = mechanisms([("SCRAM-SHA-256", "user", "pencil")]).begin(mechanism)
        with pytest.raises(SaslFailure):
            exchange.step(message)
        assert exchange.principal is None
