"""etcd's messages as Python classes, spelled as in etcd's protos: `etcd_messages.RangeRequest(key=b"k")`.

State   the classes made so far
Source  etcd_schema.py
Absent  none

Types are in the stub beside this file, written by `python -m tools.protobuf_stubs`. A nested enum is an
attribute of its message (RangeRequest.SortOrder.DESCEND); enum fields hold plain numbers. METHODS tells every
RPC by its path.
"""

from __future__ import annotations

from typing import Any

from cloudlet.wire.etcd_schema import ETCD
from cloudlet.wire.protobuf import Module

MODULE = Module(ETCD)
METHODS = MODULE.schema.methods


def __getattr__(name: str) -> Any:
    found = globals()[name] = MODULE.attribute(name)  # the next look finds it without asking
    return found
