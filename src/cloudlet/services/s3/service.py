"""S3: buckets of objects, versioned or not.

State   see state.py
Source  S3 API Reference and User Guide 2006-03-01; limits and texts: docs/sources/s3.md
Absent  policies, ACLs, public access blocks, CORS, websites, lifecycle, object lock, restore, encryption,
        notifications, logging, inventory, replication, MFA delete, POST forms; other accounts' buckets
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cloudlet.aws.record import decoder
from cloudlet.services.s3 import buckets, copying, deleting, listing, object_tags, objects, uploads
from cloudlet.services.s3.faults import s3
from cloudlet.services.s3.parts import Part
from cloudlet.services.s3.state import blobs_of_object

if TYPE_CHECKING:
    from cloudlet.aws.record import Key
    from cloudlet.kernel.blobs import BlobId

SERVICE = s3

# Their import declares the operations.
OPERATIONS = (buckets, objects, copying, deleting, object_tags, listing, uploads)


@s3.holds("s3", "object")
def held_by_object(_: Key, value: bytes) -> Iterable[BlobId]:
    """The newest version of a key holds its body."""
    return blobs_of_object(value)


@s3.holds("s3", "version")
def held_by_version(_: Key, value: bytes) -> Iterable[BlobId]:
    """So does every other version."""
    return blobs_of_object(value)


@s3.holds("s3", "part")
def held_by_part(_: Key, value: bytes) -> Iterable[BlobId]:
    """A part holds its bytes until its upload is completed or aborted."""
    blob = decoder(Part).decode(value).blob
    return [blob] if blob else []
