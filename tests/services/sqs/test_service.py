"""SQS with boto3: every operation, looked at by its effect, over the engines in memory and on disk."""

import json
import threading
import time
import urllib.parse
import urllib.request

import botocore.exceptions
import pytest
from tests.cloud import running
from tests.services.sqs.asking import attribute, bodies, receive

from cloudlet.kernel.clock import ManualClock


@pytest.fixture(scope="module", params=["memory", "disk", "hostile", "waiting"])
def cloud(request, tmp_path_factory):
    with running(engine=request.param, folder=tmp_path_factory.mktemp("data")) as cloud:
        yield cloud


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    return error["Code"], error.get("Message", "")


def arn(sqs, queue):
    return attribute(sqs, queue, "QueueArn")


# --- queues


def test_a_queue_is_made_once(sqs, queue, account):
    assert queue.endswith(f"/{account}/queue")
    assert sqs.create_queue(QueueName="queue")["QueueUrl"] == queue
    assert sqs.create_queue(QueueName="queue", Attributes={"VisibilityTimeout": "30"})["QueueUrl"] == queue
    code, message = refused(sqs.create_queue, QueueName="queue", Attributes={"VisibilityTimeout": "31"})
    assert code == "QueueAlreadyExists"
    assert "VisibilityTimeout" in message
    assert sqs.get_queue_url(QueueName="queue")["QueueUrl"] == queue


@pytest.mark.parametrize("name", ["", "a" * 81, "a b", "a.fifo", "ä"])
def test_names_that_no_standard_queue_has(sqs, name):
    assert refused(sqs.create_queue, QueueName=name)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("VisibilityTimeout", "43201", "InvalidAttributeValue"),
        ("VisibilityTimeout", "x", "InvalidAttributeValue"),
        ("DelaySeconds", "901", "InvalidAttributeValue"),
        ("MessageRetentionPeriod", "59", "InvalidAttributeValue"),
        ("MaximumMessageSize", "1023", "InvalidAttributeValue"),
        ("ReceiveMessageWaitTimeSeconds", "21", "InvalidAttributeValue"),
        ("Nonsense", "1", "InvalidAttributeName"),
        ("FifoQueue", "false", "InvalidAttributeName"),
        ("ContentBasedDeduplication", "true", "InvalidAttributeName"),
        ("Policy", "not json", "InvalidAttributeValue"),
        ("RedrivePolicy", "not json", "InvalidParameterValue"),
        ("RedrivePolicy", '{"maxReceiveCount": 1}', "InvalidParameterValue"),
        ("KmsMasterKeyId", "alias/aws/sqs", "NotImplemented"),
    ],
)
def test_attributes_that_are_refused(sqs, name, value, code):
    found, message = refused(sqs.create_queue, QueueName="bad", Attributes={name: value})
    assert found == code
    assert name in message
    assert refused(sqs.get_queue_url, QueueName="bad")[0] == "AWS.SimpleQueueService.NonExistentQueue"


def test_attributes_are_kept_and_changed(sqs, queue):
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "77", "DelaySeconds": "1"})
    found = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    assert (found["VisibilityTimeout"], found["DelaySeconds"]) == ("77", "1")
    assert found["MaximumMessageSize"] == "1048576"
    assert found["SqsManagedSseEnabled"] == "true"
    assert "FifoQueue" not in found
    assert (
        refused(sqs.get_queue_attributes, QueueUrl=queue, AttributeNames=["No"])[0] == "InvalidAttributeName"
    )


def test_a_deleted_queue_is_gone_with_its_messages(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="old")
    sqs.delete_queue(QueueUrl=queue)
    assert (
        refused(sqs.send_message, QueueUrl=queue, MessageBody="x")[0]
        == "AWS.SimpleQueueService.NonExistentQueue"
    )
    code, _ = refused(sqs.create_queue, QueueName="queue")
    assert code == "AWS.SimpleQueueService.QueueDeletedRecently"
    cloud.move_clock("advance", 61_000)
    again = sqs.create_queue(QueueName="queue")["QueueUrl"]
    assert receive(sqs, again) == []


