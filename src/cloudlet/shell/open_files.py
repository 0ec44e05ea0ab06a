"""How many files the process may have open: as many as its connections and logs may come to.

State   the limit of the process, which its children inherit
Source  POSIX, setrlimit
Absent  a bound of the connections where the hard limit itself is low

The usual limit is 1024, and 256 on macOS, while the system would give many more for the asking. A thousand
idle clients would use it up, and then no log could be opened any more.
"""

from __future__ import annotations

import contextlib
import resource

FILES = 1 << 17  # four faces of 16,384 connections each, and as many logs
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
