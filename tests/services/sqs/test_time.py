"""SQS on cloud time: a moved clock makes due what it passes, and disturbs nobody who is busy."""

import contextlib
import json
import threading
import time
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest
from tests.cloud import running
from tests.services.sqs.asking import bodies, receive

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
SECONDS = 30


@pytest.fixture(scope="module", params=["memory", "disk", "hostile", "waiting"])
def cloud(request, tmp_path_factory):
    with running(engine=request.param, folder=tmp_path_factory.mktemp("data")) as cloud:
        yield cloud


@pytest.fixture
def frozen(cloud):
    """Cloud time stands still for a test: nothing happens but by its own moves."""
    cloud.move_clock("freeze")
    yield
    cloud.move_clock("thaw")


@pytest.fixture
def queue(sqs):
    return sqs.create_queue(QueueName="q")["QueueUrl"]


@pytest.fixture
def fifo(sqs):
    return sqs.create_queue(QueueName="q.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]


@contextlib.contextmanager
def in_background(function, *arguments, **named):
    """Run it on a thread beside the block; the list gets what it returned, errors are raised at the end."""
    found, errors = [], []

    def run():
        try:
            found.append(function(*arguments, **named))
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield found
    thread.join(SECONDS)
    assert not thread.is_alive()
    if errors:
        raise errors[0]


def until_waiting(cloud, count=1):
    """Wait until so many calls wait for something."""
    deadline = time.monotonic() + SECONDS
    while cloud.call(cloud.face.traffic.waiting) < count:
        assert time.monotonic() < deadline
        time.sleep(0.002)


# --- each time of SQS


def test_a_delay_ends_to_the_millisecond(cloud, frozen, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=900)
    cloud.move_clock("advance", 899_999)
    assert receive(sqs, queue) == []
    cloud.move_clock("advance", 1)
    assert bodies(receive(sqs, queue)) == ["late"]


def test_a_waiting_receive_gets_what_an_advance_makes_due(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=900)
    began = time.monotonic()
    with in_background(receive, sqs, queue, WaitTimeSeconds=20) as found:
        until_waiting(cloud)
        cloud.move_clock("advance", 900_000)
    assert bodies(found[0]) == ["late"]
    assert time.monotonic() - began < 15, "it did not sit out its twenty seconds"


def test_an_advance_that_makes_nothing_due_leaves_a_long_poll_waiting(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=900)
    with in_background(receive, sqs, queue, WaitTimeSeconds=20) as found:
        until_waiting(cloud)
        cloud.move_clock("advance", 800_000)
        until_waiting(cloud)
        assert found == []
        cloud.move_clock("advance", 100_000)
    assert bodies(found[0]) == ["late"]


def test_frozen_time_ends_no_delay_and_liveness_ends_the_long_poll(cloud, frozen, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)
    began = time.monotonic()
    assert receive(sqs, queue, WaitTimeSeconds=2) == []
    assert 1.5 < time.monotonic() - began < 10
    cloud.move_clock("advance", 1000)
    assert bodies(receive(sqs, queue)) == ["late"]


def test_a_thaw_lets_a_delay_end_under_a_waiting_receive(cloud, sqs, queue):
    cloud.move_clock("freeze")
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=1)
    with in_background(receive, sqs, queue, WaitTimeSeconds=20) as found:
        until_waiting(cloud)
        cloud.move_clock("thaw")
    assert bodies(found[0]) == ["late"]


def test_visibility(cloud, frozen, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = receive(sqs, queue, VisibilityTimeout=43_200)
    cloud.move_clock("advance", 12 * HOUR_MS - 1)
    assert receive(sqs, queue) == []
    cloud.move_clock("advance", 1)
    (again,) = receive(sqs, queue)
    assert again["MessageId"] == message["MessageId"]


def test_retention(cloud, frozen, sqs):
    kept = {"MessageRetentionPeriod": "1209600"}
    queue = sqs.create_queue(QueueName="long", Attributes=kept)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    cloud.move_clock("advance", 14 * DAY_MS - 1)
    assert bodies(receive(sqs, queue, VisibilityTimeout=0)) == ["x"]
    cloud.move_clock("advance", 1)
    assert receive(sqs, queue) == []


def test_the_deduplication_window(cloud, frozen, sqs, fifo):
    def send():
        return sqs.send_message(
            QueueUrl=fifo, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d"
        )["SequenceNumber"]

    first = send()
    cloud.move_clock("advance", 299_999)
    assert send() == first
    cloud.move_clock("advance", 1)
    assert send() != first


def test_a_change_of_scope_forgets_no_deduplication_id(cloud, frozen, sqs, fifo):
    """As recorded: an id of before means a duplicate in every group after the change too."""

    def sent(group, identity):
        sqs.send_message(
            QueueUrl=fifo, MessageBody=group, MessageGroupId=group, MessageDeduplicationId=identity
        )
        received = sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10).get("Messages", [])
        for each in received:
            sqs.delete_message(QueueUrl=fifo, ReceiptHandle=each["ReceiptHandle"])
        return len(received)

    def scoped(scope, limit):
        changes = {"DeduplicationScope": scope, "FifoThroughputLimit": limit}
        sqs.set_queue_attributes(QueueUrl=fifo, Attributes=changes)

    assert sent("a", "one") == 1
    scoped("messageGroup", "perMessageGroupId")
    assert [sent("a", "one"), sent("b", "one")] == [0, 0]
    assert [sent("a", "two"), sent("b", "two")] == [1, 1]
    scoped("queue", "perQueue")
    assert [sent("a", "two"), sent("b", "two"), sent("c", "two"), sent("a", "two")] == [0, 0, 1, 0]
    cloud.move_clock("advance", 300_000)
    assert [sent("a", "one"), sent("b", "two")] == [1, 1]


