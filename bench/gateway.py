"""cloudlet beside other local clouds: start, memory, CPU per request. `make bench` runs it.

State   none; writes docs/bench.md
Source  the peers as published on PyPI, each in a virtual environment of its own
Absent  LocalStack (its current releases need an account)

    python -m bench.gateway [--rounds 5] [--peers cloudlet,moto,ministack] [--output docs/bench.md]

Every server runs on core 0, the client on core 1. Rounds are interleaved (each server in turn, then again),
and the medians are shown. CPU is the server's own, read from the process's clock around a batch: on a shared
machine it moves by a tenth where wall rates move by five times. Servers keep their default settings; what
they print goes to a file.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import itertools
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from botocore.exceptions import BotoCoreError, ClientError

from bench.peers import PEERS, ROOT, NotInstalled, NotReady, Peer, Server, machine, on_core
from bench.replay import CONNECTIONS, Refused, Replayer, Signer, wrk_rate

print = functools.partial(print, flush=True)

BATCH = 150  # requests; moto's SendMessage slows down as its queue grows, so a queue gets no more
WINDOW_SECONDS = 0.3  # batches are repeated until a round has measured this long, or BATCHES_MAX
BATCHES_MAX = 20
WRK_SECONDS = 2
LOAD_SECONDS = 4.0  # of each half of the load under which memory is watched
MESSAGES_MAX = 50_000  # sent to one queue to see what a waiting message costs
MESSAGES_MIN = 2_000  # fewer say nothing; a slow server is given up after LOAD_SECONDS
SETTLE_SECONDS = 1.0  # before idle memory is read
BODY = "x" * 256
SMALL_BYTES = 1 << 10
LARGE_BYTES = 8 << 20
LARGE_BATCH = 32
BUCKET = "bench"
VERSION = "2012-11-05"  # of SQS


class Running:
    """A started server with its client."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.signer = Signer(server.url)
        self.replayer = Replayer(server.port)
        self._names = itertools.count()
        self._has_bucket = False

    def queue(self) -> str:
        """The URL of a fresh queue."""
        made = self.signer.client("sqs").create_queue(QueueName=f"bench-{next(self._names)}")
        url: str = made["QueueUrl"]
        return url

    def bucket(self) -> None:
        """Make the one bucket, if it is not there."""
        if not self._has_bucket:
            self.signer.client("s3").create_bucket(Bucket=BUCKET)
            self._has_bucket = True

    def close(self) -> None:
        self.replayer.close()
        self.server.stop()


Prepared = tuple[bytes, bytes]
"""A signed request, and what a good reply holds."""


def identity(running: Running) -> Prepared:
    return running.signer.signed("sts", "get_caller_identity"), b"<Account>"


def send_json(running: Running) -> Prepared:
    url = running.queue()
    return running.signer.signed("sqs", "send_message", QueueUrl=url, MessageBody=BODY), b"MessageId"


def send_query(running: Running) -> Prepared:
    url = running.queue()
    form = {"Action": "SendMessage", "Version": VERSION, "QueueUrl": url, "MessageBody": BODY}
    return running.signer.signed_query("sqs", "/", form), b"<MessageId>"


def receive_json(running: Running) -> Prepared:
    url = filled(running)
    return running.signer.signed("sqs", "receive_message", QueueUrl=url), BODY.encode()


def receive_query(running: Running) -> Prepared:
    url = filled(running)
    form = {"Action": "ReceiveMessage", "Version": VERSION, "QueueUrl": url}
    return running.signer.signed_query("sqs", "/", form), BODY.encode()


def filled(running: Running) -> str:
    url = running.queue()
    request = running.signer.signed("sqs", "send_message", QueueUrl=url, MessageBody=BODY)
    running.replayer.replay(request, BATCH, b"MessageId")
    return url


def put_object(running: Running, size_bytes: int) -> Prepared:
    running.bucket()
    return running.signer.signed("s3", "put_object", Bucket=BUCKET, Key="key", Body=bytes(size_bytes)), b""


