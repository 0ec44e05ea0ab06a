"""A million keys and ten thousand watches: whether latency stays what it was, on cloudlet and Debian's etcd.

`python -m bench.coord_scale [KEYS [WATCHES [SECONDS]]]` (1,000,000, 10,000, 10): one table. A few clients put
and get at a modest, even rate while the store is small, when it is full, when it is watched, and while it is
compacted, defragmented, checkpointed, emptied in part; then it is started anew. Every put is of a watched key
once there are watches, and the event's way is timed as well. A cell is the median, the 99th percentile and
the worst, in milliseconds. On cloudlet as many watches again stand on znodes, whose setData is timed too.

The clients share the machine with the server; compare within one run only.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from cloudlet.engines.grpc_client import ClientStream, GrpcClient
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.jute import INT, codec
from cloudlet.wire.protobuf import decode, encode
from cloudlet.wire.zookeeper import HEADER, CreateRequest, OpCode, PathModeRequest, SetDataRequest

if __name__ == "__main__":
    ARGUMENTS, sys.argv = sys.argv[1:], sys.argv[:1]  # the benches beside this one read their own
else:
    ARGUMENTS = []

from bench.etcd import Running, cloudlet_command, etcd_command, free_port, wait
from bench.zookeeper import ANYONE, Client

KEYS = int(ARGUMENTS[0]) if ARGUMENTS else 1_000_000
WATCHES = int(ARGUMENTS[1]) if len(ARGUMENTS) > 1 else 10_000
SECONDS = float(ARGUMENTS[2]) if len(ARGUMENTS) > 2 else 10.0
VALUE = b"v" * 64
BATCH = 100  # puts in one transaction, below etcd's 128
LOADERS = 8
WRITERS, READERS = 4, 2
RATE = 100  # operations per second of each of them
SMALL = 1000
STREAMS = 8  # that share half of the watches; the other half has a stream for each
STREAMS_A_CONNECTION = 100
ZNODE_CONNECTIONS = 20
EVENT, PING = -1, -2  # xids
PING_S = 8.0
CREATE, ADD, SET = codec(CreateRequest), codec(PathModeRequest), codec(SetDataRequest)
HERE = Path(__file__).resolve().parent
KV, WATCH = "/etcdserverpb.KV/", "/etcdserverpb.Watch/Watch"
MAINTENANCE = "/etcdserverpb.Maintenance/"


def key(number: int) -> bytes:
    return b"/scale/%07d" % number


class Sample:
    """Latencies of one kind, in milliseconds."""

    def __init__(self) -> None:
        self.ms: list[float] = []

    def __str__(self) -> str:
        if not self.ms:
            return "–"
        found = sorted(self.ms)
        return f"{found[len(found) // 2]:.2f}/{found[int(len(found) * 0.99)]:.2f}/{found[-1]:.1f}"


class Watched:
    """Watches of etcd: who waits for which key, and how long its event took."""

    def __init__(self) -> None:
        self.sent: dict[bytes, float] = {}
        self.sample = Sample()
        self.count = 0
        self.tasks: list[asyncio.Task[None]] = []
        self.clients: list[GrpcClient] = []

    async def open(self, address: str, count: int) -> None:
        """Half of them on a few streams, half on a stream each; one to a key."""
        shared = count // 2
        client = await self._client(address)
        per_stream = -(-shared // STREAMS) if shared else 1
        for start in range(0, shared, per_stream):
            await self._stream(client, range(start, min(start + per_stream, shared)))
        for start in range(shared, count, STREAMS_A_CONNECTION):
            client = await self._client(address)
            numbers = range(start, min(start + STREAMS_A_CONNECTION, count))
            await asyncio.gather(*(self._stream(client, range(each, each + 1)) for each in numbers))
        self.count = count

    async def _client(self, address: str) -> GrpcClient:
        client = await GrpcClient.connect(address)
        self.clients.append(client)
        return client

    async def _stream(self, client: GrpcClient, numbers: range) -> None:
        stream = client.stream(WATCH)
        for number in numbers:
            create = pb.WatchCreateRequest(key=key(number))
            stream.send(encode(pb.WatchRequest(create_request=create)))
        for _ in numbers:
            message = await stream.receive()
            assert message is not None
            assert decode(pb.WatchResponse, message).created
        self.tasks.append(asyncio.create_task(self._read(stream)))

    async def _read(self, stream: ClientStream) -> None:
        while (message := await stream.receive()) is not None:
            now = time.perf_counter()
            for event in decode(pb.WatchResponse, message).events:
                began = self.sent.pop(event.kv.key, None)
                if began is not None:
                    self.sample.ms.append((now - began) * 1000)

    async def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for client in self.clients:
            await client.close()


class Session(Client):
    """One that stays while nothing is asked of it, and may ask much before the first answer."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = 0  # events
        self._asked: deque[asyncio.Future[None]] = deque()
        self.answered = self._answered
        self.pinging: asyncio.TimerHandle | None = None

    def _answered(self, frame: bytes) -> None:
        (xid,) = INT.unpack_from(frame)
        if xid == EVENT:
            self.heard += 1
        elif xid != PING:
            self._asked.popleft().set_result(None)

    def keep(self) -> None:
        self.write(HEADER.pack(PING, OpCode.ping))
        self.pinging = asyncio.get_running_loop().call_later(PING_S, self.keep)

    def request(self, kind: int, body: bytes) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        self._asked.append(done)
        self.ask(kind, body)
        return done

    def close(self) -> None:
        if self.pinging is not None:
            self.pinging.cancel()
        self.transport.close()


