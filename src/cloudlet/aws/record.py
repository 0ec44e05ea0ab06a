"""Records: what services keep under a key, as msgpack maps that may gain fields later.

State   none
Source  msgpack specification; docs/architecture.md, "Keys"
Absent  none
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeVar, dataclass_transform

import msgspec

from cloudlet.kernel.tuples import Tuple, pack


@dataclass_transform(frozen_default=True)
class RecordType(msgspec.StructMeta):
    """Tells type checkers that every record is frozen, so that no service has to say so."""


class Record(msgspec.Struct, metaclass=RecordType, frozen=True, omit_defaults=True, gc=False):
    """The base of every record: immutable, so one decoded copy is shared by all who read it.

    A field with a default may be added to a record at any time; one may not change its meaning.
    """


R = TypeVar("R", bound=Record)

encode = msgspec.msgpack.Encoder().encode


@lru_cache(maxsize=1024)
def decoder(kind: type[R]) -> msgspec.msgpack.Decoder[R]:
    """The decoder of a record type."""
    return msgspec.msgpack.Decoder(kind)


packed = lru_cache(maxsize=16384)(pack)
"""`pack` with a memory: the keys of a busy service repeat."""

Key = Tuple
"""A record's key: a tuple of text, numbers and bytes, its first element the service's name."""
