"""Answers of SQS where they were recorded from AWS itself: names, texts, statuses, the order of groups."""

import base64
import json

import botocore.exceptions
import pytest
from tests.cloud import running
from tests.services.sqs.asking import attribute, bodies, receive


@pytest.fixture(scope="module")
def cloud():
    with running() as cloud:
        yield cloud


@pytest.fixture
def fifo(sqs):
    attributes = {"FifoQueue": "True", "ContentBasedDeduplication": "TRUE"}  # flags in any case
    return sqs.create_queue(QueueName="queue.fifo", Attributes=attributes)["QueueUrl"]


def refused(call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        call(**arguments)
    error = raised.value.response["Error"]
    status = raised.value.response["ResponseMetadata"]["HTTPStatusCode"]
    return status, error["Code"], error.get("QueryErrorCode"), error["Message"]


def test_errors_that_the_model_lacks_have_a_name_of_their_own_in_json(sqs, queue):
    assert refused(sqs.send_message, QueueUrl=queue, MessageBody="") == (
        400,
        "MissingParameter",
        "MissingRequiredParameterException",
        "The request must contain the parameter MessageBody.",
    )
    answer = refused(sqs.receive_message, QueueUrl=queue, MaxNumberOfMessages=11)
    assert answer[1:3] == ("InvalidParameterValue", "InvalidParameterValueException")


def test_a_status_is_the_same_in_json_as_in_the_older_protocol(sqs, queue):
    sqs.purge_queue(QueueUrl=queue)
    answer = refused(sqs.purge_queue, QueueUrl=queue)
    assert answer[:3] == (403, "AWS.SimpleQueueService.PurgeQueueInProgress", "PurgeQueueInProgress")
    answer = refused(sqs.list_message_move_tasks, SourceArn="arn:aws:sqs:us-east-1:000000000000:none")
    assert answer[:2] == (404, "ResourceNotFoundException")


def test_attributes_of_fifo_queues_alone(sqs, queue, fifo):
    def change(queue, **attributes):
        return refused(sqs.set_queue_attributes, QueueUrl=queue, Attributes=attributes)[1::2]

    text = "You can specify the DeduplicationScope only when FifoQueue is set to true."
    assert change(queue, DeduplicationScope="queue") == ("InvalidAttributeName", text)
    assert change(queue, FifoQueue="true") == ("InvalidAttributeName", "Unknown Attribute FifoQueue.")
    sqs.set_queue_attributes(QueueUrl=fifo, Attributes={"FifoQueue": "true"})
    text = "Invalid value for the parameter FifoQueue. Reason: Modifying queue type is not supported."
    assert change(fifo, FifoQueue="false") == ("InvalidAttributeValue", text)
    assert attribute(sqs, fifo, "ContentBasedDeduplication") == "true"


def test_a_redrive_policy_comes_back_with_its_count_as_a_number(sqs, queue):
    target = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = {"maxReceiveCount": "3", "deadLetterTargetArn": attribute(sqs, target, "QueueArn")}
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": json.dumps(policy)})
    assert json.loads(attribute(sqs, queue, "RedrivePolicy")) == {**policy, "maxReceiveCount": 3}


def test_a_group_is_missing_of_one_message_and_of_a_batch(sqs, fifo):
    text = "The request must contain the parameter MessageGroupId."
    assert refused(sqs.send_message, QueueUrl=fifo, MessageBody="x")[1::2] == ("MissingParameter", text)
    entries = [{"Id": "1", "MessageBody": "x"}]
    answer = refused(sqs.send_message_batch, QueueUrl=fifo, Entries=entries)
    assert answer[1::2] == ("InvalidParameterValue", text)


def test_attribute_names_may_have_letters_of_any_script(sqs, queue):
    attributes = {"attr.1øßä": {"StringValue": "x", "DataType": "String"}}
    sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)
    (message,) = receive(sqs, queue, MessageAttributeNames=["All"])
    assert message["MessageAttributes"] == attributes


def test_the_trace_of_a_request_goes_with_its_message(sqs, queue):
    trace = "Root=1-3152b799-8954dae64eda91bc9a23a7e8;Parent=7fa8c0f79203be72;Sampled=1"

    def add(request, **_):
        request.headers["X-Amzn-Trace-Id"] = trace

    sqs.meta.events.register("before-send.sqs.SendMessage", add)
    answer = sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert "MD5OfMessageSystemAttributes" not in answer
    (message,) = receive(sqs, queue, AttributeNames=["AWSTraceHeader"])
    assert message["Attributes"] == {"AWSTraceHeader": trace}


def test_a_purge_forgets_deduplication_ids(sqs, fifo):
    first = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    sqs.purge_queue(QueueUrl=fifo)
    second = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    assert second["MessageId"] != first["MessageId"]
    assert bodies(receive(sqs, fifo)) == ["x"]
    third = sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="a")
    assert third["MessageId"] == second["MessageId"], "what was sent after it is remembered"


def send_groups(sqs, fifo, *names):
    for name in names:
        sqs.send_message(QueueUrl=fifo, MessageBody=name, MessageGroupId=name.partition("-")[0])


def test_a_group_that_comes_back_stands_behind_those_that_nobody_was_given(sqs, fifo):
    send_groups(sqs, fifo, "a-1", "b-1", "b-2", "c-1", "a-2")
    assert bodies(receive(sqs, fifo, 3, VisibilityTimeout=0)) == ["a-1", "a-2", "b-1"]
    assert bodies(receive(sqs, fifo, VisibilityTimeout=0)) == ["c-1", "a-1", "a-2", "b-1", "b-2"]


def test_a_message_given_back_opens_its_group_up_to_those_still_held(sqs, fifo):
    send_groups(sqs, fifo, "a-1", "a-2", "b-1")
    first, second = receive(sqs, fifo, 2)
    assert bodies([first, second]) == ["a-1", "a-2"]
    sqs.change_message_visibility(QueueUrl=fifo, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    assert bodies(receive(sqs, fifo, 3)) == ["b-1", "a-1"]


def test_handles_of_tasks_that_are_none(sqs, queue):
    def cancel(task, source):
        text = json.dumps({"taskId": task, "sourceArn": source})
        handle = base64.b64encode(text.encode()).decode()
        return refused(sqs.cancel_message_move_task, TaskHandle=handle)

    task, source = "10f57157-fc38-4da9-a113-4de7e12d05aa", attribute(sqs, queue, "QueueArn")
    gone = "The resource that you specified for the SourceArn parameter doesn't exist."
    assert cancel(task, source + "x")[:2] == (404, "ResourceNotFoundException")
    assert cancel(task, source + "x")[3] == gone
    assert cancel(task, source)[3] == "Task does not exist."
    assert refused(sqs.cancel_message_move_task, TaskHandle="foobared")[1] == "InvalidParameterValue"


def test_tags_that_are_too_many_or_too_few(sqs, queue):
    tags = {str(number): "" for number in range(51)}
    assert refused(sqs.tag_queue, QueueUrl=queue, Tags=tags)[3] == "Too many tags added for queue queue."
    text = "Tag keys must be between 1 and 128 characters in length."
    assert refused(sqs.untag_queue, QueueUrl=queue, TagKeys=[])[3] == text