async def session(port: int) -> Session:
    _, client = await asyncio.get_running_loop().create_connection(Session, "127.0.0.1", port)
    await client.ready
    client.keep()
    return client


class Znodes:
    """Watches of ZooKeeper: persistent ones, on znodes of their own."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._watching: list[Session] = []
        self.count = 0
        self.sets = 0  # since there are watches

    async def make(self) -> None:
        """The znodes, and who sets them."""
        self._writer = await session(self._port)
        for start in range(0, WATCHES, BATCH):
            await asyncio.gather(
                *(
                    self._writer.request(
                        OpCode.create, CREATE.encode(CreateRequest(f"/z{number}", VALUE, ANYONE, 0))
                    )
                    for number in range(start, min(start + BATCH, WATCHES))
                )
            )

    async def watch(self) -> None:
        each = -(-WATCHES // ZNODE_CONNECTIONS)
        for start in range(0, WATCHES, each):
            client = await session(self._port)
            self._watching.append(client)
            for first in range(start, min(start + each, WATCHES), BATCH):
                await asyncio.gather(
                    *(
                        client.request(OpCode.addWatch, ADD.encode(PathModeRequest(f"/z{number}", 0)))
                        for number in range(first, min(first + BATCH, start + each, WATCHES))
                    )
                )
        self.count = WATCHES

    async def set(self, number: int) -> None:
        self.sets += bool(self.count)
        await self._writer.request(
            OpCode.setData, SET.encode(SetDataRequest(f"/z{number % WATCHES}", VALUE, -1))
        )

    def close(self) -> None:
        heard = sum(client.heard for client in self._watching)
        assert heard == self.sets, f"{heard} events of {self.sets} setData"
        for client in (*self._watching, self._writer):
            client.close()


async def paced(work: Callable[[int], Awaitable[Any]], end: float, sample: Sample, seed: int) -> None:
    """Do something at an even rate; what comes late is not made up for, its lateness is latency."""
    pick = random.Random(seed)
    due = time.perf_counter() + pick.random() / RATE
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        await work(pick.randrange(1 << 30))
        sample.ms.append((time.perf_counter() - began) * 1000)
        due = max(due + 1 / RATE, time.perf_counter())


class Bench:
    """One server's run."""

    def __init__(self, server: Running, znodes: Znodes | None) -> None:
        self.server = server
        self.watched = Watched()
        self.znodes = znodes
        self.rows: dict[str, str] = {}

    async def run(self, again: Callable[[], Running], checkpoint: Callable[[], list[str]] | None) -> None:
        server = self.server
        self.clients = [await GrpcClient.connect(server.address) for _ in range(WRITERS + READERS)]
        await self._load(range(min(SMALL, KEYS)))
        if self.znodes is not None:
            await self.znodes.make()
        await self._stage("small: 1,000 keys")
        before = server.rss_mb()
        began = time.perf_counter()
        await self._load(range(min(SMALL, KEYS), KEYS))
        rate = KEYS / (time.perf_counter() - began)
        self.rows["loaded"] = (
            f"{rate:,.0f} keys/s, {(server.rss_mb() - before) * 1e6 / KEYS:,.0f} B of memory each"
        )
        await self._stage(f"{KEYS:,} keys")
        before = server.rss_mb()
        await self.watched.open(server.address, WATCHES)
        if self.znodes is not None:
            await self.znodes.watch()
        watches = self.watched.count + (self.znodes.count if self.znodes else 0)
        self.rows["memory of a watch"] = f"{(server.rss_mb() - before) * 1e6 / max(1, watches):,.0f} B"
        await self._stage(f"and {WATCHES:,} watches")
        await self._stage("while compacted", self._compact)
        await self._stage("while defragmented", self._defragment)
        if checkpoint is not None:
            await self._stage("while a checkpoint is saved", lambda: self._command(checkpoint()))
        await self._stage("while a tenth of the keys goes", self._drop)
        self.rows["memory after"] = f"{server.rss_mb():.0f} MB"
        await self.watched.close()
        for client in self.clients:
            await client.close()
        if self.znodes is not None:
            self.znodes.close()
        self.rows["restart to ready"] = f"{again().ready_s:.2f} s"

    async def _load(self, numbers: range) -> None:
        """Put keys, BATCH in a transaction, from a few clients."""
        starts = iter(range(numbers.start, numbers.stop, BATCH))

        async def load(client: GrpcClient) -> None:
            for start in starts:
                puts = [
                    pb.RequestOp(request_put=pb.PutRequest(key=key(number), value=VALUE))
                    for number in range(start, min(start + BATCH, numbers.stop))
                ]
                await client.unary(KV + "Txn", encode(pb.TxnRequest(success=puts)))

        await asyncio.gather(*(load(self.clients[at % len(self.clients)]) for at in range(LOADERS)))

    async def _stage(self, name: str, meanwhile: Callable[[], Awaitable[Any]] | None = None) -> None:
        """Sample for a while, and for as long as something else takes."""
        gc.collect()
        gc.freeze()
        puts, gets, sets = Sample(), Sample(), Sample()
        watched = self.watched
        watched.sample = Sample()
        reach = watched.count or SMALL
        cpu_s = self.server.cpu_s()

        def put(client: GrpcClient) -> Callable[[int], Awaitable[Any]]:
            def work(number: int) -> Awaitable[Any]:
                name = key(number % reach)
                if watched.count:
                    watched.sent[name] = time.perf_counter()
                return client.unary(KV + "Put", encode(pb.PutRequest(key=name, value=VALUE)))

            return work

        def take(client: GrpcClient) -> Callable[[int], Awaitable[Any]]:
            return lambda number: client.unary(KV + "Range", encode(pb.RangeRequest(key=key(number % KEYS))))

        end = time.perf_counter() + SECONDS
        async with asyncio.TaskGroup() as group:
            for at, client in enumerate(self.clients):
                work, sample = (put(client), puts) if at < WRITERS else (take(client), gets)
                group.create_task(paced(work, end, sample, at))
            if self.znodes is not None:
                group.create_task(paced(self.znodes.set, end, sets, 99))
            took = ""
            if meanwhile is not None:
                await asyncio.sleep(SECONDS / 5)
                began = time.perf_counter()
                await meanwhile()
                took = f", took {time.perf_counter() - began:.2f} s"
        await asyncio.sleep(0.2)
        count = len(puts.ms) + len(gets.ms) + len(sets.ms)
        cpu_us = (self.server.cpu_s() - cpu_s) / max(1, count) * 1e6
        told = [f"put {puts}", f"get {gets}"]
        if watched.count:
            told.append(f"event {watched.sample}")
            assert not watched.sent, f"{len(watched.sent)} events have not come"
        if sets.ms:
            told.append(f"setData {sets}")
        self.rows[name] = ", ".join(told) + f" ms, {cpu_us:.0f} us of CPU{took}"
        print(f"{self.server.name}: {name}: {self.rows[name]}", file=sys.stderr, flush=True)

    async def _compact(self) -> None:
        reply = decode(
            pb.RangeResponse, await self.clients[0].unary(KV + "Range", encode(pb.RangeRequest(key=b"a")))
        )
        request = pb.CompactionRequest(revision=reply.header.revision, physical=True)
        await self.clients[0].unary(KV + "Compact", encode(request))

    async def _defragment(self) -> None:
        await self.clients[0].unary(MAINTENANCE + "Defragment", encode(pb.DefragmentRequest()))

    async def _drop(self) -> None:
        start = max(WATCHES, KEYS - KEYS // 10)
        request = pb.DeleteRangeRequest(key=key(start), range_end=key(KEYS))
        await self.clients[0].unary(KV + "DeleteRange", encode(request))

    async def _command(self, words: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(*words, stdout=subprocess.DEVNULL)
        assert await process.wait() == 0, words


class Server:
    """A server on a folder of its own that can be started again."""

    def __init__(self, name: str, words: Callable[[int], list[str]], log: Path) -> None:
        self._name = name
        self._words = words
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def start(self) -> Running:
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "src")}
        with self._log.open("ab") as log:
            began = time.monotonic()
            process = self._process = subprocess.Popen(
                self._words(self.port), stdout=log, stderr=log, env=environment, start_new_session=True
            )
        wait(self.port, process)
        return Running(self._name, f"127.0.0.1:{self.port}", process.pid, time.monotonic() - began)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(120)
            self._process = None

    def again(self) -> Running:
        self.stop()
        return self.start()