def get_object(running: Running, size_bytes: int) -> Prepared:
    running.bucket()
    running.signer.client("s3").put_object(Bucket=BUCKET, Key="key", Body=bytes(size_bytes))
    return running.signer.signed("s3", "get_object", Bucket=BUCKET, Key="key"), bytes(min(size_bytes, 1024))


@dataclass(frozen=True)
class Case:
    """What is replayed: how its request is made, and how often that is sent in a row."""

    prepare: Callable[[Running], Prepared]
    batch: int = BATCH


CASES: Mapping[str, Case] = {
    "STS GetCallerIdentity, query": Case(identity),
    "SQS SendMessage, json": Case(send_json),
    "SQS SendMessage, query": Case(send_query),
    "SQS ReceiveMessage, json": Case(receive_json),
    "SQS ReceiveMessage, query": Case(receive_query),
    "S3 PutObject, 1 KiB": Case(functools.partial(put_object, size_bytes=SMALL_BYTES)),
    "S3 GetObject, 1 KiB": Case(functools.partial(get_object, size_bytes=SMALL_BYTES)),
    "S3 PutObject, 8 MiB": Case(functools.partial(put_object, size_bytes=LARGE_BYTES), LARGE_BATCH),
    "S3 GetObject, 8 MiB": Case(functools.partial(get_object, size_bytes=LARGE_BYTES), LARGE_BATCH),
}


@dataclass
class Figures:
    """What was measured of one peer; medians are taken when they are shown."""

    first_ms: list[float] = field(default_factory=list)
    start_ms: list[float] = field(default_factory=list)
    rss_kib: int = 0
    pss_kib: int = 0
    loaded_kib: int = 0
    growth_kib: float = 0.0  # per 1,000 requests of the load's second half
    cpu_us: dict[str, list[float]] = field(default_factory=dict)
    rate: dict[str, list[float]] = field(default_factory=dict)
    message_bytes: float | None = None
    wrk_rate: list[float] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)


# Measuring


def first_request(port: int) -> bytes:
    return Signer(f"http://127.0.0.1:{port}").signed("sts", "get_caller_identity")


def measure_start(peers: Sequence[Peer], figures: Mapping[str, Figures], rounds: int, folder: Path) -> None:
    """From the start of the process to the first reply: with nothing compiled or cached, then again."""
    first_request(1)  # boto3 loads its data now, not inside of a measurement
    for number in range(rounds):
        for peer in peers:
            home = folder / f"start-{peer.name}-{number}"
            home.mkdir()
            for times in (figures[peer.name].first_ms, figures[peer.name].start_ms):
                server = Server(peer, home)
                try:
                    times.append(server.first_answer_s(first_request) * 1000)
                finally:
                    server.stop()
            shutil.rmtree(home)


def measure_case(running: Running, name: str, figures: Figures) -> None:
    """One round of one case; a peer that refuses it is not asked again."""
    if name in figures.refused:
        return
    cpu_s = wall_s = 0.0
    requests = 0
    try:
        for _ in range(BATCHES_MAX):
            case = CASES[name]
            request, expected = case.prepare(running)
            cpu_before, before = running.server.cpu_s(), time.perf_counter()
            running.replayer.replay(request, case.batch, expected)
            wall_s += time.perf_counter() - before
            cpu_s += running.server.cpu_s() - cpu_before
            requests += case.batch
            if wall_s >= WINDOW_SECONDS:
                break
    except (ClientError, BotoCoreError, Refused) as error:
        figures.refused[name] = str(error).splitlines()[0]
        return
    figures.cpu_us.setdefault(name, []).append(cpu_s / requests * 1e6)
    figures.rate.setdefault(name, []).append(requests / wall_s)


def measure_wrk(running: Running, figures: Figures, folder: Path) -> None:
    """One round of the one request that changes nothing."""
    request, _ = identity(running)
    rate = wrk_rate(running.server.port, request, WRK_SECONDS, folder)
    if rate is not None:
        figures.wrk_rate.append(rate)


