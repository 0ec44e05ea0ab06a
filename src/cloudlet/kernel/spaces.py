"""Which part of the keys store belongs to whom.

State   none
Source  docs/architecture.md, "Keys"; kernel/tuples.py: no tuple starts with a byte of 0x20 or above
Absent  none

    0x01 ... 0x1f   tuples: AWS resources, Kafka's metadata, what the coordination faces keep for themselves
    "e" + key       what etcd's clients see as `key`; a znode is the etcd key /zk/<depth>/path
    0x7f ...        the cloud's own: the clock's steps, the records of checkpoints
"""

from __future__ import annotations

ETCD = b"e"
ETCD_STOP = b"f"
"""The space of etcd's keys, as a half-open range."""