@contextlib.contextmanager
def folder_of_bench() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="bench-scale-") as name:
        yield Path(name)


def main() -> None:
    """Measure both and print a table."""
    rows: dict[str, dict[str, str]] = {}
    with folder_of_bench() as folder:
        for name in ("cloudlet", "etcd"):
            is_ours = name == "cloudlet"
            znode_port = free_port()
            data = folder / name

            def words(
                port: int, data: Path = data, is_ours: bool = is_ours, zookeeper: int = znode_port
            ) -> list[str]:
                if not is_ours:
                    return [*etcd_command(data, port), "--quota-backend-bytes", str(8 << 30)]
                command = cloudlet_command(data, port)
                return [
                    *command[:-4],
                    "--only",
                    "etcd,zookeeper",
                    "--ports",
                    f"etcd={port},zookeeper={zookeeper}",
                ]

            def checkpoint(data: Path = data) -> list[str]:
                return [sys.executable, "-m", "cloudlet", "checkpoint", "save", "bench", "--data", str(data)]

            server = Server(name, words, folder / f"{name}.log")
            try:
                bench = Bench(server.start(), Znodes(znode_port) if is_ours else None)
                asyncio.run(bench.run(server.again, checkpoint if is_ours else None))
            finally:
                server.stop()
            rows[name] = bench.rows
    print("| | " + " | ".join(rows) + " |\n|---" + "|---" * len(rows) + "|")
    for row in rows["cloudlet"]:
        print(f"| {row} | " + " | ".join(found.get(row, "–") for found in rows.values()) + " |")


if __name__ == "__main__":
    main()
