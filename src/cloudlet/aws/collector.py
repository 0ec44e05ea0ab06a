"""The collector: drops the blobs that no record, reply or checkpoint has held for an hour.

State   none that outlives the process: after a restart the hour begins anew
Source  docs/architecture.md, "Blobs"
Absent  one collector among several nodes

Theory of operation
    A pass walks every record that may name a blob (each service declares which: `Service.holds`), in slices,
    while the cloud goes on. A record may therefore move past the walk, as when an object is copied from a key
    that lies ahead to one that lies behind, and then deleted. So the pass watches the keys from before its
    first slice, and adds what was put meanwhile; when it has caught up with the head, a blob that it has not
    met is named by nothing, and since ids are never used again, nothing will ever name it but the commit of
    a body that has just come in. For that one there is the hour, and a second pass that must agree.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from cloudlet.aws.call import EVERY_KEY, Desk
from cloudlet.aws.catalogue import Catalogue
from cloudlet.aws.service import BlobsOf
from cloudlet.kernel.blobs import BlobId
from cloudlet.kernel.collect import Held, Unheld
from cloudlet.kernel.fault import Compacted, StoreError
from cloudlet.kernel.keys import Keys, Revision
from cloudlet.kernel.tuples import pack, prefix_range, unpack

log = logging.getLogger(__name__)

PAUSE_S = 1800.0
SLICE = 500  # records looked at in one turn of the loop: about a millisecond
PAGE = 50_000  # blobs of one listing

Note = Callable[[bytes, bytes], None]
"""Takes a record's key and value, as kept, and remembers the blobs that it names."""

Walk = Callable[[Note], Awaitable[None]]
"""Shows all records of a former state that may come back, such as a checkpoint's."""


class Collector:
    """Runs beside the gateway. `walks` are the former states that hold blobs too."""

    def __init__(self, catalogue: Catalogue, desk: Desk) -> None:
        self.walks: list[Walk] = []
        self._catalogue = catalogue
        self._desk = desk
        self._unheld = Unheld()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run a pass now and then."""
        self._task = asyncio.ensure_future(self._run())

    async def close(self) -> None:
        """Stop between two steps."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PAUSE_S)
            try:
                await self.collect()
            except StoreError as error:
                log.warning("a pass over the blobs stopped: %r", error)

    async def collect(self) -> int:
        """One pass; how many blobs it dropped."""
        blobs = self._desk.bodies.blobs
        count = 0
        page = await blobs.ids(limit=PAGE)
        while page:
            count += len(page)
            page = await blobs.ids(page[-1].id, limit=PAGE)
        if not count:
            return 0
        held = await self._held(count)
        if held is None:
            return 0
        unheld: list[BlobId] = []
        page = await blobs.ids(limit=PAGE)
        while page:
            unheld += [facts.id for facts in page if facts.id not in held]
            page = await blobs.ids(page[-1].id, limit=PAGE)
        due = self._unheld.note(unheld, self._desk.clock.wall_ms())
        dropped = 0
        for blob in due:
            if not self._desk.bodies.reading[blob]:
                await blobs.drop(blob)
                dropped += 1
        return dropped

    async def _held(self, count: int) -> Held | None:
        """What records name; None when they change faster than they can be read."""
        keys = self._desk.keys
        held = Held(count, int.from_bytes(self._desk.ids.token(8), "big"))
        prefixes: list[tuple[bytes, bytes, BlobsOf]] = []
        unknown = set(self._catalogue.names())

        def note(key: bytes, value: bytes) -> None:
            service = service_of(key)
            if service in unknown:  # a former state may hold what no service has in keys now
                unknown.discard(service)
                prefixes.extend(self._prefixes(service))
            for start, stop, blobs_of in prefixes:
                if start <= key < stop:
                    for blob in blobs_of(unpack(key), value):
                        held.add(blob)

        watch = keys.watch(b"", EVERY_KEY, Revision(keys.head + 1))
        try:
            for service in list(self._catalogue.in_use(keys)):
                for start, stop, _ in self._prefixes(service):
                    await walk(keys, start, stop, note)
            for former in self.walks:
                await former(note)
            while watch.position <= keys.head:
                for change in await watch.take():
                    for event in change.events:
                        if not event.dropped:
                            note(event.entry.key, event.entry.value)
        except Compacted:
            return None
        finally:
            watch.close()
        return held

    def _prefixes(self, service: str) -> Sequence[tuple[bytes, bytes, BlobsOf]]:
        """Where a service's records name blobs."""
        found = self._catalogue.service(service).service.held
        return [(pack(prefix), prefix_range(prefix)[1], blobs_of) for prefix, blobs_of in found]


def service_of(key: bytes) -> str:
    """The first part of a record's key; empty where that is no text."""
    if not key.startswith(b"\x02"):
        return ""
    return key[1 : key.find(b"\x00", 1)].decode("utf-8", "replace")


async def walk(keys: Keys, start: bytes, stop: bytes, note: Note) -> None:
    """Show every record of a range at head, in slices."""
    while True:
        entries = keys.scan(start, stop, limit=SLICE)
        for entry in entries:
            note(entry.key, entry.value)
        if len(entries) < SLICE:
            return
        start = entries[-1].key + b"\0"
        await asyncio.sleep(0)
