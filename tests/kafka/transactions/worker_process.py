"""A process that works in transactions: `python worker_process.py ADDRESS CLIENT SEED`.

It writes numbers to two partitions, and how far it has come as a group's offset, in one transaction each.
Whenever something goes wrong it starts again with a new producer of the same transactional id, from the
group's offset. It says "at N" of what it has read and "committed N" of what it was told.
"""

import random
import sys

import confluent_kafka
import kafka
from confluent_kafka import KafkaException, TopicPartition
from kafka.consumer.group import OffsetAndMetadata
from kafka.errors import KafkaError as KafkaPythonError

SECONDS = 60
ASK_SECONDS = 5
PARTITIONS = 2
OUT = "out"
PLACE = "in"
GROUP = "progress"
ID = "worker"
QUICK = {"reconnect_backoff_ms": 10, "reconnect_backoff_max_ms": 100, "retry_backoff_ms": 20}


def settings(address, **more):
    """Of librdkafka."""
    named = {name.replace("_", "."): value for name, value in {**QUICK, **more}.items()}
    # without the last it would forget who leads, and ask only a second later
    return {"bootstrap.servers": address, "log_level": 0, "metadata.recovery.strategy": "none", **named}


def progress(address):
    """The group's offset, once no transaction holds it."""
    consumer = confluent_kafka.Consumer(
        settings(address, group_id=GROUP, isolation_level="read_committed", enable_auto_commit=False)
    )
    (place,) = consumer.committed([TopicPartition(PLACE, 0)], SECONDS)
    consumer.close()
    if place.error is not None:
        raise KafkaException(place.error)
    return max(place.offset, 0)


class Librdkafka:
    """Transactions of the first version."""

    def __init__(self, address):
        self.producer = confluent_kafka.Producer(
            settings(address, transactional_id=ID, transaction_timeout_ms=30_000, linger_ms=0)
        )
        self.producer.init_transactions(SECONDS)
        self.consumer = confluent_kafka.Consumer(settings(address, group_id=GROUP))

    def step(self, numbers, *, is_commit):
        producer = self.producer
        producer.begin_transaction()
        for number in numbers:
            for partition in range(PARTITIONS):
                producer.produce(OUT, b"%d" % number, partition=partition)
        offset = TopicPartition(PLACE, 0, numbers.stop)
        group = self.consumer.consumer_group_metadata()
        producer.send_offsets_to_transaction([offset], group, ASK_SECONDS)
        if is_commit:
            producer.commit_transaction(ASK_SECONDS)
        else:
            producer.abort_transaction(ASK_SECONDS)


class KafkaPython:
    """Transactions of the second version."""

    def __init__(self, address):
        self.producer = kafka.KafkaProducer(
            bootstrap_servers=address,
            transactional_id=ID,
            transaction_timeout_ms=30_000,
            max_block_ms=ASK_SECONDS * 1000,
            **QUICK,
        )
        self.producer.init_transactions()

    def step(self, numbers, *, is_commit):
        producer = self.producer
        producer.begin_transaction()
        for number in numbers:
            for partition in range(PARTITIONS):
                producer.send(OUT, b"%d" % number, partition=partition)
        offset = {kafka.TopicPartition(PLACE, 0): OffsetAndMetadata(numbers.stop, "", -1)}
        producer.send_offsets_to_transaction(offset, GROUP)
        if is_commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()


CLIENTS = {"librdkafka": Librdkafka, "kafka-python": KafkaPython}


def work(address, client, chance):
    """Until something goes wrong."""
    made = client(address)
    at = progress(address)
    print("at", at, flush=True)
    while True:
        numbers = range(at, at + chance.randint(1, 5))
        is_commit = chance.random() < 0.8
        made.step(numbers, is_commit=is_commit)
        if is_commit:
            at = numbers.stop
            print("committed", at, flush=True)


if __name__ == "__main__":
    chance = random.Random(sys.argv[3])
    while True:
        try:
            work(sys.argv[1], CLIENTS[sys.argv[2]], chance)
        except (KafkaException, KafkaPythonError):
            pass  # killed meanwhile: what became of the transaction is read from the offset
