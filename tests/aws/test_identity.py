from __future__ import annotations

import asyncio
from hashlib import sha256

import msgspec
import pytest
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.credentials import Credentials
from tests.wire.signed import NOW_MS, received, sign

from cloudlet.aws.identity import (
    AccessKey,
    Caller,
    Identities,
    PrincipalType,
    account_of_key,
    in_json,
    key_of,
    root_of,
    unique_id,
)
from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.kernel.tuples import pack
from cloudlet.wire.aws_chunked import Chain
from cloudlet.wire.http1 import Request
from cloudlet.wire.sigv4 import read_credential
from cloudlet.wire.sigv4_verify import signing_key

ROOT = "000000000000"
USER = AccessKey("user-secret", "111122223333", "arn:aws:iam::111122223333:user/eve", "AIDA0", "IAMUser")
SESSION = AccessKey(
    "session-secret",
    "111122223333",
    "arn:aws:sts::111122223333:assumed-role/r/s",
    "AROA0:s",
    "AssumedRole",
    session_token="the/token==",
    expires_ms=NOW_MS + 60_000,
)


class Desk:
    """An Identities over stored keys, and a clock to move."""

    def __init__(self, *, is_strict: bool = False, **keys: AccessKey) -> None:
        self.clock = ManualClock(NOW_MS)
        store = MemoryKeys(self.clock.monotonic_ms)
        puts = [Put(pack(key_of(name)), msgspec.msgpack.encode(key)) for name, key in keys.items()]
        asyncio.run(store.commit(Commit(Author("test"), put=puts)))
        self.identities = Identities(store, self.clock, is_strict=is_strict)

    def caller(self, request: Request, *, is_free: bool = False) -> Caller:
        return self.identities.caller(
            read_credential(request.head), request.head, request.body, is_free=is_free
        )

    def code(self, request: Request) -> tuple[str, int]:
        with pytest.raises(Fault) as caught:
            self.caller(request)
        return caught.value.code, caught.value.status


def signed(key: str, secret: str, token: str | None = None, service: str = "sqs") -> Request:
    signer = S3SigV4Auth if service == "s3" else SigV4Auth
    return sign(signer(Credentials(key, secret, token), service, "us-east-1"), body=b"{}")


def test_test_is_root_of_the_default_account_and_verified() -> None:
    desk = Desk()
    caller = desk.caller(signed("test", "test"))
    assert caller == Caller(ROOT, f"arn:aws:iam::{ROOT}:root", ROOT, "test", "Root", root=True)
    assert desk.code(signed("test", "other")) == ("SignatureDoesNotMatch", 403)
    assert desk.caller(signed("test", "test", "any-token")).root


def test_twelve_digits_are_root_of_that_account() -> None:
    desk = Desk()
    assert desk.caller(signed("123456789012", "anything")) == root_of("123456789012", "123456789012")
    strict = Desk(is_strict=True)
    assert strict.caller(signed("123456789012", "test")).account == "123456789012"
    assert strict.code(signed("123456789012", "anything")) == ("SignatureDoesNotMatch", 403)
    assert account_of_key("12345678901") is account_of_key("12345678901a") is account_of_key("١" * 12) is None


@pytest.mark.parametrize(("service", "code"), [("sqs", "InvalidClientTokenId"), ("s3", "InvalidAccessKeyId")])
def test_an_unknown_key_is_root_unless_strict(service: str, code: str) -> None:
    request = signed("AKIAIOSFODNN7EXAMPLE", "anything", service=service)
    assert Desk().caller(request) == root_of(ROOT, "AKIAIOSFODNN7EXAMPLE")
    assert Desk(is_strict=True).code(request) == (code, 403)
    assert Desk(is_strict=True).code(signed("test", "test", "unknown token", service)) == (code, 403)


def test_a_body_that_is_not_the_one_hashed_is_refused_without_a_secret_too() -> None:
    request = signed("AKIAIOSFODNN7EXAMPLE", "anything", service="s3")
    assert Desk().code(msgspec.structs.replace(request, body=b"other")) == ("XAmzContentSHA256Mismatch", 400)


def test_a_made_key_is_its_principal_and_always_verified() -> None:
    desk = Desk(AKIAUSER=USER)
    caller = desk.caller(signed("AKIAUSER", "user-secret"))
    assert caller == Caller(
        "111122223333", "arn:aws:iam::111122223333:user/eve", "AIDA0", "AKIAUSER", "IAMUser", root=False
    )
    assert desk.code(signed("AKIAUSER", "wrong")) == ("SignatureDoesNotMatch", 403)
    assert desk.code(signed("AKIAUSER", "user-secret", "a token")) == ("InvalidClientTokenId", 403)
    assert desk.code(signed("AKIAUSER", "user-secret", "a token", "s3")) == ("InvalidToken", 400)


