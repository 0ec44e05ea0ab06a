# Written by `python -m cloudlet.aws.stubs sqs` from the model of API 2012-11-05. Do not edit.
from typing import TypedDict

import msgspec

class AddPermissionRequest(msgspec.Struct):
    QueueUrl: str
    Label: str
    AWSAccountIds: list[str]
    Actions: list[str]

class CancelMessageMoveTaskRequest(msgspec.Struct):
    TaskHandle: str

class ChangeMessageVisibilityBatchRequest(msgspec.Struct):
    QueueUrl: str
    Entries: list[ChangeMessageVisibilityBatchRequestEntry]

class ChangeMessageVisibilityBatchRequestEntry(msgspec.Struct):
    Id: str
    ReceiptHandle: str
    VisibilityTimeout: int | None

class ChangeMessageVisibilityRequest(msgspec.Struct):
    QueueUrl: str
    ReceiptHandle: str
    VisibilityTimeout: int

class CreateQueueRequest(msgspec.Struct):
    QueueName: str
    Attributes: dict[str, str] | None
    tags: dict[str, str] | None

class DeleteMessageBatchRequest(msgspec.Struct):
    QueueUrl: str
    Entries: list[DeleteMessageBatchRequestEntry]

class DeleteMessageBatchRequestEntry(msgspec.Struct):
    Id: str
    ReceiptHandle: str

class DeleteMessageRequest(msgspec.Struct):
    QueueUrl: str
    ReceiptHandle: str

class DeleteQueueRequest(msgspec.Struct):
    QueueUrl: str

class GetQueueAttributesRequest(msgspec.Struct):
    QueueUrl: str
    AttributeNames: list[str] | None

class GetQueueUrlRequest(msgspec.Struct):
    QueueName: str
    QueueOwnerAWSAccountId: str | None

class ListDeadLetterSourceQueuesRequest(msgspec.Struct):
    QueueUrl: str
    NextToken: str | None
    MaxResults: int | None

class ListMessageMoveTasksRequest(msgspec.Struct):
    SourceArn: str
    MaxResults: int | None

class ListQueueTagsRequest(msgspec.Struct):
    QueueUrl: str

class ListQueuesRequest(msgspec.Struct):
    QueueNamePrefix: str | None
    NextToken: str | None
    MaxResults: int | None

class MessageAttributeValue(msgspec.Struct):
    StringValue: str | None
    BinaryValue: bytes | None
    StringListValues: list[str] | None
    BinaryListValues: list[bytes] | None
    DataType: str

class MessageSystemAttributeValue(msgspec.Struct):
    StringValue: str | None
    BinaryValue: bytes | None
    StringListValues: list[str] | None
    BinaryListValues: list[bytes] | None
    DataType: str

class PurgeQueueRequest(msgspec.Struct):
    QueueUrl: str

class ReceiveMessageRequest(msgspec.Struct):
    QueueUrl: str
    AttributeNames: list[str] | None
    MessageSystemAttributeNames: list[str] | None
    MessageAttributeNames: list[str] | None
    MaxNumberOfMessages: int | None
    VisibilityTimeout: int | None
    WaitTimeSeconds: int | None
    ReceiveRequestAttemptId: str | None

class RemovePermissionRequest(msgspec.Struct):
    QueueUrl: str
    Label: str

class SendMessageBatchRequest(msgspec.Struct):
    QueueUrl: str
    Entries: list[SendMessageBatchRequestEntry]

class SendMessageBatchRequestEntry(msgspec.Struct):
    Id: str
    MessageBody: str
    DelaySeconds: int | None
    MessageAttributes: dict[str, MessageAttributeValue] | None
    MessageSystemAttributes: dict[str, MessageSystemAttributeValue] | None
    MessageDeduplicationId: str | None
    MessageGroupId: str | None

