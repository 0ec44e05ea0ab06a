"""The versions of a key: which one is the newest, what a new one pushes aside, what one that goes uncovers.

State   see state.py
Source  S3 User Guide, "Retaining multiple versions of objects with S3 Versioning", "Working with delete
        markers", "Deleting object versions from a versioning-suspended bucket"
Absent  none

Theory of operation
    Whoever changes a key first asks for its newest version, and thereby guards it. Where that is a delete
    marker, or there is none, the place of the version that would come next is guarded too: it is where a
    racing writer puts its marker, while a racing writer of an object changes the object's own place. Only an
    object that is put without a condition into a bucket that never had versions need not ask.

        versioning    a new object or marker                                  the one before it
        never on      takes the object's place, as the null version            is gone
        Enabled       gets an id and takes the front                          goes behind it
        Suspended     is the null version and takes the front; the null       goes behind it, unless it is the
                      version of before, wherever it stood, is gone           null version
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cloudlet.services.s3.faults import (
    MethodNotAllowed,
    NoSuchKey,
    NoSuchVersion,
    invalid_argument,
)
from cloudlet.services.s3.state import (
    ENABLED,
    NULL,
    TOKEN_BYTES,
    Bucket,
    Object,
    object_key,
    ordinal_of,
    place_of,
    version_id_of,
    version_key,
    versions_of,
)

if TYPE_CHECKING:
    from cloudlet.aws.record import Key, Record
    from cloudlet.aws.request import Request
    from cloudlet.kernel.fault import Fault

ORDINAL_MAX = 1 << 32  # no key has so many versions, so an id that says so is none of ours


class Change(msgspec.Struct):
    """What a commit is to put and drop; an operation may add more of its own."""

    put: dict[Key, Record] = {}
    drop: list[Key] = []


# --- finding


def newest_of(rq: Request, bucket: Bucket, key: str) -> Object | None:
    """The newest version of a key, which may be a marker, guarded so that it may be built upon."""
    current = rq.get(object_key(bucket.name, key), Object)
    if current is not None or not bucket.versioning:
        return current
    marker: Object | None = None
    for place, _ in rq.glance((*versions_of(bucket.name), key), Object, limit=1):
        marker = rq.get(place, Object)
    rq.get(version_key(bucket.name, key, marker.ordinal + 1 if marker else 1), Object)
    return marker


def present(newest: Object | None) -> Object | None:
    """The newest version where it is an object."""
    return None if newest is None or newest.is_marker else newest


def version_of(rq: Request, bucket: Bucket, key: str, version_id: str) -> Object | None:
    """One version or marker by its id, guarded; InvalidArgument for an id that never was one."""
    ordinal = None if version_id == NULL else ordinal_of(version_id)
    if version_id != NULL and (ordinal is None or not 0 < ordinal <= ORDINAL_MAX):
        raise invalid_argument("Invalid version id specified", "versionId", version_id)
    newest = newest_of(rq, bucket, key)
    if newest is None or newest.version_id == version_id:
        return newest
    wanted = newest.null_ordinal if ordinal is None else ordinal
    if not 0 < wanted < newest.ordinal:
        return None
    found = rq.get(version_key(bucket.name, key, wanted), Object)
    return found if found is not None and found.version_id == version_id else None


def read_version(
    rq: Request,
    bucket: Bucket,
    key: str,
    version_id: str | None,
    method: str = "GET",
    *,
    of_tags: bool = False,
) -> Object:
    """The object that a call means: NoSuchKey, NoSuchVersion, MethodNotAllowed for a marker by its id.

    A call about tags is told of a marker also where it names no version.
    """
    if version_id is None:
        current = rq.get(object_key(bucket.name, key), Object)
        if current is not None:
            return current
        missing = NoSuchKey(NoSuchKey.message, Key=key)
        marker = newest_of(rq, bucket, key) if bucket.versioning else None
        if marker is not None and of_tags:
            raise refused_of_marker(marker, method)
        raise missing.beside(*marks(marker)) if marker is not None else missing
    if not version_id:
        raise invalid_argument("Version id cannot be the empty string", "versionId", "")
    found = version_of(rq, bucket, key, version_id)
    if found is None:
        raise NoSuchVersion(NoSuchVersion.message, Key=key, VersionId=version_id)
    if found.is_marker:
        raise refused_of_marker(found, method)
    return found


def refused_of_marker(marker: Object, method: str) -> Fault:
    """A delete marker cannot be read, or have tags."""
    refused = MethodNotAllowed(MethodNotAllowed.message, Method=method, ResourceType="DeleteMarker")
    return refused.beside(*marks(marker), ("allow", "DELETE"))


def marks(marker: Object) -> tuple[tuple[str, str], ...]:
    """The headers that tell of a delete marker."""
    return ("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.version_id)


# --- changing


def placed(
    rq: Request, bucket: Bucket, key: str, new: Object, newest: Object | None
) -> tuple[Object, Change]:
    """A new object or marker in front of `newest`: its record with ordinal and version id, and the change."""
    name = bucket.name
    if not bucket.versioning and (new.ordinal, new.version_id, new.null_ordinal) == (1, NULL, 0):
        return new, Change({object_key(name, key): new})  # every object is the null version, the only one
    change = Change()
    ordinal, version_id, null_ordinal = 1, NULL, 0
    is_replaced = newest is not None  # whether the new one takes the place of the newest
    if newest is not None:
        is_replaced = bucket.versioning != ENABLED and newest.version_id == NULL
        ordinal = newest.ordinal if is_replaced else newest.ordinal + 1
        null_ordinal = newest.ordinal if newest.version_id == NULL else newest.null_ordinal
    if bucket.versioning == ENABLED:
        version_id = version_id_of(ordinal, rq.token(TOKEN_BYTES))
    elif null_ordinal and not is_replaced:
        change.drop.append(version_key(name, key, null_ordinal))
    if bucket.versioning != ENABLED:
        null_ordinal = 0
    new = msgspec.structs.replace(new, ordinal=ordinal, version_id=version_id, null_ordinal=null_ordinal)
    place = place_of(name, key, new)
    change.put[place] = new
    if newest is not None:
        former = place_of(name, key, newest)
        if not newest.is_marker and not is_replaced:
            change.put[version_key(name, key, newest.ordinal)] = newest
        if former != place and (is_replaced or not newest.is_marker):
            change.drop.append(former)
    return new, change


def removed(rq: Request, bucket: Bucket, key: str, found: Object) -> Change:
    """One version or marker gone for good; where it was the newest, the next one comes to the front."""
    change = Change()
    name = bucket.name
    newest = newest_of(rq, bucket, key)
    assert newest is not None
    if found.ordinal != newest.ordinal:
        change.drop.append(version_key(name, key, found.ordinal))
        if found.version_id == NULL:
            change.put[place_of(name, key, newest)] = msgspec.structs.replace(newest, null_ordinal=0)
        return change
    front = place_of(name, key, newest)
    following = None
    if bucket.versioning:
        after = version_key(name, key, newest.ordinal)
        for place, _ in rq.glance((*versions_of(name), key), Object, after=after, limit=1):
            following = rq.get(place, Object)
    if following is not None:
        null_ordinal = 0 if following.version_id == NULL else newest.null_ordinal
        risen = msgspec.structs.replace(following, null_ordinal=null_ordinal)
        change.put[place_of(name, key, risen)] = risen
        if not following.is_marker:
            change.drop.append(version_key(name, key, following.ordinal))
    if front not in change.put:
        change.drop.append(front)
    return change
