"""Signed requests sent again and again over kept connections: the client of the comparison.

State   none
Source  botocore signs; RFC 9112
Absent  replies without a length that end with the connection

boto3 takes about 900 us of CPU per call, so a loop of it measures boto3. Here each request is built and
signed once, and its bytes are replayed. Signatures hold for 15 minutes; a batch takes seconds.
"""

from __future__ import annotations

import io
import re
import shutil
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

CONNECTIONS = 16
TIMEOUT_SECONDS = 60.0


class Refused(Exception):
    """A server answered something else than 200; the message has the start of its reply."""


class Caught(Exception):
    """Holds a request back before it is sent."""

    def __init__(self, request: AWSPreparedRequest) -> None:
        self.request = request


class Signer:
    """Builds and signs requests for one server, and calls it where a call is only preparation."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._clients: dict[tuple[str, bool], object] = {}

    def client(self, service: str, *, is_held: bool = False):
        """A client; a held one raises Caught instead of sending."""
        known = self._clients.get((service, is_held))
        if known is not None:
            return known
        made = boto3.session.Session().client(
            service,
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"max_attempts": 0}, read_timeout=TIMEOUT_SECONDS),
        )
        if is_held:
            made.meta.events.register("before-send", hold)
        self._clients[service, is_held] = made
        return made

    def signed(self, service: str, operation: str, **params: object) -> bytes:
        """The bytes that boto3 would send for an operation, but for `Expect`: nobody waits for a 100 here."""
        try:
            getattr(self.client(service, is_held=True), operation)(**params)
        except Caught as caught:
            request = caught.request
            headers = {name: value for name, value in request.headers.items() if name != "Expect"}
            return raw(request.method, request.url, headers, to_bytes(request.body))
        raise AssertionError("the request got away")

    def signed_query(self, service: str, path: str, form: Mapping[str, str]) -> bytes:
        """The same in the query protocol, as SDKs before 2023 speak it to SQS."""
        body = urlencode(form).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest(method="POST", url=self.url + path, headers=headers, data=body)
        SigV4Auth(Credentials("test", "test"), service, "us-east-1").add_auth(request)
        return raw("POST", self.url + path, request.headers, body)


def hold(request: AWSPreparedRequest, **_: object) -> None:
    raise Caught(request)


def raw(method: str, url: str, headers: Mapping[str, object], body: bytes) -> bytes:
    split = urlsplit(url)
    target = (split.path or "/") + (f"?{split.query}" if split.query else "")
    fields = {"Host": split.netloc, "Content-Length": str(len(body))}
    fields |= {name: to_bytes(value).decode("latin-1") for name, value in headers.items()}
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def to_bytes(value: object) -> bytes:
    if value is None:
        return b""
    if isinstance(value, io.IOBase):
        return value.read()
    return value if isinstance(value, bytes) else str(value).encode()


LENGTH = re.compile(rb"\r\ncontent-length:\s*(\d+)", re.IGNORECASE)
CHUNKED = re.compile(rb"\r\ntransfer-encoding:\s*chunked", re.IGNORECASE)
CLOSING = re.compile(rb"\r\nconnection:\s*close|\AHTTP/1\.0", re.IGNORECASE)


class Connection:
    """One connection, made again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None
        self._request = b""

    def send(self, request: bytes) -> None:
        self._request = request
        if self._socket is None:
            self._connect()
        assert self._socket is not None
        try:
            self._socket.sendall(request)
        except OSError:
            self._connect()
            self._socket.sendall(request)

    def _connect(self) -> None:
        self.close()
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> bytes:
        """The whole reply, head and body."""
        assert self._socket is not None
        reply = self._part()
        if not reply:  # an idle connection was closed as the request went out
            self._connect()
            self._socket.sendall(self._request)
            reply = self._part()
        while not is_whole(reply):
            missing = missing_bytes(reply)
            parts = [reply]
            while missing > 0 or len(parts) == 1:
                parts.append(self._part())
                missing -= len(parts[-1])
                if not parts[-1]:
                    raise Refused(f"the server closed the connection after {reply[:200]!r}")
            reply = b"".join(parts)
        if CLOSING.search(reply.partition(b"\r\n\r\n")[0]):
            self.close()
        return reply

    def _part(self) -> bytes:
        assert self._socket is not None
        try:
            return self._socket.recv(1 << 20)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def missing_bytes(reply: bytes) -> int:
    """How much of a reply of known length is still to come; 0 where nobody knows."""
    head, mark, body = reply.partition(b"\r\n\r\n")
    length = LENGTH.search(head)
    return int(length[1]) - len(body) if mark and length is not None else 0


def is_whole(reply: bytes) -> bool:
    head, mark, body = reply.partition(b"\r\n\r\n")
    if not mark:
        return False
    length = LENGTH.search(head)
    if length is not None:
        return len(body) >= int(length[1])
    return bool(CHUNKED.search(head)) and body.endswith(b"0\r\n\r\n")


class Replayer:
    """Sends one request again and again over kept connections, one in flight on each."""

    def __init__(self, port: int) -> None:
        self._connections = [Connection(port) for _ in range(CONNECTIONS)]

    def replay(self, request: bytes, count: int, expected: bytes) -> None:
        """`count` times; Refused unless each reply is a 200 that holds `expected`."""
        left = count
        while left:
            wave = self._connections[:left]
            for connection in wave:
                connection.send(request)
            for connection in wave:
                reply = connection.receive()
                if reply[9:12] != b"200" or expected not in reply:
                    raise Refused(reply[:400].decode("utf-8", "replace"))
            left -= len(wave)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def wrk_rate(port: int, request: bytes, seconds: int, folder: Path) -> float | None:
    """Requests per second by wrk, a faster client than ours; None without it, or when a reply is no 200."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return None
    script = folder / "wrk.lua"
    # wrk sends what `request` returns as it is; the bytes go over as a Lua string of escapes.
    escaped = "".join(f"\\{byte:03d}" for byte in request)
    script.write_text(f'local bytes = "{escaped}"\nfunction request() return bytes end\n', encoding="ascii")
    command = [wrk, "-t1", "-c32", f"-d{seconds}s", "-s", str(script), f"http://127.0.0.1:{port}/"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60, check=False)
    found = re.search(r"Requests/sec:\s+([\d.]+)", ended.stdout)
    if found is None or "Non-2xx" in ended.stdout:
        return None
    return float(found[1])
