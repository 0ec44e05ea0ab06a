"""Interim routing.

State   none
Source  none
Absent  rest, cbor
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import parse_qsl

from cloudlet.aws.models import Models
from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head


class Route(NamedTuple):
    service: str
    operation: str
    protocol: str
    labels: dict[str, str]


class Router:
    def __init__(self, models: Models) -> None:
        self._models = models

    def route(self, head: Head, body: bytes, signing_name: str | None) -> Route:
        target = head.headers.get(b"x-amz-target")
        if target is not None:
            prefix, _, operation = target.decode().partition(".")
            service = {"AmazonSQS": "sqs", "AmazonSSM": "ssm"}.get(prefix)
            if service is None:
                raise Fault("UnknownOperationException", prefix, status=404)
            return Route(service, operation, "json", {})
        form = dict(parse_qsl((body or head.query).decode("latin-1")))
        if "Action" in form:
            return Route(signing_name or "sts", form["Action"], "query", {})
        raise Fault("NotImplemented", f"{head.method} {head.path!r}", status=501)
