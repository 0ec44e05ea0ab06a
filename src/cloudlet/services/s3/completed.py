"""Uploads in parts that were completed: kept in mind for a day, for clients that missed the answer.

State   ("s3", "completed", bucket, upload_id) -> Completed
Source  S3 API Reference 2006-03-01, CompleteMultipartUpload (which "could take several minutes", so clients
        ask again), AbortMultipartUpload
Absent  none

    What became of the object since does not matter: completing again tells of the object that was made, and
    aborting finds nothing to abort. Upload ids begin with a time, so those of a bucket sort by it, and each
    completion forgets a few that are too old; the bucket's end forgets all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudlet.aws.record import Key, Record
from cloudlet.services.s3.faults import NoSuchUpload
from cloudlet.services.s3.parts import etag_of

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.s3 import shapes

KEPT_MS = 86_400_000
FORGOTTEN_AT_ONCE = 4  # more than one, so that what piled up goes


class Completed(Record, array_like=True):
    """What is told again of a completed upload."""

    key: str
    completed_ms: int
    etag: str
    version_id: str
    checksum_algorithm: str
    checksum: str
    checksum_type: str


def completed_of(bucket: str) -> Key:
    """The space of a bucket's completed uploads."""
    return ("s3", "completed", bucket)


def completed_key(bucket: str, upload_id: str) -> Key:
    """Where a completed upload is remembered."""
    return ("s3", "completed", bucket, upload_id)


def completed_before(rq: Request, bucket: str, key: str, upload_id: str) -> Completed | None:
    """The upload, if it was completed within the last day, and for this key."""
    found = rq.get(completed_key(bucket, upload_id), Completed)
    if found is None or found.key != key or found.completed_ms + KEPT_MS <= rq.now_ms:
        return None
    return found


def check_same(made: Completed, upload_id: str, listed: Sequence[shapes.CompletedPart]) -> None:
    """NoSuchUpload unless these are the parts that the upload was completed with."""
    try:
        etag = etag_of([bytes.fromhex((part.ETag or "").strip('"')) for part in listed])
    except ValueError:
        etag = ""
    if etag != made.etag:
        raise NoSuchUpload(NoSuchUpload.message, UploadId=upload_id)


def too_old(rq: Request, bucket: str) -> list[Key]:
    """A few completed uploads that need not be remembered any more."""
    oldest = rq.glance(completed_of(bucket), Completed, limit=FORGOTTEN_AT_ONCE)
    return [key for key, each in oldest if each.completed_ms + KEPT_MS <= rq.now_ms]
