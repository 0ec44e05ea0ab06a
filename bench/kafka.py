"""The broker beside Apache Kafka: throughput, latency, start, memory, CPU; the same client, pinned cores.

`python -m bench.kafka [--rounds N] [--only NAME,…]` prints a table. Brokers run on core 0, the client
(librdkafka, by confluent-kafka) on core 1, in rounds that take turns; a figure is the median of the rounds.
Apache Kafka comes from Maven Central where `java` and `mvn` are; else librdkafka's mock cluster stands in.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import confluent_kafka
from confluent_kafka.admin import AdminClient, NewTopic

from bench.peers import CACHE, ROOT, free_port, machine, on_core
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.frames import request_frame
from cloudlet.wire.kafka.records import Record, encode

KAFKA_VERSION = "4.3.0"
READY_S = 60.0
ASKED_S = 600.0  # one measurement: ten thousand partitions are made in one, too
SMALL, LARGE = (100, 1_000_000), (1024, 300_000)  # bytes of a record, records
TRIPS = 3000
STEADY_PER_S, STEADY_S = 1000, 5
FEW, MANY = 1, 10_000  # partitions
REQUESTS = 3000
PIPELINED = 32

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>bench</groupId><artifactId>kafka</artifactId><version>1</version><dependencies><dependency>
<groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version>
</dependency></dependencies></project>"""

