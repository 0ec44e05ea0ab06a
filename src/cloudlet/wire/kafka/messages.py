"""Every message of Kafka by its name: `messages.ProduceRequest(Acks=1)`; the types are in messages.pyi.

State   none
Source  Apache Kafka 4.3, message definitions; see schema.py
Absent  none
"""

from __future__ import annotations

from typing import Any

from cloudlet.wire.kafka.classes import class_of


def __getattr__(name: str) -> Any:
    try:
        return class_of(name)
    except KeyError:
        raise AttributeError(f"Kafka has no message {name}, or none that is served") from None
