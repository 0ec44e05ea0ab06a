"""What the three workers of delivery.py leave behind when they, or the broker, are killed.

    python examples/kafka/delivery_under_fire.py

It starts a cloud of its own in a temporary folder, and kills (SIGKILL) each worker once at the worst instant,
then the broker in the middle of its work. It prints how many of 200 orders have no invoice, and how many have
two. Needs confluent-kafka, and cloudlet installed. Takes half a minute.
"""

import collections
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ORDERS = 200
CRASH_AT = 100
CLOUDLET = (sys.executable, "-m", "cloudlet")
WORKER = (sys.executable, str(Path(__file__).with_name("delivery.py")))
TIMEOUT_S = 60


class Broker:
    """A cloud of the Kafka face alone, in a process to be killed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.start()

    def start(self) -> None:
        """Start it, again with the same folder and port, and wait until it listens."""
        words = [*CLOUDLET, "up", "--data", self.folder, "--ports", "auto", "--only", "kafka"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("ready"):
                break
        status = subprocess.run(
            [*CLOUDLET, "status", "--json", "--data", self.folder], check=True, capture_output=True
        )
        self.address = json.loads(status.stdout)["endpoints"]["kafka"]

    def kill(self) -> None:
        """As a power cut of the process."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


def send_orders(address: str, orders: str) -> None:
    """Orders into a topic of one partition, beside one for their invoices."""
    admin = AdminClient({"bootstrap.servers": address})
    for made in admin.create_topics([NewTopic(orders, 1), NewTopic(f"{orders}-invoices", 1)]).values():
        made.result(TIMEOUT_S)
    producer = Producer({"bootstrap.servers": address})
    for number in range(ORDERS):
        producer.produce(orders, str(number))
    producer.flush()


def work(address: str, guarantee: str, orders: str, crash_at: int = 0) -> subprocess.Popen:
    """A worker in a process of its own."""
    env = os.environ | {"KAFKA_BOOTSTRAP_SERVERS": address, "CRASH_AT": str(crash_at)}
    return subprocess.Popen([*WORKER, guarantee, orders, f"{orders}-invoices"], env=env)


def ended(worker: subprocess.Popen) -> int:
    """Its exit status; one that does not come to an end is killed."""
    try:
        return worker.wait(TIMEOUT_S)
    except subprocess.TimeoutExpired:
        worker.kill()
        raise


def read_invoices(address: str, topic: str) -> collections.Counter:
    """How often each order was invoiced."""
    settings = {
        "bootstrap.servers": address,
        "group.id": "auditor",
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    found: collections.Counter = collections.Counter()
    while True:
        invoice = consumer.poll(1.0)
        if invoice is None:
            continue
        if invoice.error() is None:
            found[int(invoice.value())] += 1
        elif invoice.error().code() == KafkaError._PARTITION_EOF:
            consumer.close()
            return found


def judge(found: collections.Counter) -> dict[str, int]:
    """What is missing, and what is there twice."""
    return {
        "missing": sum(1 for number in range(ORDERS) if not found[number]),
        "twice": sum(1 for times in found.values() if times > 1),
    }


def kill_the_worker(broker: Broker, guarantee: str, orders: str) -> None:
    """It dies at its worst instant, and is started again."""
    assert ended(work(broker.address, guarantee, orders, CRASH_AT)) == -signal.SIGKILL
    assert ended(work(broker.address, guarantee, orders)) == 0


def kill_the_broker(broker: Broker, guarantee: str, orders: str) -> None:
    """It dies while the worker works, and is started again; a worker that gives up is, too."""
    worker = work(broker.address, guarantee, orders)
    wait_for_half(broker.address, f"{orders}-invoices")
    broker.kill()
    broker.start()
    while ended(worker) != 0:
        worker = work(broker.address, guarantee, orders)


def wait_for_half(address: str, topic: str) -> None:
    """Until about half of the invoices are written."""
    watcher = Consumer({"bootstrap.servers": address, "group.id": "watcher"})
    while watcher.get_watermark_offsets(TopicPartition(topic, 0), TIMEOUT_S)[1] < ORDERS // 2:
        time.sleep(0.01)
    watcher.close()


KILLS = {"worker": kill_the_worker, "broker": kill_the_broker}


def main() -> None:
    """Every guarantee under every kill, a line each."""
    with tempfile.TemporaryDirectory() as folder:
        broker = Broker(folder)
        try:
            for killed, kill in KILLS.items():
                for guarantee in ("at-most-once", "at-least-once", "exactly-once"):
                    orders = f"{guarantee}-{killed}"
                    send_orders(broker.address, orders)
                    kill(broker, guarantee, orders)
                    told = judge(read_invoices(broker.address, f"{orders}-invoices"))
                    print(json.dumps({"guarantee": guarantee, "killed": killed, "orders": ORDERS, **told}))
                    sys.stdout.flush()
        finally:
            broker.kill()


if __name__ == "__main__":
    main()
