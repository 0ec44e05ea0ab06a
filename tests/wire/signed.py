"""Requests signed by botocore, in the shape in which they reach us."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest import mock

import msgspec
import pytest
from botocore.auth import BaseSigner, S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head, Request
from cloudlet.wire.http1_receiver import Opening, ReceiveLimits, Receiver
from cloudlet.wire.sigv4 import Claim, read_credential
from cloudlet.wire.sigv4_verify import Verifier

NOW_MS = 1_700_000_000_000
KEY = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
CREDENTIALS = Credentials(KEY, SECRET)


@contextmanager
def frozen(now_ms: int = NOW_MS) -> Iterator[None]:
    """botocore signs at this time."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        yield


def sign(
    signer: BaseSigner,
    method: str = "POST",
    url: str = "http://localhost:4566/",
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    now_ms: int = NOW_MS,
) -> Request:
    """Sign with one of botocore's signers, and read the request off the wire."""
    request = AWSRequest(method=method, url=url, headers=dict(headers or {}), data=body)
    with frozen(now_ms):
        signer.add_auth(request)
    return received(method, request.url, request.headers.items(), body)


def received(method: str, url: str, headers: Iterable[tuple[object, object]], body: bytes) -> Request:
    """The request as our HTTP codec reads it."""
    found = re.match(r"\w+://([^/?]*)(.*)", url)  # urlsplit refuses hosts that we want to see refused
    assert found is not None
    target = found[2] or "/"
    fields = {"Host": found[1], "Content-Length": str(len(body))}
    fields.update({str(name): to_text(value) for name, value in headers if str(name).lower() != "host"})
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    wire = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    first, *others = Receiver(ReceiveLimits(body_buffer_max=1 << 30)).feed(wire)
    if isinstance(first, Opening):  # it expects 100-continue
        return Request(
            first.head, b"".join(each for each in others if isinstance(each, bytes)), "", secure=False
        )
    assert isinstance(first, Request), first
    return first


def to_text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def sigv4(service: str = "sqs", token: str | None = None) -> SigV4Auth:
    return SigV4Auth(Credentials(KEY, SECRET, token), service, "us-east-1")


def s3() -> S3SigV4Auth:
    return S3SigV4Auth(CREDENTIALS, "s3", "us-east-1")


def claim_of(head: Head) -> Claim:
    claim = read_credential(head)
    assert claim is not None
    return claim


def verify(request: Request, now_ms: int = NOW_MS, secret: str = SECRET) -> Fault | None:
    return Verifier().verify(claim_of(request.head), request.head, request.body, secret, now_ms)


def changed(request: Request, *, headers: dict[bytes, bytes] | None = None, **fields: object) -> Request:
    head = request.head
    if headers:
        fields["headers"] = head.headers | headers
    body = fields.pop("body", request.body)
    return msgspec.structs.replace(request, head=msgspec.structs.replace(head, **fields), body=body)


def refusal(head: Head) -> tuple[str, str]:
    with pytest.raises(Fault) as caught:
        read_credential(head)
    return caught.value.code, caught.value.message


def code(fault: Fault | None) -> str | None:
    return fault.code if fault else None
