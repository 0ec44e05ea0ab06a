"""What ZooKeeper's clients are refused with.

State   none
Source  ZooKeeper 3.9, KeeperException
Absent  none
"""

from __future__ import annotations

from cloudlet.kernel.fault import Fault
from cloudlet.wire.zookeeper import Code


class KeeperFault(Fault):
    """A request that is answered with an error code; and, in one case, with a body behind it."""

    def __init__(self, error: Code, message: str = "", *, body: bytes = b"") -> None:
        super().__init__(error.name, message)
        self.error = error
        self.body = body