def measure_growth(running: Running, figures: Figures) -> None:
    """Memory before, between and after two equal halves of a load."""
    request, expected = identity(running)

    def load() -> int:
        sent = 0
        until = time.monotonic() + LOAD_SECONDS
        while time.monotonic() < until:
            running.replayer.replay(request, BATCH, expected)
            sent += BATCH
        return sent

    load()
    between, _ = running.server.memory_kib()
    sent = load()
    figures.loaded_kib, _ = running.server.memory_kib()
    figures.growth_kib = (figures.loaded_kib - between) / sent * 1000


def measure_messages(running: Running, figures: Figures) -> None:
    """Memory that a waiting message takes."""
    try:
        request, expected = send_json(running)
        before, _ = running.server.memory_kib()
        sent = 0
        until = time.monotonic() + LOAD_SECONDS
        while sent < MESSAGES_MAX and time.monotonic() < until:
            running.replayer.replay(request, BATCH, expected)
            sent += BATCH
        after, _ = running.server.memory_kib()
    except (ClientError, BotoCoreError, Refused):
        return  # said by the case already
    if sent >= MESSAGES_MIN:
        figures.message_bytes = (after - before) * 1024 / sent


def measure(peers: Sequence[Peer], rounds: int) -> Mapping[str, Figures]:
    """Everything, interleaved."""
    figures = {peer.name: Figures() for peer in peers}
    with tempfile.TemporaryDirectory(prefix="cloudlet-bench-") as name, on_core(1):
        folder = Path(name)
        print(f"starts: {rounds} rounds")
        measure_start(peers, figures, rounds, folder)
        running: list[Running] = []
        try:
            for peer in peers:
                home = folder / peer.name
                home.mkdir()
                server = Server(peer, home)
                running.append(Running(server))
                server.first_answer_s(first_request)
            time.sleep(SETTLE_SECONDS)
            for each in running:
                of_peer = figures[each.server.peer.name]
                of_peer.rss_kib, of_peer.pss_kib = each.server.memory_kib()
            for number in range(rounds):
                print(f"requests: round {number + 1} of {rounds}")
                for case in CASES:
                    for each in running:
                        measure_case(each, case, figures[each.server.peer.name])
                for each in running:
                    measure_wrk(each, figures[each.server.peer.name], folder)
            print("memory under load")
            for each in running:
                measure_growth(each, figures[each.server.peer.name])
                measure_messages(each, figures[each.server.peer.name])
        finally:
            for each in running:
                each.close()
    return figures


# Showing


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def compared(
    label: str, values: Sequence[float | None], digits: int = 0, *, ratios: bool = True
) -> Sequence[str]:
    """A row: every peer's value, then how many times ours the others' are."""
    ours = values[0]
    cells = ["–" if value is None else f"{value:,.{digits}f}" for value in values]
    if ratios:
        cells += ["–" if not ours or value is None else f"{value / ours:.1f}×" for value in values[1:]]
    else:
        cells += [""] * (len(values) - 1)
    return [label, *cells]


def middle(rounds: Mapping[str, Sequence[float]], case: str) -> float | None:
    return median(rounds[case]) if case in rounds else None


def digests_us() -> float:
    """The CPU of the two digests of a large body, the least of some runs."""
    body, runs = bytes(LARGE_BYTES), []
    for _ in range(5):
        before = time.thread_time()
        hashlib.md5(body, usedforsecurity=False)
        hashlib.sha256(body)
        runs.append(time.thread_time() - before)
    return min(runs) * 1e6


