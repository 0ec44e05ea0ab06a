"""At-most-once, at-least-once, exactly-once: three workers that read orders and write invoices, side by side.

    eval "$(cloudlet env)"
    python examples/kafka/delivery.py at-least-once orders invoices

They differ in one thing: when the group's offset is committed. A worker ends at the end of its topic. With
CRASH_AT=N in the environment it kills itself at the worst instant of the N-th order. `delivery_under_fire.py`
shows what comes of that. Needs confluent-kafka.
"""

import itertools
import os
import signal
import sys
from collections.abc import Iterator

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer

ADDRESS = {
    "bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    # By default librdkafka 2.16 forgets a broker that is away for a moment, though not in its list of
    # coordinators, and a transaction then waits for one that never comes.
    "metadata.recovery.strategy": "none",
}
RETRIES_S = 30


def at_most_once(orders: str, invoices: str) -> None:
    """Commit, then work: what a crash interrupts is not done again. It may be missing."""
    producer = Producer(ADDRESS | {"retries": 0})
    consumer = member(orders)
    for order in read(consumer):
        try:
            consumer.commit(order, asynchronous=False)
        except KafkaException:
            continue  # nobody knows whether it counts as done; so it is not done
        worst_instant()
        producer.produce(invoices, order.value())
        producer.flush()
    consumer.close()


def at_least_once(orders: str, invoices: str) -> None:
    """Work, then commit: what a crash interrupts is done again. It may be there twice."""
    producer = Producer(ADDRESS | {"acks": "all"})
    consumer = member(orders)
    for order in read(consumer):
        failures: list[KafkaError] = []
        producer.produce(
            invoices, order.value(), on_delivery=lambda error, _, seen=failures: error and seen.append(error)
        )
        producer.flush()
        if failures:
            sys.exit(f"{failures[0]}; start me again")
        worst_instant()
        try:
            consumer.commit(order, asynchronous=False)
        except KafkaException:
            continue  # the next commit says it too
    consumer.close()


def exactly_once(orders: str, invoices: str) -> None:
    """Work and commit in one transaction: both, or neither. Readers of the invoices read committed ones."""
    producer = Producer(ADDRESS | {"transactional.id": f"{invoices}-worker"})
    producer.init_transactions(RETRIES_S)  # ends what a predecessor has left open, and shuts it out
    consumer = member(orders)
    for order in read(consumer):
        producer.begin_transaction()
        producer.produce(invoices, order.value())
        worst_instant()
        producer.send_offsets_to_transaction(
            consumer.position(consumer.assignment()), consumer.consumer_group_metadata(), RETRIES_S
        )
        producer.commit_transaction(RETRIES_S)
    consumer.close()


def member(orders: str) -> Consumer:
    """A group's member that has a name of its own: started again, it is the same one."""
    settings = {
        "group.id": f"{orders}-workers",
        "group.instance.id": "worker-1",
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
    consumer = Consumer(ADDRESS | settings)
    consumer.subscribe([orders])
    return consumer


def read(consumer: Consumer) -> Iterator[Message]:
    """The orders until the topic ends."""
    while True:
        order = consumer.poll(1.0)
        if order is None:
            continue
        error = order.error()
        if error is None:
            yield order
        elif error.code() == KafkaError._PARTITION_EOF:
            return
        elif error.fatal():
            raise KafkaException(error)


counted = itertools.count(1)


def worst_instant() -> None:
    """Where a crash hurts most."""
    if next(counted) == int(os.environ.get("CRASH_AT", "0")):
        os.kill(os.getpid(), signal.SIGKILL)


WORKERS = {"at-most-once": at_most_once, "at-least-once": at_least_once, "exactly-once": exactly_once}

if __name__ == "__main__":
    WORKERS[sys.argv[1]](*sys.argv[2:4])
