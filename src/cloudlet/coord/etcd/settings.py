"""What etcd has flags for and means something here too, spelled as etcd spells it.

State   none
Source  etcd 3.6, `etcd --help`
Absent  every flag of clusters, folders and logs: refused by name

    --etcd quota-backend-bytes=16777216
    --etcd election-timeout=100             milliseconds; the least TTL of a lease is one and a half of it
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

QUOTA_BYTES = 2 << 30
REQUEST_BYTES_MAX = 1536 << 10
OPERATIONS_MAX = 128
PROGRESS_S = 600.0
PROGRESS_S_MIN = 0.1
LEASE_SECONDS_MIN = 2  # one and a half elections of a second each, in whole seconds
UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class EtcdSettings(msgspec.Struct, frozen=True):
    """How the etcd face is run."""

    lease_seconds_min: int = LEASE_SECONDS_MIN
    progress_s: float = PROGRESS_S
    quota_bytes: int = QUOTA_BYTES
    request_bytes_max: int = REQUEST_BYTES_MAX
    operations_max: int = OPERATIONS_MAX


def whole(text: str) -> int:
    """A number above 0; ValueError."""
    if not re.fullmatch(r"[1-9]\d{0,17}", text):
        raise ValueError("this is a whole number above 0")
    return int(text)


def duration(text: str) -> float:
    """Seconds, as etcd writes them: 100ms, 10m, 1m30s; ValueError."""
    if not re.fullmatch(r"(\d+(ms|s|m|h))+", text):
        raise ValueError("this is a duration: 500ms, 10m, 1m30s")
    found = sum(int(number) * UNITS_S[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h)", text))
    return max(found, PROGRESS_S_MIN)


def lease_seconds(text: str) -> int:
    """The least TTL that goes with an election timeout in milliseconds; ValueError."""
    return max(1, -(-whole(text) * 3 // 2000))


FLAGS: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "quota-backend-bytes": ("quota_bytes", whole),
    "max-request-bytes": ("request_bytes_max", whole),
    "max-txn-ops": ("operations_max", whole),
    "election-timeout": ("lease_seconds_min", lease_seconds),
    "watch-progress-notify-interval": ("progress_s", duration),
    "experimental-watch-progress-notify-interval": ("progress_s", duration),
}


def settings_of(pairs: Iterable[tuple[str, str]]) -> EtcdSettings:
    """What flags say; ValueError for a flag that there is not, or a value that it does not take."""
    found: dict[str, object] = {}
    for name, text in pairs:
        if name not in FLAGS:
            raise ValueError(f"there is no such flag here; there is: {', '.join(FLAGS)}")
        member, read = FLAGS[name]
        found[member] = read(text)
    return EtcdSettings(**found)  # type: ignore[arg-type]
