"""How many files the process may have open: as many as its connections and logs may come to.

State   the limit of the process, which its children inherit
Source  POSIX, setrlimit
Absent  none

The usual limit is 1024, and 256 on macOS, while the system would give many more for the asking. A thousand
idle clients would use it up, and then no log could be opened any more. Where the hard limit itself is low,
clients get one half of it: the system gives out the lowest descriptor that is free, so that a connection's
own says how many are in use, whoever has them.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource

FILES = 1 << 17  # four faces of 16,384 connections each, and as many logs
STORES_FILES_MAX = 4096  # of the limit, what the stores may need beside the connections
LOG_FILES_MAX = 256  # segments of logs that are held open
FILES_MACOS = 10_240  # OPEN_MAX: more is refused there, whatever the hard limit says


def allow_files() -> int:
    """Raise the soft limit as far as the system lets us, and as far as is of use; the limit then."""
    for wanted in (FILES, FILES_MACOS):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if soft == resource.RLIM_INFINITY or soft >= wanted:
            continue
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def files_limit() -> int:
    """How many files the process may have open now."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return FILES if soft == resource.RLIM_INFINITY else soft


def log_files() -> int:
    """How many segments of logs may be held open."""
    return min(LOG_FILES_MAX, files_limit() // 4)


def is_last(descriptor: int) -> bool:
    """Whether a connection with this descriptor takes what the stores need."""
    limit = files_limit()
    return descriptor >= limit - min(STORES_FILES_MAX, limit // 2)


def leaves_room(transport: asyncio.BaseTransport) -> bool:
    """Whether a new connection leaves the stores the files that they need."""
    socket = transport.get_extra_info("socket")
    return socket is None or not is_last(socket.fileno())