def test_an_inactive_key_is_refused() -> None:
    desk = Desk(AKIAUSER=msgspec.structs.replace(USER, is_active=False))
    assert desk.code(signed("AKIAUSER", "user-secret")) == ("InvalidClientTokenId", 403)
    assert desk.code(signed("AKIAUSER", "user-secret", service="s3")) == ("InvalidAccessKeyId", 403)


def test_a_temporary_key_needs_its_token_and_ends() -> None:
    desk = Desk(ASIASESSION=SESSION)
    good = signed("ASIASESSION", "session-secret", "the/token==")
    caller = desk.caller(good)
    assert (caller.arn, caller.is_temporary, caller.root) == (SESSION.arn, True, False)
    assert desk.code(signed("ASIASESSION", "session-secret")) == ("InvalidClientTokenId", 403)
    assert desk.code(signed("ASIASESSION", "session-secret", "the/token=")) == ("InvalidClientTokenId", 403)
    assert desk.code(signed("ASIASESSION", "session-secret", service="s3")) == ("InvalidAccessKeyId", 403)
    assert desk.code(signed("ASIASESSION", "session-secret", "no", "s3")) == ("InvalidToken", 400)
    desk.clock.advance_ms(8 * 86_400_000)
    assert desk.caller(good).is_temporary, "cloud time ends no session: its client has a clock of its own"
    desk.clock.pass_ms(59_999)
    assert desk.caller(good).is_temporary
    desk.clock.pass_ms(1)
    assert desk.code(good) == ("ExpiredToken", 403)
    assert desk.code(signed("ASIASESSION", "session-secret", "the/token==", "s3")) == ("ExpiredToken", 400)


def test_root_may_hold_a_temporary_key() -> None:
    kind: PrincipalType = "Root"
    key = msgspec.structs.replace(SESSION, principal_type=kind, arn=f"arn:aws:iam::{ROOT}:root", account=ROOT)
    caller = Desk(ASIAROOT=key).caller(signed("ASIAROOT", "session-secret", "the/token=="))
    assert (caller.root, caller.is_temporary) == (True, True)


def test_nobody_calls_only_what_is_free() -> None:
    request = received("POST", "http://localhost:4566/", {}.items(), b"")
    assert Desk().code(request) == ("MissingAuthenticationToken", 403)
    caller = Desk().caller(request, is_free=True)
    assert (caller.principal_type, caller.root, caller.account) == ("Anonymous", False, ROOT)


def test_signature_is_compared_with_wall_time_and_not_with_a_moved_clock() -> None:
    desk = Desk()
    desk.clock.advance_ms(30 * 24 * 3_600_000)
    assert desk.caller(signed("test", "test")).root


def test_chunks_are_verified_where_the_request_was() -> None:
    desk = Desk(AKIAUSER=USER)
    for key, secret, is_verified in [
        ("test", "test", True),
        ("AKIAUSER", "user-secret", True),
        ("AKIAOTHER", "x", False),
        ("123456789012", "x", False),
    ]:
        claim = read_credential(signed(key, secret).head)
        assert claim is not None
        assert (desk.identities.signing_key(claim) is not None) is is_verified


def test_a_streamed_body_is_read_as_its_caller_is_verified() -> None:
    data = b"hello"
    for key, secret, is_verified in [("test", "test", True), ("AKIAOTHER", "x", False)]:
        signer = S3SigV4Auth(Credentials(key, secret), "s3", "us-east-1")
        signer.payload = lambda request: "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"  # type: ignore[method-assign]
        headers = {"x-amz-decoded-content-length": str(len(data))}
        request = sign(signer, "PUT", "http://localhost/b/k", headers)
        claim = read_credential(request.head)
        assert claim is not None
        desk = Desk()
        assert desk.identities.caller(claim, request.head, None).root
        link = Chain(
            signing_key(secret, claim.signing.scope), claim.amz_date, claim.signing.scope, claim.signature
        )
        good = b"".join(
            b"%x;chunk-signature=%b\r\n%b%b"
            % (len(part), link.sign_chunk(sha256(part).hexdigest().encode()), part, b"\r\n")
            for part in (data, b"")
        )
        assert read_body(desk, request, good) == data
        bad = good.replace(b"hello", b"hella")
        if is_verified:
            with pytest.raises(Fault, match="does not match the signature"):
                read_body(desk, request, bad)
        else:
            assert read_body(desk, request, bad) == b"hella"


def read_body(desk: Desk, request: Request, body: bytes) -> bytes:
    reader = desk.identities.body(read_credential(request.head), request.head)
    data = b"".join(reader.feed(body))
    reader.finish()
    return data


def test_json_services_spell_the_codes_their_way() -> None:
    assert in_json(Fault("InvalidClientTokenId", "m", status=403)).code == "UnrecognizedClientException"
    other = Fault("QueueDoesNotExist")
    assert in_json(other) is other


def test_unique_ids_look_like_those_of_iam() -> None:
    made = unique_id("AIDA", bytes(range(10)))
    assert len(made) == 20
    assert made.isalnum()
    assert made.isupper()
