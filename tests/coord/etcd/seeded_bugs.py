"""Bugs put into the production classes on purpose, to see that the judges see them.

Each is a function that is given pytest's monkeypatch. They break one promise each, now and then.
"""

import itertools

from cloudlet.coord.etcd import kv as kv_module
from cloudlet.coord.etcd import watch as watch_module
from cloudlet.coord.etcd.kv import Kv
from cloudlet.coord.etcd.replies import Replies
from cloudlet.coord.etcd.watch import WatchStream
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.keys_feed import FeedWatch
from cloudlet.kernel.keys import Event
from cloudlet.kernel.keys_newest import change_of
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import encode


def every(number):
    """True every so often."""
    counter = itertools.count(1)
    return lambda: next(counter) % number == 0


def stale_read(patch):
    """A read answers what the read of that key before it has answered."""
    whole, now_and_then, cache = Kv.range, every(5), {}

    def range_(self, request, past=None):
        found = whole(self, request, past)
        old = cache.get(request.key)
        cache[request.key] = found
        return old if old is not None and now_and_then() else found

    patch.setattr(Kv, "range", range_)


def stale_value(patch):
    """The same, but with the revision of now."""
    whole, now_and_then, cache = Kv.range, every(5), {}

    def range_(self, request, past=None):
        found = whole(self, request, past)
        old = cache.get(request.key)
        cache[request.key] = found
        return found._replace(reply=old.reply) if old is not None and now_and_then() else found

    patch.setattr(Kv, "range", range_)


def lost_write(patch):
    """A put is acknowledged and not made."""
    whole, now_and_then = Kv.put, every(9)

    def put(self, request, author):
        if now_and_then():
            return kv_module.Applied(pb.PutResponse(), self._keys.head)
        return whole(self, request, author)

    patch.setattr(Kv, "put", put)


def torn_transaction(patch):
    """A transaction of two writes makes the first alone."""
    whole, now_and_then = Kv._commit, every(6)

    def commit(self, draft, author):
        if len(draft.puts) > 1 and now_and_then():
            del draft.puts[1:]
        return whole(self, draft, author)

    patch.setattr(Kv, "_commit", commit)


def blind_compare(patch):
    """A comparison holds that does not."""
    whole, now_and_then = kv_module.holds, every(4)
    patch.setattr(kv_module, "holds", lambda keys, compare: now_and_then() or whole(keys, compare))


def early_reply(patch):
    """Replies leave before what they tell is on the disk."""

    def answer(self, call, reply, revision):
        reply.header = self.header(revision)
        return encode(reply)

    patch.setattr(Replies, "answer", answer)


def early_event(patch):
    """Watchers see what is not on the disk yet."""

    def ready(self, changes_max):
        found = []
        while self._pending and len(found) < changes_max:
            step = self._pending.pop(0)
            self._position = step.revision + 1
            found.append(change_of(step))
        return found

    patch.setattr(FeedWatch, "_ready", ready)
    push = FeedWatch.push

    def push_and_wake(self, step):
        push(self, step)
        self.wake()

    patch.setattr(FeedWatch, "push", push_and_wake)


def watch_gap(patch):
    """A watcher is not sent some of its events."""
    whole, now_and_then = WatchStream._send, every(7)

    async def send(self, watcher, changes):
        await whole(self, watcher, changes[1:] if now_and_then() else changes)

    patch.setattr(WatchStream, "_send", send)


def repeated_event(patch):
    """A watcher is sent the same events twice."""
    whole, now_and_then = WatchStream._send, every(7)

    async def send(self, watcher, changes):
        await whole(self, watcher, changes)
        if now_and_then():
            await whole(self, watcher, changes)

    patch.setattr(WatchStream, "_send", send)


def split_revision(patch):
    """The events of one revision come in two responses."""
    whole = WatchStream._send

    async def send(self, watcher, changes):
        for change in changes:
            for event in change.events:
                await whole(self, watcher, [type(change)(change.revision, change.author, (event,))])

    patch.setattr(WatchStream, "_send", send)


def swapped_events(patch):
    """Two revisions change places."""
    whole = WatchStream._send

    async def send(self, watcher, changes):
        await whole(self, watcher, list(reversed(changes)))

    patch.setattr(WatchStream, "_send", send)


def wrong_previous(patch):
    """The value before is the value now."""
    whole, now_and_then = watch_module.event_of, every(5)

    def event_of(event, *, with_previous):
        if event.previous is not None and not event.dropped and now_and_then():
            event = Event(event.entry, event.entry)
        return whole(event, with_previous=with_previous)

    patch.setattr(watch_module, "event_of", event_of)


def late_resumption(patch):
    """A watch that goes on begins one revision too late."""
    whole = DiskKeys.watch

    def watch(self, start, stop, since=None):
        return whole(self, start, stop, since + 1 if since is not None and since > 2 else since)

    patch.setattr(DiskKeys, "watch", watch)


BUGS = (
    stale_read, stale_value, lost_write, torn_transaction, blind_compare, early_reply, early_event, watch_gap,
    repeated_event, split_revision, swapped_events, wrong_previous, late_resumption,
)  # fmt: skip
