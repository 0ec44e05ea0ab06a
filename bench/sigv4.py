"""What a signature costs: us of CPU per request read and verified, MB per CPU-second of chunked bodies.

State   none
Source  botocore signs; figures in docs/decisions and in the changelog are from this file
Absent  none

    python bench/sigv4.py

Each figure is the best of many short runs, so that a shared machine disturbs it little.
"""

from __future__ import annotations

import os
import sys
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]  # our own folder goes: its http.py hides the library's

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth  # noqa: E402
from botocore.awsrequest import AWSRequest  # noqa: E402
from botocore.credentials import Credentials  # noqa: E402
from tests.wire.signed import NOW_MS, sign  # noqa: E402

from cloudlet.aws.origin import OriginGuard  # noqa: E402
from cloudlet.wire.aws_chunked import Chain, ChunkDecoder  # noqa: E402
from cloudlet.wire.checksums import DIGEST_BYTES, checksum  # noqa: E402
from cloudlet.wire.sigv4 import read_credential  # noqa: E402
from cloudlet.wire.sigv4_verify import EMPTY_SHA256, Verifier, signing_key  # noqa: E402

CALLS = 20_000
ROUNDS = 15
MIB = 1 << 20
SCOPE = b"20260101/us-east-1/s3/aws4_request"


def best_us(function: Callable[[], object]) -> float:
    return min(timeit.repeat(function, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def requests() -> None:
    credentials = Credentials("test", "test")
    token = Credentials("test", "test", "x" * 400)
    fields = {"X-Amz-Target": "AmazonSQS.SendMessage", "Content-Type": "application/x-amz-json-1.0"}
    cases = {
        "sqs, 300 B body, 4 signed headers": sign(
            SigV4Auth(credentials, "sqs", "us-east-1"), headers=fields, body=b"x" * 300
        ),
        "the same with a session token": sign(
            SigV4Auth(token, "sqs", "us-east-1"), headers=fields, body=b"x" * 300
        ),
        "s3 PUT, 300 B body": sign(
            S3SigV4Auth(credentials, "s3", "us-east-1"), "PUT", "http://localhost:4566/b/k", body=b"x" * 300
        ),
        "s3 presigned GET": sign(
            S3SigV4QueryAuth(credentials, "s3", "us-east-1"), "GET", "http://localhost:4566/b/k"
        ),
    }
    print(f"{'us of CPU per request':36} {'guard':>6} {'read':>6} {'verify':>7} {'botocore signs':>15}")
    guard = OriginGuard()
    for name, request in cases.items():
        verifier = Verifier()
        head, body = request.head, request.body
        claim = read_credential(head)
        assert claim is not None
        assert verifier.verify(claim, head, body, "test", NOW_MS) is None
        guarded = best_us(lambda head=head: guard.refusal(head))
        read = best_us(lambda head=head: read_credential(head))
        verify = best_us(
            lambda verifier=verifier, claim=claim, head=head, body=body: verifier.verify(
                claim, head, body, "test", NOW_MS
            )
        )
        signed = signing_us(fields, credentials) if name.startswith("sqs") else None
        print(f"{name:36} {guarded:6.2f} {read:6.2f} {verify:7.2f} {(signed and round(signed)) or '':>15}")


def signing_us(fields: dict[str, str], credentials: Credentials) -> float:
    """What the client pays for the same signature."""
    signer = SigV4Auth(credentials, "sqs", "us-east-1")
    request = AWSRequest(method="POST", url="http://localhost:4566/", headers=fields, data=b"x" * 300)
    now = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        return min(timeit.repeat(lambda: signer.add_auth(request), number=500, repeat=9)) / 500 * 1e6


def bodies() -> None:
    data = os.urandom(64 * 1024)
    print("\nMB per CPU-second, 64 MiB")
    for is_signed in (False, True):
        key = signing_key("test", SCOPE)
        link = Chain(key, b"20260101T000000Z", SCOPE, b"0" * 64)
        digest = sha256(data).hexdigest().encode()
        framed = bytearray()
        for _ in range(1024):
            mark = b";chunk-signature=" + link.sign_chunk(digest) if is_signed else b""
            framed += b"%x%b\r\n%b\r\n" % (len(data), mark, data)
        mark = b";chunk-signature=" + link.sign_chunk(EMPTY_SHA256) if is_signed else b""
        framed += b"0%b\r\n\r\n" % mark
        whole = bytes(framed)
        pieces = [whole[at : at + 256 * 1024] for at in range(0, len(whole), 256 * 1024)]

        def decode(is_signed: bool = is_signed, pieces: list[bytes] = pieces) -> None:
            link = Chain(signing_key("test", SCOPE), b"20260101T000000Z", SCOPE, b"0" * 64)
            decoder = ChunkDecoder(64 * MIB, is_signed=is_signed, chain=link if is_signed else None)
            for piece in pieces:
                decoder.feed(piece)
            decoder.finish()

        best = min(timeit.repeat(decode, number=1, repeat=5))
        print(f"aws-chunked, {'signed' if is_signed else 'unsigned':28} {64 * MIB / 1e6 / best:10,.0f}")
    block = os.urandom(MIB)
    for algorithm in DIGEST_BYTES:
        best = min(timeit.repeat(lambda name=algorithm: checksum(name).update(block), number=4, repeat=7)) / 4
        print(f"{algorithm:41} {MIB / 1e6 / best:10,.0f}")


if __name__ == "__main__":
    requests()
    bodies()