def test_without_cooldowns_a_name_is_free_at_once_and_purges_follow_each_other(tmp_path):
    with running(engine="disk", folder=tmp_path, has_cooldowns=False) as cloud:
        sqs = cloud.client("sqs")
        for _ in range(3):
            queue = sqs.create_queue(QueueName="queue")["QueueUrl"]
            assert receive(sqs, queue) == []
            for body in ("a", "b"):
                sqs.send_message(QueueUrl=queue, MessageBody=body)
                sqs.purge_queue(QueueUrl=queue)
                assert receive(sqs, queue) == []
            sqs.send_message(QueueUrl=queue, MessageBody="old")
            sqs.delete_queue(QueueUrl=queue)
            assert (
                refused(sqs.get_queue_url, QueueName="queue")[0] == "AWS.SimpleQueueService.NonExistentQueue"
            )


def test_queues_are_listed_in_pages(sqs):
    for number in range(5):
        sqs.create_queue(QueueName=f"page-{number}")
    sqs.create_queue(QueueName="other")
    names = [url.rpartition("/")[2] for url in sqs.list_queues(QueueNamePrefix="page")["QueueUrls"]]
    assert names == [f"page-{number}" for number in range(5)]
    pages = list(
        sqs.get_paginator("list_queues").paginate(QueueNamePrefix="page", PaginationConfig={"PageSize": 2})
    )
    assert [len(page["QueueUrls"]) for page in pages] == [2, 2, 1]
    assert [url.rpartition("/")[2] for page in pages for url in page["QueueUrls"]] == names
    assert "QueueUrls" not in sqs.list_queues(QueueNamePrefix="nothing")
    assert refused(sqs.list_queues, NextToken="nonsense", MaxResults=1)[0] == "InvalidParameterValue"


def test_tags(sqs):
    queue = sqs.create_queue(QueueName="tagged", tags={"a": "1"})["QueueUrl"]
    sqs.tag_queue(QueueUrl=queue, Tags={"b": "2", "a": "3"})
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"a": "3", "b": "2"}
    sqs.untag_queue(QueueUrl=queue, TagKeys=["a", "none"])
    assert sqs.list_queue_tags(QueueUrl=queue)["Tags"] == {"b": "2"}
    too_many = {str(number): "" for number in range(51)}
    assert refused(sqs.tag_queue, QueueUrl=queue, Tags=too_many)[0] == "InvalidParameterValue"


def test_permissions_are_statements_of_the_policy(sqs, queue):
    sqs.add_permission(QueueUrl=queue, Label="one", AWSAccountIds=["111122223333"], Actions=["SendMessage"])
    policy = json.loads(attribute(sqs, queue, "Policy"))
    assert policy["Version"] == "2008-10-17"
    assert policy["Statement"] == [
        {
            "Sid": "one",
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Action": "SQS:SendMessage",
            "Resource": arn(sqs, queue),
        }
    ]
    again = {"QueueUrl": queue, "Label": "one", "AWSAccountIds": ["1"], "Actions": ["*"]}
    assert refused(sqs.add_permission, **again)[0] == "InvalidParameterValue"
    owners = {"QueueUrl": queue, "Label": "two", "AWSAccountIds": ["1"], "Actions": ["DeleteQueue"]}
    assert "Only the queue owner" in refused(sqs.add_permission, **owners)[1]
    sqs.remove_permission(QueueUrl=queue, Label="one")
    assert "Attributes" not in sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["Policy"])
    assert refused(sqs.remove_permission, QueueUrl=queue, Label="one")[0] == "InvalidParameterValue"


def test_purge(cloud, sqs, queue):
    for number in range(3):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    held = receive(sqs, queue, 1)
    sqs.purge_queue(QueueUrl=queue)
    assert receive(sqs, queue) == []
    assert attribute(sqs, queue, "ApproximateNumberOfMessagesNotVisible") == "0"
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=held[0]["ReceiptHandle"])
    assert refused(sqs.purge_queue, QueueUrl=queue)[0] == "AWS.SimpleQueueService.PurgeQueueInProgress"
    sqs.send_message(QueueUrl=queue, MessageBody="after")
    assert bodies(receive(sqs, queue)) == ["after"]


