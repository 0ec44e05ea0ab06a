"""The service and the errors that it answers.

State   none
Source  S3 API Reference 2006-03-01, "Error responses"; texts: docs/sources/s3.md
Absent  none

S3's model lists few of its errors, so most are declared without it.
"""

from __future__ import annotations

from cloudlet.aws.service import Service
from cloudlet.kernel.fault import Fault

MalformedXML = Fault(
    "MalformedXML",
    "The XML you provided was not well-formed or did not validate against our published schema",
)


ATTRIBUTES_MISSING = Fault(
    "InvalidRequest",
    "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty",
)


def missing(name: str) -> Fault:
    """A required member is absent: a header of GetObjectAttributes, else what a body should have."""
    if name == "ObjectAttributes":
        return ATTRIBUTES_MISSING
    return MalformedXML(MalformedXML.message)


# S3 judges its members itself, in words of its own.
s3 = Service(
    "s3",
    missing=missing,
    unsigned=Fault("AccessDenied", "Access Denied", status=403),
    throttling=Fault("SlowDown", "Please reduce your request rate.", status=503),
)

NoSuchBucket = s3.fault("NoSuchBucket", "The specified bucket does not exist", status=404)
NoSuchKey = s3.fault("NoSuchKey", "The specified key does not exist.", status=404)
NoSuchUpload = s3.fault(
    "NoSuchUpload",
    "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted "
    "or completed.",
    status=404,
)
BucketAlreadyExists = s3.fault(
    "BucketAlreadyExists",
    "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
    "Please select a different name and try again.",
    status=409,
)
BucketAlreadyOwnedByYou = s3.fault(
    "BucketAlreadyOwnedByYou",
    "Your previous request to create the named bucket succeeded and you already own it.",
    status=409,
)
AccessDenied = Fault("AccessDenied", "Access Denied", status=403)
BadDigest = Fault("BadDigest", "The Content-MD5 you specified did not match what we received.")
BadRequest = Fault("BadRequest")
ConditionalConflict = Fault(
    "ConditionalRequestConflict",
    "The conditional request cannot succeed due to a conflicting operation against this resource.",
    status=409,
)
IllegalVersioning = Fault(
    "IllegalVersioningConfigurationException", "The Versioning element must be specified"
)
BucketNotEmpty = Fault("BucketNotEmpty", "The bucket you tried to delete is not empty", status=409)
EntityTooLarge = Fault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size")
EntityTooSmall = Fault("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size")
IllegalLocation = Fault("IllegalLocationConstraintException")
InvalidArgument = Fault("InvalidArgument")
InvalidBucketName = Fault("InvalidBucketName", "The specified bucket is not valid.")
InvalidDigest = Fault("InvalidDigest", "The Content-MD5 you specified was invalid.")
InvalidLocation = Fault("InvalidLocationConstraint", "The specified location-constraint is not valid")
InvalidPart = Fault(
    "InvalidPart",
    "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
    "specified entity tag may not match the part's entity tag.",
)
InvalidPartOrder = Fault(
    "InvalidPartOrder",
    "The list of parts was not in ascending order. Parts must be ordered by part number.",
)
InvalidPartNumber = Fault("InvalidPartNumber", "The requested partnumber is not satisfiable", status=416)
InvalidRange = Fault("InvalidRange", "The requested range is not satisfiable", status=416)
InvalidRequest = s3.fault("InvalidRequest")
InvalidStorageClass = Fault("InvalidStorageClass", "The storage class you specified is not valid")
InvalidTag = Fault("InvalidTag")
KeyTooLong = Fault("KeyTooLongError", "Your key is too long")
MetadataTooLarge = Fault("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
MethodNotAllowed = Fault(
    "MethodNotAllowed", "The specified method is not allowed against this resource.", status=405
)
NoSuchTagSet = Fault("NoSuchTagSet", "The TagSet does not exist", status=404)
NoSuchVersion = Fault("NoSuchVersion", "The specified version does not exist.", status=404)
NotImplementedHere = Fault("NotImplemented", status=501)
PreconditionFailed = Fault(
    "PreconditionFailed", "At least one of the pre-conditions you specified did not hold", status=412
)


def invalid_argument(message: str, name: str, value: str) -> Fault:
    """A parameter's value is out of what is allowed."""
    return InvalidArgument(message, ArgumentName=name, ArgumentValue=value)


def not_implemented(operation: str, what: str) -> Fault:
    """A value that S3 knows and this cloud does not."""
    return NotImplementedHere(f"s3: {operation} does not implement {what}")


def failed(condition: str) -> Fault:
    """A condition of the request does not hold."""
    return PreconditionFailed(PreconditionFailed.message, Condition=condition)
