"""The APIs: their keys, their messages, the versions that are served.

State   none
Source  Apache Kafka 4.3, "API keys"; KIP-511 for ApiVersions; KAFKA-18659 for the lowest version of Produce
Absent  the APIs between brokers and controllers
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

from cloudlet.wire.kafka.classes import Message, class_of
from cloudlet.wire.kafka.schema import Versions, schema_of, texts

PRODUCE = 0
API_VERSIONS = 18
LAST_STABLE = {22: 5}  # Kafka serves what is newer only with unstable.api.versions.enable


class Api(NamedTuple):
    """One API; its classes are made when they are asked for."""

    key: int
    name: str  # "Produce"
    versions: Versions

    @property
    def request(self) -> type[Message]:
        return class_of(f"{self.name}Request")

    @property
    def response(self) -> type[Message]:
        return class_of(f"{self.name}Response")

    @property
    def advertised_min(self) -> int:
        """What ApiVersions says: librdkafka before 2.11 compresses only where Produce begins at 0, although
        no version below 3 is spoken any more."""
        return 0 if self.key == PRODUCE else self.versions.first

    def is_flexible(self, version: int) -> bool:
        """Whether a version has compact texts and tagged fields."""
        return version in schema_of(f"{self.name}Request").flexible

    def request_header(self, version: int) -> int:
        """The version of the header before a request."""
        return 2 if self.is_flexible(version) else 1

    def response_header(self, version: int) -> int:
        """The version of the header before a response. ApiVersions always has the oldest, since its client
        does not know yet what the broker speaks."""
        return 1 if self.is_flexible(version) and self.key != API_VERSIONS else 0


@cache
def apis() -> Mapping[int, Api]:
    """Every API by its key."""
    found: dict[int, Api] = {}
    for name in texts():
        if name.endswith("Request"):
            schema = schema_of(name)
            assert schema.key is not None
            last = LAST_STABLE.get(schema.key, schema.versions.last)
            versions = schema.versions._replace(last=last)
            found[schema.key] = Api(schema.key, name.removesuffix("Request"), versions)
    return dict(sorted(found.items()))


def __getattr__(name: str) -> Mapping[int, Api]:
    if name in ("API_OF_KEY", "APIS"):
        return apis()
    raise AttributeError(name)