# --- messages


def test_a_message_is_hidden_while_held_and_comes_back(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    first = receive(sqs, queue, VisibilityTimeout=100, AttributeNames=["All"])
    assert first[0]["Attributes"]["ApproximateReceiveCount"] == "1"
    assert receive(sqs, queue) == []
    cloud.move_clock("advance", 101_000)
    second = receive(sqs, queue, AttributeNames=["All"])
    assert second[0]["Attributes"]["ApproximateReceiveCount"] == "2"
    assert second[0]["MessageId"] == first[0]["MessageId"]
    assert second[0]["ReceiptHandle"] != first[0]["ReceiptHandle"]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=second[0]["ReceiptHandle"])
    cloud.move_clock("advance", 101_000)
    assert receive(sqs, queue) == []


def test_visibility_is_changed(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = receive(sqs, queue)
    change = {"QueueUrl": queue, "ReceiptHandle": message["ReceiptHandle"]}
    sqs.change_message_visibility(**change, VisibilityTimeout=1000)
    cloud.move_clock("advance", 500_000)
    assert receive(sqs, queue) == []
    sqs.change_message_visibility(**change, VisibilityTimeout=0)
    assert bodies(receive(sqs, queue)) == ["x"]
    assert (
        refused(sqs.change_message_visibility, **change, VisibilityTimeout=43_201)[0]
        == "InvalidParameterValue"
    )


def test_a_delayed_message_comes_later(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=10)
    assert receive(sqs, queue) == []
    assert attribute(sqs, queue, "ApproximateNumberOfMessagesDelayed") == "1"
    cloud.move_clock("advance", 11_000)
    assert bodies(receive(sqs, queue)) == ["late"]


def test_a_message_is_forgotten_after_its_retention(cloud, sqs, queue):
    sqs.send_message(QueueUrl=queue, MessageBody="old")
    cloud.move_clock("advance", 345_601_000)
    sqs.send_message(QueueUrl=queue, MessageBody="new")
    assert bodies(receive(sqs, queue)) == ["new"]


def test_attributes_travel_with_their_digests(sqs, queue):
    # botocore checks the digests of bodies; the SDKs of the interop tests check those of attributes too.
    sent = sqs.send_message(
        QueueUrl=queue,
        MessageBody="grüße",
        MessageAttributes={
            "text": {"DataType": "String.custom", "StringValue": "ä"},
            "number": {"DataType": "Number", "StringValue": "-1.5e3"},
            "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
        MessageSystemAttributes={"AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1"}},
    )
    (message,) = receive(sqs, queue, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["bytes"]["BinaryValue"] == b"\x00\xff"
    assert message["MessageAttributes"]["text"] == {"DataType": "String.custom", "StringValue": "ä"}
    assert message["Attributes"]["AWSTraceHeader"] == "Root=1"


def test_only_attributes_asked_for_are_given(sqs, queue):
    kinds = {name: {"DataType": "String", "StringValue": "v"} for name in ("a.x", "a.y", "b")}
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=kinds)
    (message,) = receive(sqs, queue, MessageAttributeNames=["a.*"], AttributeNames=["SentTimestamp"])
    assert set(message["MessageAttributes"]) == {"a.x", "a.y"}
    assert set(message["Attributes"]) == {"SentTimestamp"}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "\x00"}, "InvalidMessageContents"),
        ({"MessageBody": "x", "DelaySeconds": 901}, "InvalidParameterValue"),
        ({"MessageBody": "x", "MessageDeduplicationId": "1"}, "InvalidParameterValue"),
        ({"MessageBody": "x" * 1_048_577}, "InvalidParameterValue"),
        (
            {"MessageBody": "x", "MessageAttributes": {"AWS.x": {"DataType": "String", "StringValue": "v"}}},
            "InvalidParameterValue",
        ),
        (
            {"MessageBody": "x", "MessageAttributes": {"n": {"DataType": "Number", "StringValue": "v"}}},
            "InvalidParameterValue",
        ),
    ],
)
def test_messages_that_are_refused(sqs, queue, members, code):
    assert refused(sqs.send_message, QueueUrl=queue, **members)[0] == code
    assert receive(sqs, queue) == []


