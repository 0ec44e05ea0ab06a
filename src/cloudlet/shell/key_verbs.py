"""The keys and their history as control verbs.

State   none
Source  docs/cli.md, "Keys"
Absent  the time of a change: the history keeps its author and its request id

History is read from its oldest kept revision on; what is older is refused by the oldest revision's name.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from cloudlet.kernel.fault import Compacted, FutureRevision
from cloudlet.kernel.key_paths import key_of, path_of, prefix_of
from cloudlet.kernel.keys import FIRST_REVISION, Author, Change, Entry, Event, Keys, Revision
from cloudlet.kernel.spaces import ETCD
from cloudlet.shell.control import Refused, Verbs, json_reply, said
from cloudlet.wire.http1 import Request, Response

ROWS_MAX = 10_000
CHANGES_PER_TURN = 200
WAIT_MS_MAX = 60_000
EVERYTHING = b"\xff" * 8
LEASE_MASK = (1 << 64) - 1


class Key(msgspec.Struct, forbid_unknown_fields=True):
    """A key by its path."""

    key: str
    at: int | None = None


class Under(msgspec.Struct, forbid_unknown_fields=True):
    """All keys at and under a path."""

    prefix: str = ""


class Between(msgspec.Struct, forbid_unknown_fields=True, rename={"start": "from", "stop": "to"}):
    """Two revisions; the later one may be now."""

    start: int
    stop: int | None = None
    prefix: str = ""


class Since(msgspec.Struct, forbid_unknown_fields=True):
    """What is to be watched: from a revision on, or (None) from what comes next."""

    prefix: str = ""
    since: int | None = None
    wait_ms: int = 20_000


class KeyVerbs:
    """The verbs over one keys store."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys

    def verbs(self) -> Verbs:
        """The table."""
        return {
            ("POST", "/keys/get"): self._show,
            ("POST", "/keys/list"): self._list,
            ("POST", "/keys/history"): self._history,
            ("POST", "/keys/diff"): self._diff,
            ("POST", "/keys/watch"): self._watch,
        }

    async def _show(self, request: Request) -> Response:
        asked = said(request, Key)
        key = wanted(asked.key)
        at = self._keys.head if asked.at is None else revision_of(asked.at)
        try:
            found = await self._keys.scan_at(at, key, key + b"\0")
        except (Compacted, FutureRevision) as error:
            raise out_of_history(at, error) from None
        if not found:
            raise Refused(f"there is no key {asked.key} at revision {at}{self._etcds(asked.key)}", 404)
        return json_reply(entry_row(found[0]))

    def _list(self, request: Request) -> Response:
        found = self._keys.scan(*under(said(request, Under).prefix))
        rows = [
            {"key": path_of(each.key), "revision": each.mod_revision, "version": each.version}
            for each in found[:ROWS_MAX]
        ]
        return json_reply({"revision": self._keys.head, "keys": rows, "more": len(found) - len(rows)})

    def _etcds(self, path: str) -> str:
        """Where a key is that was named as a client of etcd's or of ZooKeeper's names it."""
        as_key, as_znode = path.encode(), b"/zk/%d%b" % (path.count("/"), path.encode())
        found = [path_of(ETCD + each) for each in (as_key, as_znode) if self._keys.get(ETCD + each)]
        return f"; there is {found[0]!r}, to be quoted in a shell" if found else ""

    async def _history(self, request: Request) -> Response:
        named = said(request, Key).key
        key = wanted(named)
        oldest = await self._oldest()
        rows = []
        async for change in self._changes(oldest, self._keys.head):
            for event in change.events:
                if event.entry.key == key:
                    rows.append(change_row(change, event))
        if not rows and self._keys.get(key) is None:
            hint = self._etcds(named)
            raise Refused(f"there is no key {path_of(key)}, and was none since revision {oldest}{hint}", 404)
        return json_reply({"key": path_of(key), "oldest_revision": oldest, "changes": rows})

    async def _diff(self, request: Request) -> Response:
        asked = said(request, Between)
        revision_of(asked.start)
        stop = self._keys.head if asked.stop is None else Revision(asked.stop)
        if not asked.start <= stop <= self._keys.head:
            raise Refused(f"from {asked.start} to {stop} is no range of revisions up to {self._keys.head}")
        low, high = under(asked.prefix)
        before: dict[bytes, Entry | None] = {}
        after: dict[bytes, tuple[Change, Event]] = {}  # the last change
        if asked.start < stop:
            try:
                await self._keys.scan_at(Revision(asked.start), b"", b"\0")
                async for change in self._changes(Revision(asked.start + 1), stop):
                    for event in change.events:
                        if low <= event.entry.key < high:
                            before.setdefault(event.entry.key, event.previous)
                            after[event.entry.key] = change, event
            except Compacted as error:
                raise out_of_history(asked.start, error) from None
        rows = [row for key in sorted(after) if (row := diff_row(before[key], *after[key]))]
        return json_reply(
            {"from": asked.start, "to": stop, "keys": rows[:ROWS_MAX], "more": max(len(rows) - ROWS_MAX, 0)}
        )

    async def _watch(self, request: Request) -> Response:
        """The next changes and the revision to go on from; none where nothing happens for `wait_ms`."""
        asked = said(request, Since)
        if not 0 <= asked.wait_ms <= WAIT_MS_MAX:
            raise Refused(f"wait_ms {asked.wait_ms} is not between 0 and {WAIT_MS_MAX}")
        low, high = under(asked.prefix)
        since = Revision(self._keys.head + 1) if asked.since is None else revision_of(asked.since)
        watch = self._keys.watch(low, high, since)
        changes: Sequence[Change] = ()
        try:
            async with asyncio.timeout(asked.wait_ms / 1000):
                changes = await watch.take(CHANGES_PER_TURN)
        except TimeoutError:
            pass
        except Compacted as error:
            raise out_of_history(since, error) from None
        finally:
            watch.close()
        rows = [
            {"key": path_of(event.entry.key), **change_row(change, event)}
            for change in changes
            for event in change.events
        ]
        following = changes[-1].revision + 1 if changes else since
        return json_reply({"since": following, "changes": rows})

    async def _oldest(self) -> Revision:
        """The oldest revision whose changes are kept."""
        try:
            await self._keys.scan_at(Revision(1), b"", b"\0")
        except Compacted as error:
            return Revision(error.revision)
        return Revision(1)

    async def _changes(self, start: Revision, stop: Revision) -> AsyncIterator[Change]:
        """The changes of all revisions from `start` to `stop`. Compacted."""
        watch = self._keys.watch(b"", EVERYTHING, start)
        try:
            while watch.position <= stop:
                for change in await watch.take(CHANGES_PER_TURN):
                    if change.revision > stop:
                        return
                    yield change
                await asyncio.sleep(0)
        finally:
            watch.close()


