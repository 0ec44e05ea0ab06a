"""What the system refuses for a while, and what to do about it: no room on the disk, no descriptor free.

State   none
Source  POSIX: open (EMFILE, ENFILE), write (ENOSPC, EDQUOT, EFBIG); setrlimit
Absent  none

Neither says anything about the bytes that are there already. Who would open a file on the loop lets go of
another one (disk_files), or is refused; a thread that nobody's turn depends on waits until there is one.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

NO_DESCRIPTOR = frozenset({errno.EMFILE, errno.ENFILE})
# A file that may not grow further (RLIMIT_FSIZE, a quota) is as full as a disk.
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
PASSING = NO_ROOM | NO_DESCRIPTOR
AGAIN_S = 0.02
PATIENCE_S = 10.0

T = TypeVar("T")


def patiently(open_and_do: Callable[[], T], patience_s: float = PATIENCE_S) -> T:
    """Do what opens files before anything else, on a thread that may wait until one can be opened; the
    OSError of the last attempt."""
    for _ in range(int(patience_s / AGAIN_S)):
        try:
            return open_and_do()
        except OSError as error:
            if error.errno not in NO_DESCRIPTOR:
                raise
        time.sleep(AGAIN_S)
    return open_and_do()