def test_the_largest_message_arrives_whole(sqs, queue):
    body = "y" * 1_048_576
    sqs.send_message(QueueUrl=queue, MessageBody=body)
    assert bodies(receive(sqs, queue)) == [body]


@pytest.mark.parametrize(
    "members",
    [
        {"MaxNumberOfMessages": 0},
        {"MaxNumberOfMessages": 11},
        {"WaitTimeSeconds": 21},
        {"VisibilityTimeout": 43_201},
    ],
)
def test_receives_that_are_refused(sqs, queue, members):
    assert refused(sqs.receive_message, QueueUrl=queue, **members)[0] == "InvalidParameterValue"


def test_handles_that_are_none(sqs, queue):
    for handle in ("nonsense", "AQEB" + "A" * 40):
        assert (
            refused(sqs.delete_message, QueueUrl=queue, ReceiptHandle=handle)[0] == "ReceiptHandleIsInvalid"
        )


def test_batches_go_well_in_part(sqs, queue):
    entries = [{"Id": str(number), "MessageBody": str(number)} for number in range(9)]
    answer = sqs.send_message_batch(QueueUrl=queue, Entries=[*entries, {"Id": "bad", "MessageBody": "\x00"}])
    assert [entry["Id"] for entry in answer["Successful"]] == [str(number) for number in range(9)]
    (failed,) = answer["Failed"]
    assert (failed["Id"], failed["Code"], failed["SenderFault"]) == ("bad", "InvalidMessageContents", True)
    messages = receive(sqs, queue)
    assert sorted(bodies(messages)) == [str(number) for number in range(9)]
    hide = [
        {"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0} for m in messages[:2]
    ]
    changed = sqs.change_message_visibility_batch(QueueUrl=queue, Entries=hide)
    assert len(changed["Successful"]) == 2
    gone = [{"Id": m["Body"], "ReceiptHandle": m["ReceiptHandle"]} for m in messages[2:]]
    answer = sqs.delete_message_batch(QueueUrl=queue, Entries=[*gone, {"Id": "bad", "ReceiptHandle": "x"}])
    assert (len(answer["Successful"]), answer["Failed"][0]["Code"]) == (7, "ReceiptHandleIsInvalid")
    assert sorted(bodies(receive(sqs, queue))) == sorted(bodies(messages[:2]))


def test_an_entry_too_long_is_refused_by_itself(sqs):
    queue = sqs.create_queue(QueueName="small", Attributes={"MaximumMessageSize": "1024"})["QueueUrl"]
    entries = [{"Id": "long", "MessageBody": "x" * 1025}, {"Id": "short", "MessageBody": "y"}]
    said = sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert [each["Id"] for each in said["Successful"]] == ["short"]
    (failed,) = said["Failed"]
    assert (failed["Id"], failed["Code"]) == ("long", "InvalidParameterValue")
    assert failed["Message"].endswith("Reason: Message must be shorter than 1024 bytes.")
    assert bodies(receive(sqs, queue)) == ["y"]


@pytest.mark.parametrize("member", ["MessageGroupId", "MessageDeduplicationId"])
def test_a_batch_for_a_fifo_queue_needs_ids_in_every_entry(sqs, member):
    queue = sqs.create_queue(QueueName="a.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    whole = {"MessageBody": "x", "MessageGroupId": "g", "MessageDeduplicationId": "d"}
    entries = [{"Id": "1", **whole}, {"Id": "2", **{k: v for k, v in whole.items() if k != member}}]
    refused(sqs.send_message_batch, QueueUrl=queue, Entries=entries)
    assert receive(sqs, queue) == []


def test_attribute_names_of_a_receive(sqs, queue):
    for member in ("AttributeNames", "MessageSystemAttributeNames"):
        code = refused(sqs.receive_message, QueueUrl=queue, **{member: ["Bogus"]})[0]
        assert code == "InvalidAttributeName"
    sqs.send_message(QueueUrl=queue, MessageBody="x")
    (message,) = receive(
        sqs, queue, AttributeNames=["SenderId"], MessageSystemAttributeNames=["SentTimestamp"]
    )
    assert sorted(message["Attributes"]) == ["SenderId", "SentTimestamp"]


def test_batches_that_are_refused_whole(sqs, queue):
    def batch(*entries):
        return refused(sqs.send_message_batch, QueueUrl=queue, Entries=list(entries))[0]

    prefix = "AWS.SimpleQueueService."
    assert batch() == prefix + "EmptyBatchRequest"
    assert (
        batch(*({"Id": str(n), "MessageBody": "x"} for n in range(11)))
        == prefix + "TooManyEntriesInBatchRequest"
    )
    assert (
        batch({"Id": "a", "MessageBody": "x"}, {"Id": "a", "MessageBody": "y"})
        == prefix + "BatchEntryIdsNotDistinct"
    )
    assert batch({"Id": "a b", "MessageBody": "x"}) == prefix + "InvalidBatchEntryId"
    half = "x" * 600_000
    assert (
        batch({"Id": "a", "MessageBody": half}, {"Id": "b", "MessageBody": half})
        == prefix + "BatchRequestTooLong"
    )
    assert receive(sqs, queue) == []


# --- waiting


def test_a_long_poll_wakes_at_once(cloud, sqs, queue):
    waiting = cloud.client("sqs", key=queue.split("/")[-2])
    found = []
    thread = threading.Thread(
        target=lambda: found.append((receive(waiting, queue, WaitTimeSeconds=20), time.monotonic()))
    )
    thread.start()
    while not cloud.call(cloud.face.traffic.waiting):
        pass
    sent = time.monotonic()
    sqs.send_message(QueueUrl=queue, MessageBody="now")
    thread.join(20)
    messages, at = found[0]
    assert bodies(messages) == ["now"]
    assert at - sent < 5


def test_a_long_poll_ends_empty_handed(sqs, queue):
    began = time.monotonic()
    assert receive(sqs, queue, WaitTimeSeconds=1) == []
    assert time.monotonic() - began >= 0.95


# --- FIFO


def test_a_group_is_delivered_in_order_one_batch_at_a_time(sqs, fifo):
    for number in range(4):
        sqs.send_message(QueueUrl=fifo, MessageBody=str(number), MessageGroupId="a")
    sqs.send_message(QueueUrl=fifo, MessageBody="other", MessageGroupId="b")
    first = receive(sqs, fifo, 2)
    assert bodies(first) == ["0", "1"]
    assert bodies(receive(sqs, fifo)) == ["other"], "the held group waits, another does not"
    for message in first:
        sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    assert bodies(receive(sqs, fifo)) == ["2", "3"]


def test_a_repeat_is_accepted_and_not_delivered(cloud, sqs, fifo):
    first = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    again = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    assert again["MessageId"] == first["MessageId"]
    assert again["SequenceNumber"] == first["SequenceNumber"]
    (message,) = receive(sqs, fifo, AttributeNames=["All"])
    assert message["Attributes"]["SequenceNumber"] == first["SequenceNumber"]
    sqs.delete_message(QueueUrl=fifo, ReceiptHandle=message["ReceiptHandle"])
    cloud.move_clock("advance", 301_000)
    sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    assert bodies(receive(sqs, fifo)) == ["x"], "after five minutes the id is free again"


def test_what_a_fifo_queue_refuses(sqs, fifo):
    assert refused(sqs.send_message, QueueUrl=fifo, MessageBody="x")[0] == "MissingParameter"
    per_message = {"QueueUrl": fifo, "MessageBody": "x", "MessageGroupId": "a", "DelaySeconds": 1}
    assert refused(sqs.send_message, **per_message)[0] == "InvalidParameterValue"
    plain = sqs.create_queue(QueueName="plain.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"]
    assert (
        refused(sqs.send_message, QueueUrl=plain, MessageBody="x", MessageGroupId="a")[0]
        == "InvalidParameterValue"
    )
    attributes = {"FifoQueue": "true"}
    assert refused(sqs.create_queue, QueueName="nofifo", Attributes=attributes)[0] == "InvalidParameterValue"


def test_high_throughput_mode(sqs):
    attributes = {
        "FifoQueue": "true",
        "DeduplicationScope": "messageGroup",
        "FifoThroughputLimit": "perMessageGroupId",
    }
    queue = sqs.create_queue(QueueName="fast.fifo", Attributes=attributes)["QueueUrl"]
    for group in "ab":
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId=group, MessageDeduplicationId="1")
    assert bodies(receive(sqs, queue)) == ["x", "x"]
    wrong = {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}
    assert refused(sqs.create_queue, QueueName="w.fifo", Attributes=wrong)[0] == "InvalidAttributeValue"


def test_the_same_attempt_gets_the_same_messages(sqs, fifo):
    for number in range(3):
        sqs.send_message(QueueUrl=fifo, MessageBody=str(number), MessageGroupId="a")
    first = receive(sqs, fifo, 2, ReceiveRequestAttemptId="attempt")
    again = receive(sqs, fifo, 2, ReceiveRequestAttemptId="attempt")
    assert bodies(first) == bodies(again) == ["0", "1"]


# --- dead letters


@pytest.fixture
def dead(sqs):
    return sqs.create_queue(QueueName="dead")["QueueUrl"]


def bury(cloud, sqs, queue, dead, count):
    policy = json.dumps({"deadLetterTargetArn": arn(sqs, dead), "maxReceiveCount": "1"})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "1"})
    for number in range(count):
        sqs.send_message(QueueUrl=queue, MessageBody=str(number))
    while receive(sqs, queue):
        pass
    cloud.move_clock("advance", 2_000)
    while receive(sqs, queue):
        pass


