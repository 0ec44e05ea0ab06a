"""SQS under kill -9: nothing acknowledged is lost, nothing doubled, nothing received twice while hidden.

A cloud runs in a process of its own; clients send, receive, delete, and let dead letters and move tasks go
their way until the process is killed at a random instant. It is started again on the same folder, and the
checker looks.
"""

import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import boto3
import botocore.config
import botocore.exceptions
import pytest

import cloudlet

SOURCE = pathlib.Path(cloudlet.__file__).parent.parent
SECONDS = 60
KILLS_DIVISOR = (
    4  # a round kills a whole cloud and starts it again: a quarter of the rounds of an engine's loop
)


class Victim:
    """A cloud that is killed and started again on one folder."""

    def __init__(self, folder):
        self.folder = folder
        self.process = None
        self.url = None

    def start(self):
        command = [sys.executable, "-m", "cloudlet", "up", "--ports", "auto", "--data", str(self.folder)]
        environment = {**os.environ, "PYTHONPATH": str(SOURCE), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        for line in self.process.stdout:
            if line.startswith("aws"):
                self.url = line.split()[1]
            if line.startswith("ready"):
                return self
        raise AssertionError("the cloud did not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(SECONDS)
        self.process.stdout.close()

    def client(self, service="sqs"):
        config = botocore.config.Config(retries={"max_attempts": 0}, connect_timeout=5, read_timeout=25)
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test",
            aws_secret_access_key="test", config=config,
        )  # fmt: skip


GONE = (botocore.exceptions.EndpointConnectionError, botocore.exceptions.ConnectionClosedError,
        botocore.exceptions.HTTPClientError, botocore.exceptions.ReadTimeoutError)  # fmt: skip


class Book:
    """What the clients were told: by body, which is unique."""

    def __init__(self):
        self.sent = set()
        self.unsure = set()  # sent without an answer
        self.received = collections.Counter()
        self.deleted = set()
        self.deleting = set()  # a delete was asked for, without an answer
        self.lock = threading.Lock()


def produce(victim, queue, book, name, rounds):
    client = victim.client()
    for number in range(rounds):
        body = f"{name}-{number}"
        book.unsure.add(body)
        try:
            client.send_message(QueueUrl=queue, MessageBody=body)
        except GONE:
            return
        book.sent.add(body)
        book.unsure.discard(body)


def consume(victim, queue, book, chance):
    client = victim.client()
    while True:
        try:
            messages = client.receive_message(QueueUrl=queue, MaxNumberOfMessages=5, WaitTimeSeconds=1).get(
                "Messages", []
            )
            for message in messages:
                with book.lock:
                    book.received[message["Body"]] += 1
                if chance.random() < 0.5:
                    book.deleting.add(message["Body"])
                    client.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
                    book.deleted.add(message["Body"])
                    book.deleting.discard(message["Body"])
        except GONE:
            return


def drain(client, queue):
    """Every message of a queue, hidden ones made visible by asking without hiding."""
    found = collections.Counter()
    while messages := client.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600
    ).get("Messages", []):
        found.update(message["Body"] for message in messages)
    return found


def counts(client, queue):
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    return [int(found[name]) for name in names]


def rounds_of(kills):
    return max(kills // KILLS_DIVISOR, 3)


@pytest.mark.parametrize("seed", [1])
def test_acknowledged_messages_survive_and_hidden_ones_stay_hidden(tmp_path, kills, seed, record_property):
    chance = random.Random(seed)
    victim = Victim(tmp_path / "data").start()
    queue = victim.client().create_queue(QueueName="q", Attributes={"VisibilityTimeout": "3600"})["QueueUrl"]
    book = Book()
    for number in range(rounds_of(kills)):
        threads = [
            threading.Thread(target=produce, args=(victim, queue, book, f"{number}-{producer}", 10_000))
            for producer in range(2)
        ]
        threads.append(threading.Thread(target=consume, args=(victim, queue, book, random.Random(number))))
        for thread in threads:
            thread.start()
        time.sleep(chance.uniform(0.05, 0.5))  # the random instant
        victim.kill()
        for thread in threads:
            thread.join(SECONDS)
        victim.start()
        queue = victim.client().get_queue_url(QueueName="q")["QueueUrl"]
        twice = [body for body, times in book.received.items() if times > 1]
        assert twice == [], "received twice inside its visibility window"
    client = victim.client()
    ready, held = counts(client, queue)
    rest = drain(client, queue)
    victim.kill()
    assert all(times == 1 for times in rest.values()), "doubled"
    assert not set(rest) & set(book.received), "received again while hidden"
    assert not set(rest) & book.deleted, "came back after its deletion was acknowledged"
    assert len(rest) == ready
    missing = book.sent - set(rest) - set(book.received)
    # A receive whose reply the kill cut off has hidden its messages from everybody: they are still counted.
    hidden_unseen = held - len(set(book.received) - book.deleted - book.deleting)
    assert len(missing) <= max(hidden_unseen + len(book.deleting), 0), f"lost: {sorted(missing)[:5]}"
    assert set(rest) <= book.sent | book.unsure
    record_property("kills", rounds_of(kills))
    record_property("checked", len(book.sent) + len(book.received) + len(book.deleted))


def test_dead_letters_and_moves_neither_lose_nor_double(tmp_path, kills, record_property):
    chance = random.Random(7)
    victim = Victim(tmp_path / "data").start()
    client = victim.client()
    dead = client.create_queue(QueueName="dead")["QueueUrl"]
    arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
    queue = client.create_queue(
        QueueName="q", Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"}
    )["QueueUrl"]
    everything = set()
    for start in range(0, 300, 10):
        entries = [{"Id": str(n), "MessageBody": str(n)} for n in range(start, start + 10)]
        client.send_message_batch(QueueUrl=queue, Entries=entries)
        everything.update(str(n) for n in range(start, start + 10))

    def churn():
        try:
            busy = victim.client()
            source = busy.get_queue_url(QueueName="q")["QueueUrl"]
            while True:
                busy.receive_message(QueueUrl=source, MaxNumberOfMessages=10)
                try:
                    busy.start_message_move_task(SourceArn=arn)
                except botocore.exceptions.ClientError:
                    pass  # one is running already
        except GONE:
            pass

    for _ in range(rounds_of(kills)):
        thread = threading.Thread(target=churn)
        thread.start()
        time.sleep(chance.uniform(0.05, 0.4))  # the random instant
        victim.kill()
        thread.join(SECONDS)
        victim.start()
    client = victim.client()
    deadline = time.monotonic() + SECONDS
    while any(
        task["Status"] == "RUNNING" for task in client.list_message_move_tasks(SourceArn=arn)["Results"]
    ):
        assert time.monotonic() < deadline
    client.set_queue_attributes(
        QueueUrl=client.get_queue_url(QueueName="q")["QueueUrl"], Attributes={"RedrivePolicy": ""}
    )
    found = drain(client, client.get_queue_url(QueueName="q")["QueueUrl"])
    found += drain(client, client.get_queue_url(QueueName="dead")["QueueUrl"])
    victim.kill()
    assert set(found) == everything, "lost"
    assert max(found.values()) == 1, "doubled"
    record_property("kills", rounds_of(kills))
    record_property("checked", len(everything))
