"""A broker: what its handlers share.

State   none of its own: topics.py, configs.py and the parts say what they own
Source  docs/architecture.md, "Kafka"
Absent  more than one broker
"""

from __future__ import annotations

from typing import TypeVar

from cloudlet.kafka.call import Part
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Keys
from cloudlet.kernel.logs import Logs

NODE_ID = 1

P = TypeVar("P", bound=Part)


class Broker:
    """One broker over the stores; `start` before requests, `silence` before the stores change beneath."""

    def __init__(self, keys: Keys, logs: Logs, clock: Clock, ids: Ids, *, node_id: int = NODE_ID) -> None:
        self.keys = keys
        self.logs = logs
        self.clock = clock
        self.ids = ids
        self.node_id = node_id
        self._parts: dict[type, Part] = {}

    def part(self, kind: type[P]) -> P:
        """The one part of a kind, made and started at first use."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)
            found.start()
        assert isinstance(found, kind)
        return found

    def author(self, principal: str = "", address: str = "") -> Author:
        """Who writes the broker's commits."""
        return Author("kafka", principal, address)