def revision_of(number: int) -> Revision:
    """A revision that there could be."""
    if number < FIRST_REVISION:
        raise Refused(f"there is no revision {number}: the first is {FIRST_REVISION}")
    return Revision(number)


def wanted(path: str) -> bytes:
    """The key of a path; Refused for what is none."""
    try:
        return key_of(path)
    except (ValueError, binascii.Error) as error:
        raise Refused(f"{path!r} is no key's path: {error}") from None


def under(prefix: str) -> tuple[bytes, bytes]:
    """The range of a path; Refused for what is none."""
    try:
        return prefix_of(prefix)
    except (ValueError, binascii.Error) as error:
        raise Refused(f"{prefix!r} is no key's path: {error}") from None


def out_of_history(revision: int, error: Compacted | FutureRevision) -> Refused:
    """What is said of a revision that cannot be read."""
    if isinstance(error, FutureRevision):
        return Refused(f"revision {revision} has not happened yet; the newest is {error.revision}")
    return Refused(f"revision {revision} is no longer kept; the oldest that is: {error.revision}", 410)


def value_of(key: bytes, value: bytes) -> object:
    """A record as JSON can say it: MessagePack or JSON by its parts, text as it is, other bytes in base64.
    What a client of etcd's or ZooKeeper's has put is no record, whatever it looks like."""
    for decode in () if key.startswith(ETCD) else (msgspec.msgpack.decode, msgspec.json.decode):
        try:
            found: object = decode(value)
        except msgspec.DecodeError:
            continue
        if isinstance(found, dict):
            return found
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": binascii.b2a_base64(value, newline=False).decode()}


def entry_row(entry: Entry) -> Mapping[str, object]:
    """An entry as JSON."""
    return {
        "key": path_of(entry.key),
        "value": value_of(entry.key, entry.value),
        "create_revision": entry.create_revision,
        "mod_revision": entry.mod_revision,
        "version": entry.version,
        **lease_of(entry),
    }


def change_row(change: Change, event: Event) -> Mapping[str, object]:
    """One change of a key as JSON."""
    return {
        "revision": change.revision,
        "change": "dropped" if event.dropped else "put" if event.entry.version == 1 else "changed",
        "version": event.entry.version,
        "author": author_row(change.author),
        **lease_of(event.previous if event.dropped else event.entry),
        "value": None if event.dropped else value_of(event.entry.key, event.entry.value),
    }


def author_row(author: Author) -> Mapping[str, str]:
    """Who has made a change."""
    return {
        "face": author.face,
        "principal": author.principal,
        "address": author.address,
        "request_id": author.request_id,
    }


def lease_of(entry: Entry | None) -> Mapping[str, str]:
    """The lease that an entry hangs on, as etcdctl writes it: nothing for none."""
    return {"lease": f"{entry.lease & LEASE_MASK:x}"} if entry is not None and entry.lease else {}


def diff_row(before: Entry | None, change: Change, event: Event) -> Mapping[str, object] | None:
    """How a key differs, and by whose last change; None where it does not, though it changed in between."""
    after = event.entry
    if event.dropped:
        kind = "dropped" if before is not None else ""
    elif before is None:
        kind = "put"
    else:
        kind = "changed" if (before.value, before.meta) != (after.value, after.meta) else ""
    if not kind:
        return None
    return {
        "key": path_of(after.key),
        "change": kind,
        "revision": change.revision,
        "author": author_row(change.author),
        **lease_of(event.previous if event.dropped else after),
    }
