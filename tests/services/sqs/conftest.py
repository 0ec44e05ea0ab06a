"""Queues in an account of each test's own, in the module's `cloud`."""

import pytest


@pytest.fixture
def account(request):
    return f"{abs(hash(request.node.nodeid)) % 10**12:012d}"


@pytest.fixture
def sqs(cloud, account):
    return cloud.client("sqs", key=account)


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="queue")["QueueUrl"]


@pytest.fixture
def fifo(sqs):
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    return sqs.create_queue(QueueName="queue.fifo", Attributes=attributes)["QueueUrl"]
