"""Where a Kafka broker listens, as its properties spell it: NAME://HOST:PORT.

State   none
Source  Apache Kafka 4.3, EndPoint, SocketServerConfigs.listenerListToEndPoints
Absent  none
"""

from __future__ import annotations

import re
from typing import NamedTuple

_LISTENER = re.compile(r"([^:/]+)://\[?([0-9a-zA-Z\-%._:]*)\]?:([0-9]{1,5})")
PORT_MAX = 65_535


class Listener(NamedTuple):
    """One of them: an empty host is the one that all faces listen on, port 0 any that is free."""

    name: str
    host: str
    port: int

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listeners(text: str) -> tuple[Listener, ...]:
    """The listeners of a list of them; ValueError for what is none."""
    found: list[Listener] = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        match = _LISTENER.fullmatch(part)
        if match is None or int(match[3]) > PORT_MAX:
            raise ValueError(f"Unable to parse {part} to a broker endpoint")
        found.append(Listener(match[1].upper(), match[2], int(match[3])))
    return tuple(found)
