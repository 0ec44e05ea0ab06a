"""Durations and instants as people write them: 90s, 36h, 1d12h; ISO 8601.

State   none
Source  docs/cli.md, "The clock"; ISO 8601 as Python's `datetime.fromisoformat` reads it
Absent  ISO 8601 durations (P8DT12H)
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
"""From the largest; a week, a day are 168 and 24 hours."""

TERM = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])")
WHOLE = re.compile(rf"(?:{TERM.pattern})+")


class Unreadable(ValueError):
    """Text that is no duration or instant; the message says what one looks like."""


def parse_duration(text: str) -> int:
    """Milliseconds of "90s", "15m", "36h", "8d", "1d12h", "1.5h", "250ms"."""
    given = text.strip().lower()
    if given.startswith("-"):
        raise Unreadable(f"{text}: a duration is not negative.")
    if not WHOLE.fullmatch(given):
        raise Unreadable(
            f"{text!r} is not a duration: write 90s, 15m, 36h, 8d or 1d12h (units w d h m s ms)."
        )
    return round(sum(float(number) * UNITS_MS[unit] for number, unit in TERM.findall(given)))


def spell_duration(duration_ms: int) -> str:
    """The same in the largest units that fit: "8d", "1d12h", "-3m5s", "0s"."""
    parts, left = [], abs(duration_ms)
    for unit, unit_ms in list(UNITS_MS.items())[1:]:
        count, left = divmod(left, unit_ms)
        if count:
            parts.append(f"{count}{unit}")
    return ("-" if duration_ms < 0 else "") + ("".join(parts) or "0s")


def parse_instant(text: str) -> int:
    """Milliseconds since 1970 of an ISO 8601 date or instant; UTC where it names no zone."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unreadable(f"{text!r} is not an instant of ISO 8601: write 2026-12-31T23:59:00Z.") from None
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    since = found - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000


def spell_instant(instant_ms: int) -> str:
    """An instant as ISO 8601 in UTC, to the millisecond."""
    seconds, milliseconds = divmod(instant_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"
