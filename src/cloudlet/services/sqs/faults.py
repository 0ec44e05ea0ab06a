"""The service and the errors that it answers.

State   none
Source  SQS API Reference 2012-11-05; texts: docs/sources/sqs.md
Absent  none
"""

from __future__ import annotations

from cloudlet.aws.service import Service
from cloudlet.kernel.fault import Fault
from cloudlet.services.sqs import decide

MissingParameter = Fault("MissingParameter")


def missing(name: str) -> Fault:
    """A required member is absent."""
    return MissingParameter(f"The request must contain the parameter {name}.")


# SQS judges its members itself, in words of its own; an old SDK names the queue by the path of its request.
sqs = Service(
    "sqs",
    missing=missing,
    found_elsewhere=("QueueUrl",),
    texts_in_query={"QueueDoesNotExist": "The specified queue does not exist for this wsdl version."},
    throttling=Fault("RequestThrottled", "The request was denied because of too many concurrent calls."),
)

InvalidValue = sqs.fault(decide.InvalidValue.code)
NoSuchQueue = sqs.fault("QueueDoesNotExist", "The specified queue does not exist.")
QueueExists = sqs.fault("QueueNameExists")
DeletedRecently = sqs.fault(
    "QueueDeletedRecently",
    "You must wait 60 seconds after deleting a queue before you can create another with the same name.",
)
UnknownAttribute = sqs.fault("InvalidAttributeName")
InvalidAttribute = sqs.fault("InvalidAttributeValue")
InvalidContents = sqs.fault("InvalidMessageContents")
InvalidReceipt = sqs.fault("ReceiptHandleIsInvalid")
OverLimit = sqs.fault(decide.TooManyHeld.code, status=403)
PurgeInProgress = sqs.fault(decide.PurgeInProgress.code, status=403)
EmptyBatch = sqs.fault("EmptyBatchRequest")
TooManyEntries = sqs.fault("TooManyEntriesInBatchRequest")
BatchTooLong = sqs.fault("BatchRequestTooLong")
InvalidEntryId = sqs.fault(
    "InvalidBatchEntryId",
    "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
    "It can be at most 80 letters long.",
)
RepeatedEntryId = sqs.fault("BatchEntryIdsNotDistinct")
NoSuchResource = sqs.fault("ResourceNotFoundException", status=404)
Unsupported = sqs.fault("UnsupportedOperation")


def invalid(name: str, value: object, reason: str) -> Fault:
    """A parameter's value is out of what is allowed."""
    return InvalidValue(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def within(name: str, value: int | None, start: int, last: int, reason: str) -> int | None:
    """The number, checked to lie in [start, last] where it is given."""
    if value is not None and not start <= value <= last:
        raise invalid(name, value, reason)
    return value
