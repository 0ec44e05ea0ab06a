"""Large S3 objects: the rate and the server's CPU of 64 MiB, and its memory while 5 GiB go through.

State   none
Source  docs/architecture.md
Absent  other clouds: moto and ministack hold a body whole in memory, so 5 GiB would be theirs

`python -m bench.objects [GIBIBYTES]`. One connection; the server may use every core, as it hashes in threads
beside the loop. Bodies are sent unsigned with their CRC32 in a header, as SDKs do over HTTPS; what is read is
not looked at beyond its length.
"""

from __future__ import annotations

import base64
import os
import socket
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from bench.gateway import first_request
from bench.peers import CORES, Server, cloudlet, machine
from bench.replay import Signer

MIB = 1 << 20
BLOCK = bytes(range(256)) * (4 * MIB // 256)
ROUNDS = 7
MEDIUM_BYTES = 64 * MIB
PART_BYTES = 512 * MIB
RECEIVE_BYTES = 4 * MIB


class Client:
    """One connection that puts and gets bodies made of blocks."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._netloc = urlsplit(url).netloc
        host, _, port = self._netloc.rpartition(":")
        self._socket = socket.create_connection((host, int(port)), timeout=600)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray(RECEIVE_BYTES)

    def head(self, method: str, path: str, headers: dict[str, str]) -> bytes:
        """The signed head of a request whose payload is not signed."""
        request = AWSRequest(method=method, url=self._url + path, headers=headers)
        request.context["client_config"] = Config(s3={"payload_signing_enabled": False})
        S3SigV4Auth(Credentials("test", "test"), "s3", "us-east-1").add_auth(request)
        lines = [f"{name}: {value}" for name, value in request.headers.items()]
        start = f"{method} {path} HTTP/1.1\r\nHost: {self._netloc}\r\n"
        return (start + "\r\n".join(lines) + "\r\n\r\n").encode()

    def put(self, path: str, size: int, pieces: Sequence[bytes] | None = None) -> str:
        """Send a body, of blocks if it is not said; its ETag."""
        checksum = base64.b64encode(crc_of(pieces or blocks(size)).to_bytes(4, "big")).decode()
        self._socket.sendall(
            self.head("PUT", path, {"Content-Length": str(size), "x-amz-checksum-crc32": checksum})
        )
        for block in pieces or blocks(size):
            self._socket.sendall(block)
        head, _ = self._reply()
        return head.get("etag", "")

    def get(self, path: str) -> int:
        """Read a body to its end; its length."""
        self._socket.sendall(self.head("GET", path, {}))
        head, came = self._reply()
        length = int(head["content-length"])
        while came < length:
            count = self._socket.recv_into(self._buffer)
            if not count:
                raise ConnectionError("the body broke off")
            came += count
        return came

    def close(self) -> None:
        self._socket.close()

    def _reply(self) -> tuple[dict[str, str], int]:
        """The head of a reply, and how much of its body has come with it."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._socket.recv(65536)
        text, _, rest = data.partition(b"\r\n\r\n")
        status, *lines = text.decode().split("\r\n")
        if " 200 " not in status:
            raise ConnectionError(data.decode("utf-8", "replace"))
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, len(rest)


def blocks(size: int) -> Iterator[bytes]:
    """A body, a block at a time."""
    for at in range(0, size, len(BLOCK)):
        yield BLOCK if size - at >= len(BLOCK) else BLOCK[: size - at]


def crc_of(pieces: Iterable[bytes]) -> int:
    found = 0
    for block in pieces:
        found = zlib.crc32(block, found)
    return found


def timed(server: Server, call, *arguments: object) -> tuple[float, float]:
    """(wall seconds, the server's CPU seconds) of a call."""
    began_s, began_cpu_s = time.perf_counter(), server.cpu_s()
    call(*arguments)
    return time.perf_counter() - began_s, server.cpu_s() - began_cpu_s


def rates(server: Server, client: Client) -> None:
    """64 MiB, again and again; the checksum that the client sends is computed before the clock starts."""
    size = MEDIUM_BYTES
    checksum = base64.b64encode(crc_of(blocks(size)).to_bytes(4, "big")).decode()
    body = b"".join(blocks(size))

    def put(number: int) -> None:
        headers = {"Content-Length": str(size), "x-amz-checksum-crc32": checksum}
        client._socket.sendall(client.head("PUT", f"/bench/medium-{number}", headers))
        client._socket.sendall(body)
        client._reply()

    puts = [timed(server, put, number) for number in range(ROUNDS)]
    gets = [timed(server, client.get, f"/bench/medium-{number}") for number in range(ROUNDS)]
    for name, found in (("PUT", puts), ("GET", gets)):
        wall_s, cpu_s = median(each[0] for each in found), median(each[1] for each in found)
        print(f"| {name} of 64 MiB | {size / wall_s / 1e6:,.0f} MB/s | {cpu_s * 1e3:.0f} ms |", flush=True)


def memory(server: Server, client: Client, gibibytes: int) -> None:
    """One large object each way, in one request and in parts."""
    size = gibibytes << 30
    rows = [("before", server.memory_kib()[0], 0.0)]
    wall_s, _ = timed(server, client.put, "/bench/large", size)
    rows.append((f"PUT of {gibibytes} GiB", server.memory_kib()[0], wall_s))
    wall_s, _ = timed(server, client.get, "/bench/large")
    rows.append((f"GET of {gibibytes} GiB", server.memory_kib()[0], wall_s))
    s3 = Signer(server.url).client("s3")
    upload = s3.create_multipart_upload(Bucket="bench", Key="parts", ChecksumAlgorithm="CRC32")["UploadId"]
    checksum = base64.b64encode(crc_of(blocks(PART_BYTES)).to_bytes(4, "big")).decode()
    began_s = time.perf_counter()
    parts = []
    for number in range(1, size // PART_BYTES + 1):
        etag = client.put(f"/bench/parts?partNumber={number}&uploadId={upload}", PART_BYTES)
        parts.append({"PartNumber": number, "ETag": etag, "ChecksumCRC32": checksum})
    s3.complete_multipart_upload(
        Bucket="bench", Key="parts", UploadId=upload, MultipartUpload={"Parts": parts}
    )
    rows.append((f"{gibibytes} GiB in parts", server.memory_kib()[0], time.perf_counter() - began_s))
    assert s3.head_object(Bucket="bench", Key="parts")["ContentLength"] == size
    print("\n|  | RSS, MiB | seconds |\n| --- | --- | --- |")
    for name, kib, spent_s in rows:
        print(f"| {name} | {kib / 1024:.1f} | {spent_s:.1f} |", flush=True)


def main() -> None:
    gibibytes = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print(f"{machine()}\n\n|  | rate | CPU of the server |\n| --- | --- | --- |", flush=True)
    with tempfile.TemporaryDirectory() as home:
        server = Server(cloudlet(), Path(home))
        try:
            server.first_answer_s(first_request)
            for pid in server.processes():
                os.sched_setaffinity(pid, CORES)
            Signer(server.url).client("s3").create_bucket(Bucket="bench")
            client = Client(server.url)
            rates(server, client)
            memory(server, client, gibibytes)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