def test_what_is_received_too_often_goes_to_the_dead_letter_queue(cloud, sqs, queue, dead):
    bury(cloud, sqs, queue, dead, 3)
    assert attribute(sqs, queue, "ApproximateNumberOfMessages") == "0"
    messages = receive(sqs, dead, AttributeNames=["All"])
    assert sorted(bodies(messages)) == ["0", "1", "2"]
    assert messages[0]["Attributes"]["DeadLetterQueueSourceArn"] == arn(sqs, queue)
    sources = sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]
    assert sources == [queue]


def test_a_redrive_policy_is_judged(sqs, queue, fifo):
    def policy(target, count):
        return {"RedrivePolicy": json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": count})}

    for attributes in (
        policy(arn(sqs, queue) + "x", 1),
        policy(arn(sqs, fifo), 1),
        policy(arn(sqs, queue), 0),
    ):
        assert (
            refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes=attributes)[0]
            == "InvalidParameterValue"
        )


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline


def test_a_move_task_brings_dead_letters_back(cloud, sqs, queue, dead):
    bury(cloud, sqs, queue, dead, 25)
    task = sqs.start_message_move_task(SourceArn=arn(sqs, dead))
    assert task["TaskHandle"]

    def result():
        return sqs.list_message_move_tasks(SourceArn=arn(sqs, dead))["Results"][0]

    until(lambda: result()["Status"] == "COMPLETED")
    assert result()["ApproximateNumberOfMessagesMoved"] == 25
    assert attribute(sqs, dead, "ApproximateNumberOfMessages") == "0"
    back = []
    while found := receive(sqs, queue, VisibilityTimeout=1000):
        back += bodies(found)
    assert sorted(back, key=int) == [str(number) for number in range(25)]


