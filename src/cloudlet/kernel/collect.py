"""Which blobs may go: those that nobody holds and that have been whole for an hour of real time.

State   none
Source  docs/architecture.md, "Blobs"
Absent  the walk over commits, readers and checkpoints comes with the first service that names blobs

The hour covers the time between a body's end and the commit that names it; it is real time, so moving the
cloud's clock never takes a body from under a request.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from cloudlet.kernel.blobs import BlobFacts, BlobId

UNREFERENCED_MS = 3_600_000


def collectable(blobs: Iterable[BlobFacts], held: Container[BlobId], wall_ms: int) -> Iterator[BlobId]:
    """The blobs of a page that may be dropped."""
    for facts in blobs:
        if facts.made_ms + UNREFERENCED_MS <= wall_ms and facts.id not in held:
            yield facts.id
