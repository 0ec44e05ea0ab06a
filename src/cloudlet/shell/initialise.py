"""Making what the file of `--init` asks for, by the services' own operations.

State   none: what is made are ordinary resources
Source  docs/cli.md, "The init file"
Absent  taking away what a former file asked for: what is there stays; a bucket is made in up to three calls,
        so one that a crash left half made is reported as differing

Everything is looked at first, so doing it twice changes nothing. What is there and differs is an error that
says how; it is neither changed nor made anew, since its owner may have changed it for a reason.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws.inside import Inside, Place
from cloudlet.kernel.fault import Fault
from cloudlet.shell.control import Refused, Verbs, json_reply, said
from cloudlet.wire.http1 import Request, Response

if TYPE_CHECKING:
    from cloudlet.kafka.broker import Broker
    from cloudlet.shell.init_file import BucketWanted, QueueWanted, TopicWanted, Wanted

log = logging.getLogger(__name__)

FIRST_REGION = "us-east-1"  # the one that S3 has no name for


class BadFile(Exception):
    """The file does not say what a cloud could do; the message names the file, the table and the key."""


class NotMade(Exception):
    """Something of the file is refused, or is there and differs; the message says what."""


class Asked(msgspec.Struct):
    """The body of the control verb: a file's text, and its name for refusals."""

    text: str
    name: str = "init"


class Initialiser:
    """Makes what files ask for, one file at a time."""

    def __init__(self, inside: Inside, own: Place, broker: Callable[[], Broker | None]) -> None:
        self._inside = inside
        self._own = own
        self._broker = broker
        self.topics: Sequence[TopicWanted] = ()  # of the file, for when the broker is there
        self._turn = asyncio.Lock()

    async def make_file(self, path: str) -> None:
        """Make what a file asks for, but for its topics, which `make_topics` makes. BadFile, NotMade."""
        from cloudlet.shell.init_file import read

        try:
            text = await asyncio.to_thread(Path(path).read_text, encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise BadFile(f"{path}: this cannot be read: {error}") from None
        wanted = read(path, text, self._own)
        self.topics = wanted.topics
        await self.make(replace(wanted, topics=()))

    async def make_topics(self) -> None:
        """Make the topics that the file has asked for. NotMade."""
        from cloudlet.shell.init_file import Wanted

        await self.make(Wanted(topics=self.topics))

    async def make(self, wanted: Wanted) -> int:
        """Make what is not there; how many queues, buckets and topics that were. NotMade."""
        async with self._turn:
            made = [await self._queue(queue) for queue in wanted.queues]
            made += [await self._bucket(bucket) for bucket in wanted.buckets]
            made += [await self._topic(topic) for topic in wanted.topics]
        log.info("init: %d made, %d were there", sum(made), len(made) - sum(made))
        return sum(made)

    def verbs(self) -> Verbs:
        """The same for a cloud that runs."""

        async def init(request: Request) -> Response:
            from cloudlet.shell.init_file import read

            asked = said(request, Asked)
            try:
                made = await self.make(read(asked.name, asked.text, self._own))
            except BadFile as error:
                raise Refused(str(error)) from None
            except NotMade as error:
                raise Refused(str(error), 409) from None
            return json_reply({"made": made})

        return {("POST", "/init"): init}

    # --- queues

    async def _queue(self, wanted: QueueWanted) -> bool:
        attributes = dict(wanted.attributes)
        if wanted.dead_letters is not None:
            target = f"arn:aws:sqs:{wanted.place.region}:{wanted.place.account}:{wanted.dead_letters}"
            policy = {"deadLetterTargetArn": target, "maxReceiveCount": wanted.receive_count}
            attributes["RedrivePolicy"] = json.dumps(policy)
        there = await self._found(wanted, "sqs", "GetQueueUrl", {"QueueName": wanted.name})
        members: dict[str, object] = {"QueueName": wanted.name, "Attributes": attributes}
        if there is None and wanted.tags:
            members["tags"] = wanted.tags
        made = await self._call(
            wanted, "sqs", "CreateQueue", members
        )  # compares the attributes if it is there
        if there is not None:
            kept = await self._call(wanted, "sqs", "ListQueueTags", {"QueueUrl": made["QueueUrl"]})
            _check(wanted, "tags", wanted.tags, kept.get("Tags", {}))
        return there is None

    # --- buckets

    async def _bucket(self, wanted: BucketWanted) -> bool:
        named = {"Bucket": wanted.name}
        there = await self._found(wanted, "s3", "HeadBucket", named)
        if there is not None:
            _check(wanted, "region", wanted.place.region, there["BucketRegion"])
            versioning = (await self._call(wanted, "s3", "GetBucketVersioning", named)).get("Status")
            if wanted.is_versioned is not None:
                _check(wanted, "versioning", wanted.is_versioned, versioning == "Enabled")
            tags = await self._found(wanted, "s3", "GetBucketTagging", named)
            _check(wanted, "tags", wanted.tags, _tags_of(tags or {}))
            return False
        where = {"LocationConstraint": wanted.place.region}
        is_first = wanted.place.region == FIRST_REGION
        await self._call(
            wanted, "s3", "CreateBucket", named if is_first else {**named, "CreateBucketConfiguration": where}
        )
        if wanted.is_versioned:
            enabled = {"VersioningConfiguration": {"Status": "Enabled"}}
            await self._call(wanted, "s3", "PutBucketVersioning", {**named, **enabled})
        if wanted.tags:
            tag_set = [{"Key": name, "Value": value} for name, value in wanted.tags.items()]
            await self._call(wanted, "s3", "PutBucketTagging", {**named, "Tagging": {"TagSet": tag_set}})
        return True

    # --- topics

    async def _topic(self, wanted: TopicWanted) -> bool:
        from cloudlet.shell.init_topics import Differs, make_topic

        broker = self._broker()
        if broker is None:
            raise NotMade(
                f"{wanted.where}: this cloud has no Kafka broker: leave out --only, or name it there"
            )
        try:
            return await make_topic(broker, wanted)
        except Differs as error:
            raise NotMade(f"{wanted.where}: {error}") from None

    # --- calling

    async def _found(
        self, wanted: QueueWanted | BucketWanted, service: str, operation: str, members: Mapping[str, object]
    ) -> Mapping[str, object] | None:
        """What a call answers, None where it says that there is nothing."""
        try:
            return await self._inside.call(wanted.place, service, operation, members)
        except Fault as fault:
            if fault.code in NOT_THERE:
                return None
            raise _not_made(wanted, fault) from None

    async def _call(
        self, wanted: QueueWanted | BucketWanted, service: str, operation: str, members: Mapping[str, object]
    ) -> Mapping[str, object]:
        try:
            return await self._inside.call(wanted.place, service, operation, members)
        except Fault as fault:
            raise _not_made(wanted, fault) from None


NOT_THERE = frozenset({"QueueDoesNotExist", "NoSuchBucket", "NoSuchTagSet"})


def _not_made(wanted: QueueWanted | BucketWanted, fault: Fault) -> NotMade:
    return NotMade(f"{wanted.where}: {fault.code}: {fault.message}")


def _check(wanted: QueueWanted | BucketWanted, key: str, asked: object, there: object) -> None:
    if asked != there:
        raise NotMade(f"{wanted.where}: {key}: it is there with {there!r}, and the file says {asked!r}")


def _tags_of(result: Mapping[str, object]) -> dict[str, str]:
    listed = result.get("TagSet", [])
    assert isinstance(listed, list)
    return {each["Key"]: each["Value"] for each in listed}