class SendMessageRequest(msgspec.Struct):
    QueueUrl: str
    MessageBody: str
    DelaySeconds: int | None
    MessageAttributes: dict[str, MessageAttributeValue] | None
    MessageSystemAttributes: dict[str, MessageSystemAttributeValue] | None
    MessageDeduplicationId: str | None
    MessageGroupId: str | None

class SetQueueAttributesRequest(msgspec.Struct):
    QueueUrl: str
    Attributes: dict[str, str]

class StartMessageMoveTaskRequest(msgspec.Struct):
    SourceArn: str
    DestinationArn: str | None
    MaxNumberOfMessagesPerSecond: int | None

class TagQueueRequest(msgspec.Struct):
    QueueUrl: str
    Tags: dict[str, str]

class UntagQueueRequest(msgspec.Struct):
    QueueUrl: str
    TagKeys: list[str]

class BatchResultErrorEntry(TypedDict, total=False):
    Id: str
    SenderFault: bool
    Code: str
    Message: str

class CancelMessageMoveTaskResult(TypedDict, total=False):
    ApproximateNumberOfMessagesMoved: int

class ChangeMessageVisibilityBatchResult(TypedDict, total=False):
    Successful: list[ChangeMessageVisibilityBatchResultEntry]
    Failed: list[BatchResultErrorEntry]

class ChangeMessageVisibilityBatchResultEntry(TypedDict, total=False):
    Id: str

class CreateQueueResult(TypedDict, total=False):
    QueueUrl: str

class DeleteMessageBatchResult(TypedDict, total=False):
    Successful: list[DeleteMessageBatchResultEntry]
    Failed: list[BatchResultErrorEntry]

class DeleteMessageBatchResultEntry(TypedDict, total=False):
    Id: str

class GetQueueAttributesResult(TypedDict, total=False):
    Attributes: dict[str, str]

class GetQueueUrlResult(TypedDict, total=False):
    QueueUrl: str

class ListDeadLetterSourceQueuesResult(TypedDict, total=False):
    queueUrls: list[str]
    NextToken: str

class ListMessageMoveTasksResult(TypedDict, total=False):
    Results: list[ListMessageMoveTasksResultEntry]

class ListMessageMoveTasksResultEntry(TypedDict, total=False):
    TaskHandle: str
    Status: str
    SourceArn: str
    DestinationArn: str
    MaxNumberOfMessagesPerSecond: int
    ApproximateNumberOfMessagesMoved: int
    ApproximateNumberOfMessagesToMove: int
    FailureReason: str
    StartedTimestamp: int

class ListQueueTagsResult(TypedDict, total=False):
    Tags: dict[str, str]

class ListQueuesResult(TypedDict, total=False):
    QueueUrls: list[str]
    NextToken: str

class Message(TypedDict, total=False):
    MessageId: str
    ReceiptHandle: str
    MD5OfBody: str
    Body: str
    Attributes: dict[str, str]
    MD5OfMessageAttributes: str
    MessageAttributes: dict[str, MessageAttributeValueDict]

class MessageAttributeValueDict(TypedDict, total=False):
    StringValue: str
    BinaryValue: bytes
    StringListValues: list[str]
    BinaryListValues: list[bytes]
    DataType: str

class ReceiveMessageResult(TypedDict, total=False):
    Messages: list[Message]

class SendMessageBatchResult(TypedDict, total=False):
    Successful: list[SendMessageBatchResultEntry]
    Failed: list[BatchResultErrorEntry]

class SendMessageBatchResultEntry(TypedDict, total=False):
    Id: str
    MessageId: str
    MD5OfMessageBody: str
    MD5OfMessageAttributes: str
    MD5OfMessageSystemAttributes: str
    SequenceNumber: str

class SendMessageResult(TypedDict, total=False):
    MD5OfMessageBody: str
    MD5OfMessageAttributes: str
    MD5OfMessageSystemAttributes: str
    MessageId: str
    SequenceNumber: str

class StartMessageMoveTaskResult(TypedDict, total=False):
    TaskHandle: str