def test_a_move_task_fails_with_its_destination(cloud, sqs, queue, dead):
    bury(cloud, sqs, queue, dead, 12)
    target = sqs.create_queue(QueueName="target")["QueueUrl"]
    source = arn(sqs, dead)
    sqs.start_message_move_task(
        SourceArn=source, DestinationArn=arn(sqs, target), MaxNumberOfMessagesPerSecond=1
    )
    sqs.delete_queue(QueueUrl=target)

    def result():
        return sqs.list_message_move_tasks(SourceArn=source)["Results"][0]

    until(lambda: result()["Status"] == "FAILED")
    assert result()["FailureReason"] == "AWS.SimpleQueueService.NonExistentQueue"


def test_a_move_task_is_cancelled(cloud, sqs, queue, dead):
    bury(cloud, sqs, queue, dead, 12)
    source = arn(sqs, dead)
    handle = sqs.start_message_move_task(SourceArn=source, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    assert refused(sqs.start_message_move_task, SourceArn=source)[0] == "InvalidParameterValue"
    sqs.cancel_message_move_task(TaskHandle=handle)
    until(lambda: sqs.list_message_move_tasks(SourceArn=source)["Results"][0]["Status"] == "CANCELLED")
    left = int(attribute(sqs, dead, "ApproximateNumberOfMessages"))
    assert left + int(attribute(sqs, queue, "ApproximateNumberOfMessages")) == 12
    assert left >= 10
    assert refused(sqs.cancel_message_move_task, TaskHandle=handle)[0] == "ResourceNotFoundException"
    assert refused(sqs.start_message_move_task, SourceArn=arn(sqs, queue))[0] == "InvalidParameterValue"


# --- the older protocol


def query(cloud, account, path="/", **members):
    """A signed request of the query protocol, as SDKs sent them before JSON."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    body = urllib.parse.urlencode({"Version": "2012-11-05", **members}).encode()
    request = botocore.awsrequest.AWSRequest(
        "POST", cloud.url + path, data=body, headers={"Content-Type": "application/x-www-form-urlencoded"}
    )
    credentials = botocore.credentials.Credentials(account, "test")
    botocore.auth.SigV4Auth(credentials, "sqs", "us-east-1").add_auth(request)
    prepared = request.prepare()
    sent = urllib.request.Request(cloud.url + path, data=body, headers=dict(prepared.headers))
    try:
        with urllib.request.urlopen(sent) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_query_protocol_serves_the_same_queue(cloud, sqs, queue, account):
    members = {
        "Action": "SendMessage", "MessageBody": "a&b", "MessageAttribute.1.Name": "k",
        "MessageAttribute.1.Value.DataType": "String", "MessageAttribute.1.Value.StringValue": "v",
    }  # fmt: skip
    status, text = query(cloud, account, f"/{account}/queue", **members)
    assert status == 200
    assert "<SendMessageResult><MessageId>" in text
    status, text = query(
        cloud,
        account,
        Action="ReceiveMessage",
        QueueUrl=queue,
        **{"MessageAttributeName.1": "All", "AttributeName.1": "All"},
    )
    assert "<Body>a&amp;b</Body>" in text
    assert "<MessageAttribute><Name>k</Name><Value><StringValue>v</StringValue>" in text.replace(
        "<DataType>String</DataType>", ""
    )
    assert "<Attribute><Name>SenderId</Name>" in text
    status, text = query(cloud, account, Action="ListQueues")
    assert f"<QueueUrl>{queue}</QueueUrl>" in text
    status, text = query(
        cloud,
        account,
        Action="CreateQueue",
        QueueName="old",
        **{"Attribute.1.Name": "DelaySeconds", "Attribute.1.Value": "5"},
    )
    assert status == 200
    assert attribute(sqs, sqs.get_queue_url(QueueName="old")["QueueUrl"], "DelaySeconds") == "5"


def test_errors_of_the_query_protocol(cloud, account):
    status, text = query(cloud, account, Action="GetQueueUrl", QueueName="nothing")
    assert status == 400
    assert "<Code>AWS.SimpleQueueService.NonExistentQueue</Code>" in text
    assert "<Message>The specified queue does not exist for this wsdl version.</Message>" in text
    assert "<Type>Sender</Type>" in text
    status, text = query(cloud, account, Action="Nonsense")
    assert (status, "InvalidAction" in text) == (400, True)
    status, text = query(cloud, account, Action="SendMessage", MessageBody="x")
    assert (status, "<Code>MissingParameter</Code>" in text) == (400, True)


def test_a_manual_clock_is_enough_for_a_whole_queue():
    clock = ManualClock(int(time.time() * 1000))
    with running(clock=clock) as cloud:
        sqs = cloud.client("sqs")
        queue = sqs.create_queue(QueueName="q")["QueueUrl"]
        sqs.send_message(QueueUrl=queue, MessageBody="x", DelaySeconds=60)
        assert receive(sqs, queue) == []
        clock.advance_ms(60_000)
        assert bodies(receive(sqs, queue)) == ["x"]
