"""Where a share group begins to read: the values of share.auto.offset.reset.

State   none
Source  Apache Kafka 4.3: ShareGroupAutoOffsetResetStrategy; java.time.Duration.parse
Absent  none
"""

from __future__ import annotations

import datetime
import re
from enum import StrEnum
from typing import NamedTuple


class Strategy(StrEnum):
    """Spelled as the property spells them."""

    LATEST = "latest"
    EARLIEST = "earliest"
    BY_DURATION = "by_duration"


class OffsetReset(NamedTuple):
    """A value; `age_ms` is how far back a duration reaches."""

    strategy: Strategy
    age_ms: int = 0


_DURATION = re.compile(
    r"(?i:P(?=[0-9T])(?:([0-9]+)D)?(?:T(?=[0-9])(?:([0-9]+)H)?(?:([0-9]+)M)?(?:([0-9]+(?:[.,][0-9]{0,9})?)S)?)?)"
)


def parse_offset_reset(text: str) -> OffsetReset:
    """`latest`, `earliest`, `by_duration:PnDTnHnMn.nS`; ValueError."""
    name, _, rest = text.partition(":")
    strategy = Strategy(name)
    if strategy is not Strategy.BY_DURATION:
        if rest or text != name:
            raise ValueError(text)
        return OffsetReset(strategy)
    found = _DURATION.fullmatch(rest)
    if found is None:
        raise ValueError(text)
    days, hours, minutes, seconds = (float((part or "0").replace(",", ".")) for part in found.groups())
    try:
        age = datetime.timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(text) from None
    return OffsetReset(strategy, age // datetime.timedelta(milliseconds=1))