METHOD = """\
Medians of {rounds} interleaved rounds; the server on core 0, the client on core 1, {connections} connections
with one request in flight on each.

- *First answer*: from the start of the process to the reply to a signed GetCallerIdentity.
- *The very first*: the same with an empty home folder and no bytecode, not even Python's own.
- *CPU*: the server's, per request, over batches of {batch} replayed signed requests. Each batch has a fresh
  queue; for ReceiveMessage it holds {batch} messages of 256 B, and each is received once. Objects are put
  with the SHA-256 and the CRC-32 that boto3 sends, and large ones in batches of {large}.
- A large PutObject is bound by its digests: the MD5 that is its ETag, which everybody computes, and the
  SHA-256 of the body that its signature covers, which only cloudlet checks. By hashlib alone, with nothing
  received or kept, the two take {digests:,.0f} µs here: no server that checks it can be four times faster.
- *Growth*: of RSS, during the second half of a load of GetCallerIdentity.
- *Memory of a waiting message*: growth of RSS over the messages of 256 B sent to one queue in 4 s (50,000 at
  most; – for fewer than 2,000).
"""


def report(
    peers: Sequence[Peer], figures: Mapping[str, Figures], absent: Mapping[str, str], rounds: int
) -> str:
    """docs/bench.md."""
    names = [peer.name for peer in peers]
    of = [figures[name] for name in names]
    head = ["", *names, *(f"{name} / {names[0]}" for name in names[1:])]
    rows = [
        compared("first answer, ms", [median(each.start_ms) for each in of]),
        compared("the very first, ms", [median(each.first_ms) for each in of]),
        compared("idle RSS, MiB", [each.rss_kib / 1024 for each in of], 1),
        compared("idle PSS, MiB", [each.pss_kib / 1024 for each in of], 1),
        compared("RSS after the load, MiB", [each.loaded_kib / 1024 for each in of], 1),
        compared("growth per 1,000 requests, KiB", [each.growth_kib for each in of], 1, ratios=False),
    ]
    rows.append(compared("memory of a waiting message, bytes", [each.message_bytes for each in of]))
    rows += [compared(f"CPU of {case}, µs", [middle(each.cpu_us, case) for each in of]) for case in CASES]
    rates = [compared(case, [middle(each.rate, case) for each in of], ratios=False) for case in CASES]
    if any(each.wrk_rate for each in of):
        by_wrk = [median(each.wrk_rate) if each.wrk_rate else None for each in of]
        rates.append(compared("GetCallerIdentity by wrk, 32 connections", by_wrk, ratios=False))
    notes = [f"- **{peer.name} {peer.version}**: {peer.note}." for peer in peers]
    notes += [f"- **{name}** could not be installed: {reason}" for name, reason in absent.items()]
    notes += [
        f"- {name}, {case}: refused ({reason})"
        for name, each in figures.items()
        for case, reason in each.refused.items()
    ]
    return "\n".join(
        [
            "# Measurements",
            "",
            "Written by `make bench`; every figure of a table is from one run.",
            "",
            f"Machine: {machine()}.",
            "",
            *notes,
            "",
            "## Beside other local clouds",
            "",
            table(head, rows),
            "",
            *METHOD.format(
                rounds=rounds, connections=CONNECTIONS, batch=BATCH, large=LARGE_BATCH, digests=digests_us()
            ).splitlines(),
            "",
            "### Requests per second, as the client saw them",
            "",
            "For information: the client is a Python program that sends and reads in turns, and is what "
            "bounds the fast ones.",
            "",
            table(["", *names], [row[: len(names) + 1] for row in rates]),
            "",
        ]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Compare cloudlet with other local clouds.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "bench.md")
    options = parser.parse_args()
    peers: list[Peer] = []
    absent: dict[str, str] = {}
    for name in options.peers.split(","):
        print(f"{name}: installing, unless it is")
        try:
            peers.append(PEERS[name]())
        except NotInstalled as error:
            absent[name] = str(error)
            print(f"{name} cannot be installed: {error}", file=sys.stderr)
    try:
        figures = measure(peers, options.rounds)
    except NotReady as error:
        print(f"a server did not start: {error}", file=sys.stderr)
        return 1
    text = report(peers, figures, absent, options.rounds)
    options.output.write_text(text, encoding="utf-8")
    print(f"\n{text}\nwritten to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
