"""Java's hash of a text: by it Kafka spreads groups and transactional ids over partitions.

State   none
Source  Java SE, String.hashCode; Apache Kafka 4.3, Utils.abs
Absent  none
"""

from __future__ import annotations


def java_hash(text: str) -> int:
    """String.hashCode over the UTF-16 units of the text, its sign dropped."""
    number = 0
    encoded = text.encode("utf-16-be", "surrogatepass")
    for high, low in zip(encoded[::2], encoded[1::2], strict=True):
        number = (31 * number + (high << 8 | low)) & 0xFFFFFFFF
    signed = number - (1 << 32) if number >> 31 else number
    return 0 if signed == -(1 << 31) else abs(signed)
