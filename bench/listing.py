"""Listings of large buckets: CPU per page, near the front and far in, and of common prefixes.

`python -m bench.listing [KEYS]`. The service is called in this process, from parsed members to the reply's
bytes, without HTTP, over the disk engine; the client's cost is not in the figures.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from cloudlet.aws.call import Call
from cloudlet.aws.identity import root_of
from cloudlet.aws.models import Models
from cloudlet.aws.record import encode, packed
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.blobs_memory import MemoryBlobs
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Commit, Put
from cloudlet.kernel.logs_memory import MemoryLogs
from cloudlet.services.s3.parts import Part, parts_key
from cloudlet.services.s3.state import Object, Piece, object_key
from cloudlet.shell.aws_face import AwsFace
from cloudlet.wire.http1 import Head

KEYS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
PAGES = 100_000
REPEATS = 20
HEAD = Head(
    "GET", b"/", b"/", b"", {}, keep_alive=True, content_length=0, chunked=False, expect_continue=False
)


class Bucket:
    """S3's operations, called with plain members."""

    def __init__(self, face: AwsFace, clock: SystemClock) -> None:
        self._face = face
        self._clock = clock
        self._service = face.catalogue.service("s3")

    async def call(self, name: str, **members: object) -> tuple[dict[str, object], float, float]:
        """The result, and the CPU seconds of deciding and of writing the reply."""
        operation = self._service.operation(name, "rest-xml")
        struct = type(operation.codec.parse(HEAD, b"", {"Bucket": "b", "Key": "k"}))
        clock = self._clock
        call = Call(
            root_of("000000000000"),
            "us-east-1",
            "id",
            clock,
            clock.monotonic_ms(),
            base_url="http://localhost",
        )
        params = struct(**members)
        started = time.process_time()
        result = await self._face.desk.run(call, lambda rq: operation.declared.act(rq, params) or {})
        decided = time.process_time()
        operation.codec.reply(result, "id")
        return result, decided - started, time.process_time() - decided


def row(name: str, seconds: float) -> None:
    print(f"| {name} | {seconds * 1e3:.2f} ms CPU |", flush=True)


async def lay(keys: DiskKeys, puts: list[Put]) -> None:
    for at in range(0, len(puts), 100):
        await keys.commit(Commit(Author("bench"), put=puts[at : at + 100]))


async def pages(bucket: Bucket) -> None:
    """A listing of PAGES keys from front to end."""
    decide: list[float] = []
    reply: list[float] = []
    token: dict[str, object] = {}
    while True:
        result, deciding, replying = await bucket.call("ListObjectsV2", Bucket="plain", **token)
        decide.append(deciding)
        reply.append(replying)
        if not result["IsTruncated"]:
            break
        token = {"ContinuationToken": result["NextContinuationToken"]}
    first, last = sorted(decide[1:21])[10], sorted(decide[-20:])[10]
    row(f"a page of 1,000 near the front (median of 20), of {len(decide)}", first)
    row("a page of 1,000 near the end (median of 20)", last)
    row("its reply as XML", sorted(reply)[len(reply) // 2])


async def prefixes(bucket: Bucket) -> None:
    """Ten prefixes over all keys."""
    spent = []
    for _ in range(REPEATS):
        result, deciding, replying = await bucket.call("ListObjectsV2", Bucket="deep", Delimiter="/")
        assert len(result["CommonPrefixes"]) == 10
        spent.append(deciding + replying)
    row(f"ten common prefixes over {KEYS:,} keys, reply and all", sorted(spent)[REPEATS // 2])


async def completing(bucket: Bucket, keys: DiskKeys) -> None:
    """An upload of 10,000 parts becomes an object."""
    made, _, _ = await bucket.call("CreateMultipartUpload", Bucket="plain", Key="large")
    upload = made["UploadId"]
    parts = [
        Part(BlobId(f"{n:026}"), 8 << 20, n.to_bytes(16, "big"), {"CRC64NVME": n.to_bytes(8, "big")}, 1)
        for n in range(1, 10_001)
    ]
    space = parts_key("plain", upload)
    await lay(keys, [Put(packed((*space, n)), encode(part)) for n, part in enumerate(parts, 1)])
    operation = bucket._service.operation("CompleteMultipartUpload", "rest-xml")
    listed = "".join(
        f"<Part><PartNumber>{n}</PartNumber><ETag>{part.md5.hex()}</ETag></Part>"
        for n, part in enumerate(parts, 1)
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    started = time.process_time()
    parsed = operation.codec.parse(HEAD, body, {"Bucket": "plain", "Key": "large"})
    row("reading a list of 10,000 parts", time.process_time() - started)
    _, deciding, _ = await bucket.call(
        "CompleteMultipartUpload", Bucket="plain", Key="large", UploadId=upload,
        MultipartUpload=parsed.MultipartUpload,
    )  # fmt: skip
    row("completing 10,000 parts in one commit", deciding)


async def main() -> None:
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        keys = await DiskKeys.open(Path(folder) / "keys", clock.monotonic_ms)
        face = AwsFace(keys, MemoryLogs(), MemoryBlobs(clock, Ids()), clock, Ids(), models=Models())
        bucket = Bucket(face, clock)
        for name in ("plain", "deep"):
            await bucket.call("CreateBucket", Bucket=name)
        found = encode(Object(1, "null", 1_700_000_000_000, 3, "0" * 32, (Piece(BlobId("0" * 26), 3),)))
        await lay(keys, [Put(packed(object_key("plain", f"{n:07}")), found) for n in range(PAGES)])
        for ten in range(10):
            names = [object_key("deep", f"{ten}/{n:07}") for n in range(KEYS // 10)]
            await lay(keys, [Put(packed(name), found) for name in names])
        print("| what | cost |\n|---|---|")
        await pages(bucket)
        await prefixes(bucket)
        await completing(bucket, keys)
        await face.close()
        await keys.close()


if __name__ == "__main__":
    asyncio.run(main())
