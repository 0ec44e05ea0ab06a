"""Metrics: how many calls each operation had, how they ended, and how long they took.

State   in memory: counters since the start
Source  Prometheus exposition format 0.0.4
Absent  none
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator

BUCKETS_MS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 50.0, 250.0, 1000.0, 5000.0)
SERIES_MAX = 5000  # (service, operation, code) triples; all further ones count under "other"


class Series:
    """The calls of one operation that ended with one code."""

    __slots__ = ("buckets", "count", "sum_ms")

    def __init__(self) -> None:
        self.count = 0
        self.sum_ms = 0.0
        self.buckets = [0] * (len(BUCKETS_MS) + 1)


class Metrics:
    """The counters of the process, and gauges that others offer."""

    def __init__(self) -> None:
        self._calls: dict[tuple[str, str, str], Series] = {}
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {}

    def called(self, service: str, operation: str, code: str, elapsed_ms: float) -> None:
        """Count a call; `code` is "OK" or the fault's."""
        series = self._calls.get((service, operation, code))
        if series is None:
            key = (service, operation, code) if len(self._calls) < SERIES_MAX else ("other", "other", "other")
            series = self._calls.setdefault(key, Series())
        series.count += 1
        series.sum_ms += elapsed_ms
        series.buckets[bisect_left(BUCKETS_MS, elapsed_ms)] += 1

    def answered(self) -> set[tuple[str, str]]:
        """The (service, operation) pairs that were answered well at least once."""
        return {(service, operation) for service, operation, code in self._calls if code == "OK"}

    def gauge(self, name: str, meaning: str, read: Callable[[], float]) -> None:
        """Offer a figure that is read when the metrics are."""
        self._gauges[name] = meaning, read

    def exposition(self) -> str:
        """All metrics as Prometheus text."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = "cloudlet_aws_call_duration_seconds"
        yield f"# HELP {name} Time from a whole request to its reply."
        yield f"# TYPE {name} histogram"
        for (service, operation, code), series in sorted(self._calls.items()):
            labels = f'service="{service}",operation="{operation}",code="{code}"'
            below = 0
            for limit_ms, count in zip(BUCKETS_MS, series.buckets, strict=False):
                below += count
                yield f'{name}_bucket{{{labels},le="{limit_ms / 1000:g}"}} {below}'
            yield f'{name}_bucket{{{labels},le="+Inf"}} {series.count}'
            yield f"{name}_sum{{{labels}}} {series.sum_ms / 1000:.6f}"
            yield f"{name}_count{{{labels}}} {series.count}"
        for gauge, (meaning, read) in sorted(self._gauges.items()):
            yield f"# HELP {gauge} {meaning}"
            yield f"# TYPE {gauge} gauge"
            yield f"{gauge} {read():g}"
