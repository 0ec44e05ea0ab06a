"""etcd's pages of health: /health, /livez and /readyz with their checks.

State   none
Source  etcd 3.6, api/etcdhttp (health)
Absent  checks that a single member cannot fail: it leads, and reads from itself, whenever it answers

A check is left out by `?exclude=NAME`, looked at alone by /readyz/NAME, and told of by `?verbose`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qs

import orjson

from cloudlet.wire.http1 import Head, Response

JSON = (b"content-type", b"application/json")
TEXT = (b"content-type", b"text/plain; charset=utf-8")
CORRUPT = "CORRUPT"
DATA_CORRUPTION = "data_corruption"
CHECKS: Mapping[str, Sequence[str]] = {
    "/livez": ("serializable_read",),
    "/readyz": (DATA_CORRUPTION, "serializable_read", "linearizable_read", "non_learner"),
}


class Health:
    """The pages; `raised` tells the alarms by their names."""

    def __init__(self, raised: Callable[[], Sequence[str]]) -> None:
        self._raised = raised

    def page(self, path: str, head: Head) -> Response | None:
        """None for a path that is none of these."""
        asked = parse_qs(head.query.decode("latin-1"), keep_blank_values=True)
        excluded = asked.get("exclude", [])
        if path == "/health":
            return self._health(excluded)
        kind, _, name = path[1:].partition("/")
        checks = CHECKS.get(f"/{kind}")
        if checks is None:
            return None
        if not name:
            chosen = [each for each in checks if each not in excluded]
            return self._checked(chosen, is_verbose="verbose" in asked)
        if name not in checks:
            return Response(404, [TEXT], b"404 page not found\n")
        return self._checked([name], is_verbose="verbose" in asked)

    def _health(self, excluded: Sequence[str]) -> Response:
        for alarm in self._raised():
            if alarm not in excluded:
                said = orjson.dumps({"health": "false", "reason": f"ALARM {alarm}"})
                return Response(503, [JSON], said + b"\n")
        return Response(200, [JSON], b'{"health":"true","reason":""}')

    def _checked(self, names: Sequence[str], *, is_verbose: bool) -> Response:
        is_corrupt = DATA_CORRUPTION in names and CORRUPT in self._raised()
        lines = [
            f"[-]{name} failed: alarm activated: {CORRUPT}\n"
            if is_corrupt and name == DATA_CORRUPTION
            else f"[+]{name} ok\n"
            for name in names
        ]
        if is_corrupt:
            return Response(503, [TEXT], "".join(lines).encode() + b"\n")
        return Response(200, [TEXT], ("".join(lines) if is_verbose else "").encode() + b"ok\n")