def test_a_receive_attempt_is_repeated_for_five_minutes(cloud, frozen, sqs, fifo):
    sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d")
    attempt = {"ReceiveRequestAttemptId": "a", "VisibilityTimeout": 3600}
    assert bodies(receive(sqs, fifo, **attempt)) == ["x"]
    cloud.move_clock("advance", 299_999)
    assert bodies(receive(sqs, fifo, **attempt)) == ["x"]
    cloud.move_clock("advance", 1)
    assert receive(sqs, fifo, **attempt) == [], "a new attempt finds the message hidden"


def test_purges_and_names_of_deleted_queues_wait_a_minute(cloud, frozen, sqs, queue):
    sqs.purge_queue(QueueUrl=queue)
    with pytest.raises(sqs.exceptions.PurgeQueueInProgress):
        sqs.purge_queue(QueueUrl=queue)
    cloud.move_clock("advance", 60_000)
    sqs.purge_queue(QueueUrl=queue)
    sqs.delete_queue(QueueUrl=queue)
    with pytest.raises(sqs.exceptions.QueueDeletedRecently):
        sqs.create_queue(QueueName="q")
    cloud.move_clock("advance", 60_000)
    assert sqs.create_queue(QueueName="q")["QueueUrl"] == queue


def test_a_move_task_runs_while_time_stands_still(cloud, frozen, sqs, queue):
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "1"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    for number in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    assert len(receive(sqs, queue, VisibilityTimeout=30)) == 3
    cloud.move_clock("advance", 30_000)
    assert receive(sqs, queue) == []
    shown = cloud.clock.cloud_ms()
    sqs.start_message_move_task(SourceArn=arn)
    deadline = time.monotonic() + SECONDS
    while True:
        (task,) = sqs.list_message_move_tasks(SourceArn=arn)["Results"]
        if task["Status"] == "COMPLETED":
            break
        assert time.monotonic() < deadline, task
    assert task["StartedTimestamp"] == shown
    assert sorted(bodies(receive(sqs, queue))) == ["0", "1", "2"]


# --- a busy client


def presigned(cloud, queue, body):
    """A GET of the query API, signed for an hour."""
    request = botocore.awsrequest.AWSRequest(
        "GET", f"{queue}?Action=SendMessage&Version=2012-11-05&MessageBody={body}"
    )
    keys = botocore.credentials.Credentials("test", "test")
    botocore.auth.SigV4QueryAuth(keys, "sqs", "us-east-1", expires=3600).add_auth(request)
    return request.url


def work(cloud, keys, queue, stop):
    """Send, receive and delete until told to stop; how many messages went round."""
    sqs, count = cloud.client("sqs", **keys), 0
    while not stop.is_set():
        sqs.send_message(QueueUrl=queue, MessageBody="x")
        for message in receive(sqs, queue, WaitTimeSeconds=1):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            count += 1
    return count


def test_moving_the_clock_disturbs_no_busy_client(cloud):
    root = cloud.client("sqs")
    queue = root.create_queue(QueueName="busy", Attributes={"MessageRetentionPeriod": "1209600"})["QueueUrl"]
    idle = root.create_queue(QueueName="idle")["QueueUrl"]
    made = cloud.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    left_s = made["Expiration"].timestamp() - time.time()
    assert 800 < left_s <= 900, "whoever compares it with a clock of its own finds it as long as asked for"
    session = {
        "key": made["AccessKeyId"], "secret": made["SecretAccessKey"], "token": made["SessionToken"],
    }  # fmt: skip
    url = presigned(cloud, idle, "signed-before")
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        counts = [
            stack.enter_context(in_background(work, cloud, keys, queue, stop))
            for keys in ({"key": "test"}, session)
        ]
        stack.callback(stop.set)
        polled = stack.enter_context(in_background(receive, root, idle, WaitTimeSeconds=20))
        until_waiting(cloud)
        for _ in range(3):
            cloud.move_clock("advance", 8 * DAY_MS)
            cloud.move_clock("freeze")
            assert cloud.client("sts", **session).get_caller_identity()["Account"] == "000000000000"
            cloud.move_clock("advance", HOUR_MS)
            cloud.move_clock("thaw")
        assert polled == [], "the long poll is still there"
        with urllib.request.urlopen(url, timeout=SECONDS) as reply:
            assert b"<MessageId>" in reply.read()
    assert bodies(polled[0]) == ["signed-before"]
    assert all(count[0] > 0 for count in counts), counts


def test_keys_made_after_an_advance_work_for_their_seconds(cloud):
    cloud.move_clock("advance", 8 * DAY_MS)
    made = cloud.client("sts").get_session_token(DurationSeconds=900)["Credentials"]
    assert 800 < made["Expiration"].timestamp() - time.time() <= 900
    client = cloud.client(
        "sts", key=made["AccessKeyId"], secret=made["SecretAccessKey"], token=made["SessionToken"]
    )
    assert client.get_caller_identity()["Account"] == "000000000000"
