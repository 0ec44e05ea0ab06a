"""What tests ask a queue for with boto3."""


def receive(sqs, queue, count=10, **more):
    return sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=count, **more).get("Messages", [])


def bodies(messages):
    return [message["Body"] for message in messages]


def attribute(sqs, queue, name):
    return sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])["Attributes"][name]
