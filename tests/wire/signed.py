"""Requests signed by botocore, in the shape in which they reach us."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from unittest import mock
from urllib.parse import urlsplit

from botocore.auth import BaseSigner
from botocore.awsrequest import AWSRequest

from cloudlet.wire.http1 import Request
from cloudlet.wire.http1_receiver import ReceiveLimits, Receiver

NOW_MS = 1_700_000_000_000
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


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


def received(method: str, url: str, headers: object, body: bytes) -> Request:
    """The request as our HTTP codec reads it."""
    parts = urlsplit(url)
    target = url[len(parts.scheme) + 3 + len(parts.netloc) :] or "/"
    fields = {"Host": parts.netloc, "Content-Length": str(len(body))}
    fields.update({str(name): to_text(value) for name, value in headers if str(name).lower() != "host"})  # type: ignore[attr-defined]
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    wire = "\r\n".join(lines).encode() + b"\r\n\r\n" + body
    [request] = Receiver(ReceiveLimits(body_buffer_max=1 << 30)).feed(wire)
    assert isinstance(request, Request), request
    return request


def to_text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
