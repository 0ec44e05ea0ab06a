"""Paths of Unix sockets that are longer than a socket's address.

State   none
Source  unix(7), "Address format": sun_path has 108 bytes on Linux, 104 elsewhere
Absent  long paths where there is no /proc: refused

Data folders lie where their owner wants them, in the temporary folders of tests too, whose names are long.
The kernel looks only at the path that it is given, so the folder is opened and named by its descriptor.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ADDRESS_BYTES_MAX = 103  # and a zero byte
DESCRIPTORS = Path("/proc/self/fd")


@contextmanager
def short(path: Path) -> Iterator[str]:
    """A spelling of the path that a socket can be bound or connected to. OSError."""
    if len(os.fsencode(path)) <= ADDRESS_BYTES_MAX:
        yield str(path)
        return
    if not DESCRIPTORS.exists():
        raise OSError(
            errno.ENAMETOOLONG, "the path is too long for a socket; use a shorter --data", str(path)
        )
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield str(DESCRIPTORS / str(folder) / path.name)
    finally:
        os.close(folder)