PROPERTIES = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={home}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=100
"""

MOCK = """
import sys, time, confluent_kafka
producer = confluent_kafka.Producer({"test.mock.num.brokers": 1})
broker, = producer.list_topics(timeout=10).brokers.values()
print(f"{broker.host}:{broker.port}", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Peer:
    """A broker: how it is started in a folder on a port; `prints` if it says its address on stdout."""

    name: str
    note: str
    command: Callable[[Path, int], Sequence[str]]
    prints: bool = False


def cloudlet() -> Peer:
    return Peer(
        "cloudlet",
        "`cloudlet up --only kafka`, this checkout",
        lambda home, port: [
            sys.executable, "-m", "cloudlet", "up", "--only", "kafka", "--ports", f"kafka={port}",
            "--data", str(home / "data"),
        ],
    )  # fmt: skip


def apache_kafka() -> Peer | None:
    """Apache Kafka from Maven Central; None where the machine has no java or mvn, or it cannot be had."""
    if not (shutil.which("java") and shutil.which("mvn")):
        return None
    folder = CACHE / f"kafka-{KAFKA_VERSION}"
    if not (folder / ".installed").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pom.xml").write_text(POM.format(version=KAFKA_VERSION))
        copy = ["mvn", "-q", "-B", "dependency:copy-dependencies", f"-DoutputDirectory={folder}/lib"]
        if subprocess.run(copy, cwd=folder, capture_output=True, check=False).returncode:
            return None
        (folder / ".installed").touch()
    java = ["java", "-Xmx1g", "-Xms1g", "-cp", f"{folder}/lib/*"]

    def command(home: Path, port: int) -> Sequence[str]:
        properties = home / "server.properties"
        properties.write_text(PROPERTIES.format(port=port, controller=free_port(), home=home))
        storage = [*java, "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"]
        subprocess.run([*storage, str(properties)], capture_output=True, check=True)
        return [*java, "kafka.Kafka", str(properties)]

    return Peer("Apache Kafka", f"{KAFKA_VERSION}, KRaft, one node, -Xmx1g", command)


def mock_cluster() -> Peer:
    return Peer(
        "librdkafka mock",
        "its cluster in memory, in C",
        lambda home, port: [sys.executable, "-c", MOCK],
        True,
    )


class Running:
    """A peer that runs on core 0."""

    def __init__(self, peer: Peer, home: Path) -> None:
        port = free_port()
        command = peer.command(home, port)
        self.address = f"127.0.0.1:{port}"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONPYCACHEPREFIX": str(CACHE / "pyc"),
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        with on_core(0):
            began = time.monotonic()
            self.process = subprocess.Popen(
                command, env=environment, cwd=home, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE if peer.prints else subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        if peer.prints:
            assert self.process.stdout is not None
            self.address = self.process.stdout.readline().decode().strip()
        self.start_s = self._first_answer(began)

    def _first_answer(self, began: float) -> float:
        host, _, port = self.address.rpartition(":")
        frame = request_frame(apis()[18], 0, 1, "bench", messages.ApiVersionsRequest())
        while time.monotonic() - began < READY_S:
            with suppress(OSError), socket.create_connection((host, int(port)), 5) as probe:
                probe.sendall(frame)
                if probe.recv(4):
                    return time.monotonic() - began
            time.sleep(0.001)
        raise SystemExit(f"{self.address} does not answer")

    def cpu_s(self) -> float:
        return time.clock_gettime(~self.process.pid << 3 | 2)

    def rss_mib(self) -> float:
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


# The client, in a process of its own on core 1


def topic(address: str, name: str, partitions: int = 1) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
        made.result(READY_S)


def produce(address: str, name: str, size: int, count: int) -> float:
    """Records per second, acks=1, linger 5 ms."""
    producer = confluent_kafka.Producer(
        {
            "bootstrap.servers": address, "acks": 1, "linger.ms": 5, "batch.size": 1_000_000,
            "queue.buffering.max.messages": 1_000_000, "enable.idempotence": False,
        }
    )  # fmt: skip
    value = b"x" * size
    began = time.perf_counter()
    for _ in range(count):
        while True:
            try:
                producer.produce(name, value, partition=0)
                break
            except BufferError:
                producer.poll(0.01)
    assert producer.flush(READY_S) == 0
    return count / (time.perf_counter() - began)


def consume(address: str, name: str, count: int) -> float:
    # librdkafka fetches nothing for a second when 100,000 records wait for the application, which a broker
    # that is faster than the application brings about all the time: the figure would be that second's.
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": address, "group.id": "bench", "fetch.queue.backoff.ms": 1}
    )
    consumer.assign([confluent_kafka.TopicPartition(name, 0, 0)])
    began, found = time.perf_counter(), 0
    while found < count:
        some = consumer.consume(min(10_000, count - found), READY_S)
        assert some, f"{found} of {count} records have come"
        found += len(some)
    elapsed = time.perf_counter() - began
    consumer.close()
    return count / elapsed


def percentiles(samples: list[float]) -> tuple[float, float]:
    """(p50, p99) in microseconds."""
    samples.sort()
    return samples[len(samples) // 2] * 1e6, samples[len(samples) * 99 // 100] * 1e6


def trips(address: str, name: str) -> tuple[float, float]:
    """acks=1 round trips of single records."""
    producer = confluent_kafka.Producer(
        {"bootstrap.servers": address, "acks": 1, "linger.ms": 0, "enable.idempotence": False}
    )
    samples: list[float] = []
    for _ in range(TRIPS):
        began = time.perf_counter()
        producer.produce(name, b"x" * 100, partition=0)
        producer.flush(READY_S)
        samples.append(time.perf_counter() - began)
    return percentiles(samples)


def end_to_end(address: str, name: str) -> tuple[float, float]:
    """From produce to consumer at a steady rate."""
    samples: list[float] = []
    ready = threading.Event()

    def read() -> None:
        consumer = confluent_kafka.Consumer({"bootstrap.servers": address, "group.id": "steady"})
        # From the start of a topic that is new: where its end is a slow broker may say when the first records
        # are there already, and they would be waited for without end.
        consumer.assign([confluent_kafka.TopicPartition(name, 0, 0)])
        consumer.consume(1, 0.5)
        ready.set()
        while len(samples) < STEADY_PER_S * STEADY_S:
            some = consumer.consume(1, READY_S)
            assert some, f"{len(samples)} records have come"
            samples.extend(time.perf_counter() - float(message.value()) for message in some)
        consumer.close()

    reader = threading.Thread(target=read)
    reader.start()
    ready.wait()
    producer = confluent_kafka.Producer({"bootstrap.servers": address, "acks": 1, "linger.ms": 0})
    began = time.perf_counter()
    for number in range(STEADY_PER_S * STEADY_S):
        time.sleep(max(0.0, began + number / STEADY_PER_S - time.perf_counter()))
        producer.produce(name, repr(time.perf_counter()).encode(), partition=0)
        producer.poll(0)
    producer.flush(READY_S)
    reader.join()
    assert len(samples) >= STEADY_PER_S * STEADY_S, "the reader has given up"
    return percentiles(samples)


def join(address: str, name: str) -> float:
    """Milliseconds from subscribe to assignment, of a group's first member."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": address, "group.id": f"join-{time.time_ns()}", "log_level": 0}
    )
    assigned = threading.Event()
    began = time.perf_counter()
    consumer.subscribe([name], on_assign=lambda *_: assigned.set())
    while not assigned.is_set():
        consumer.poll(0.01)
        assert time.perf_counter() - began < READY_S, "no assignment"
    elapsed = time.perf_counter() - began
    consumer.close()
    return elapsed * 1000


def small_requests(address: str, name: str) -> None:
    """Produce requests of one record, pipelined: what a request costs the broker."""
    host, _, port = address.rpartition(":")
    cls = messages.ProduceRequest
    data = cls.PartitionProduceData(Index=0, Records=encode([Record(b"x" * 100, timestamp_ms=1)]))
    request = cls(Acks=1, TimeoutMs=1000, TopicData=[cls.TopicProduceData(Name=name, PartitionData=[data])])
    frame = request_frame(apis()[0], 9, 1, "bench", request)
    with socket.create_connection((host, int(port))) as connection:
        for _ in range(REQUESTS // PIPELINED):
            connection.sendall(frame * PIPELINED)
            left = PIPELINED
            while left:
                size = int.from_bytes(connection.recv(4, socket.MSG_WAITALL), "big")
                connection.recv(size, socket.MSG_WAITALL)
                left -= 1


def client(address: str, what: str) -> object:
    """One measurement, by its name; the topics are there."""
    size, count = LARGE if "1024" in what else SMALL
    if what.startswith("produce"):
        topic(address, what)
        return produce(address, what, size, count)
    if what.startswith("consume"):
        return consume(address, what.replace("consume", "produce"), count)
    if what in ("trips", "end_to_end", "join"):
        topic(address, what)
        measure: Mapping[str, Callable[[str, str], object]] = {
            "trips": trips, "end_to_end": end_to_end, "join": join,
        }  # fmt: skip
        return measure[what](address, what)
    name, _, partitions = what.partition(":")
    if partitions:
        for number in range(int(partitions) // 1000):
            topic(address, f"{name}-{number}", 1000)
        return None
    with suppress(confluent_kafka.KafkaException):
        topic(address, "requests")
    return small_requests(address, "requests")


def asked(address: str, what: str) -> object:
    """The same in a process of its own on core 1."""
    with on_core(1):
        command = [sys.executable, "-W", "ignore", "-m", "bench.kafka", "--client", address, "--what", what]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=ASKED_S)
    return json.loads(done.stdout)


@contextmanager
def running(peer: Peer) -> Iterator[Running]:
    with tempfile.TemporaryDirectory(prefix="bench-kafka-") as home:
        broker = Running(peer, Path(home))
        try:
            yield broker
        finally:
            broker.stop()


def measured(peer: Peer) -> dict[str, float]:
    """All figures of one round."""
    found: dict[str, float] = {}
    with running(peer) as broker:
        found["start ms"] = broker.start_s * 1000
        for size, count in (SMALL, LARGE):
            for what in ("produce", "consume"):
                cpu = broker.cpu_s()
                rate = asked(broker.address, f"{what}{size}")
                assert isinstance(rate, float)
                label = f"{what} {size} B"
                found[f"{label}, k records/s"] = rate / 1000
                found[f"{label}, MB/s"] = rate * size / 1e6
                found[f"{label}, broker CPU of a core"] = (broker.cpu_s() - cpu) / (count / rate)
        for what, label in (("trips", "acks=1 round trip"), ("end_to_end", "end to end at 1,000/s")):
            pair = asked(broker.address, what)
            assert isinstance(pair, list)
            found[f"{label} p50 us"], found[f"{label} p99 us"] = pair
        if "mock" not in peer.name:
            joined = asked(broker.address, "join")
            assert isinstance(joined, float)
            found["join to assignment ms"] = joined
        found["RSS MiB"] = broker.rss_mib()
        asked(broker.address, "requests")  # warm
        # Ten thousand partitions are ours to bear; Apache Kafka takes minutes to make them on one core.
        for partitions in (FEW, MANY) if peer.name == "cloudlet" else (FEW,):
            if partitions == MANY:
                asked(broker.address, f"many:{MANY}")
            cpu = broker.cpu_s()
            asked(broker.address, "requests")
            used_us = (broker.cpu_s() - cpu) / REQUESTS * 1e6
            found[f"CPU us a request, {partitions:,} partitions"] = used_us
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    parser.add_argument("--client")
    parser.add_argument("--what")
    given = parser.parse_args()
    if given.client:
        print(json.dumps(client(given.client, given.what)))
        return
    peers = [cloudlet(), apache_kafka() or mock_cluster()]
    if given.only:
        peers = [peer for peer in peers if peer.name in given.only.split(",")]
    rounds: dict[str, list[dict[str, float]]] = {peer.name: [] for peer in peers}
    for number in range(given.rounds):
        for peer in peers:
            print(f"round {number + 1}: {peer.name}", file=sys.stderr)
            rounds[peer.name].append(measured(peer))
    print(f"{machine()}; librdkafka {confluent_kafka.libversion()[0]}\n")
    print("| | " + " | ".join(f"{peer.name} ({peer.note})" for peer in peers) + " |")
    print("|---|" + "---|" * len(peers))
    for figure in rounds[peers[0].name][0]:
        cells = [
            f"{statistics.median(one[figure] for one in rounds[peer.name]):,.1f}"
            if figure in rounds[peer.name][0]
            else "·"
            for peer in peers
        ]
        print(f"| {figure} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
