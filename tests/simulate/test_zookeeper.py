"""The simulation keeps its invariants, and finds each bug that is put into the production code."""

import pytest
from tests.simulate.zookeeper import Violated, World

from cloudlet.coord.zookeeper import keeper, reads, sessions, transaction, tree, watches, writes
from cloudlet.coord.zookeeper.client import Client
from cloudlet.wire.zookeeper import EventType

STEPS = 400
SEEDS = 40
SEEDS_FOR_A_BUG = 60


@pytest.mark.parametrize("seed", range(SEEDS))
def test_invariants_hold(seed):
    World(seed).run(STEPS)


def stale_read(patch):
    """Reads come from a memory of what was once read."""
    known = {}
    find = tree.Tree.find

    def found(self, path):
        if self.keys.head % 3:
            known[path] = find(self, path)
        return known.get(path) if path in known else find(self, path)

    real = reads.read_data

    def read_data(keeper, client, path):
        patch.setattr(tree.Tree, "find", found)
        try:
            return real(keeper, client, path)
        finally:
            patch.setattr(tree.Tree, "find", find)

    patch.setattr(reads, "read_data", read_data)


def lost_write(patch):
    """Now and then a write is answered and not committed."""
    apply = keeper.Keeper.apply

    def applied(self, transaction, author, drops=()):
        if transaction.zxid % 7:
            apply(self, transaction, author, drops)

    patch.setattr(keeper.Keeper, "apply", applied)


def early_reply(patch):
    """Frames do not wait until what they show is settled."""

    def send(self, frame, head=None):
        if not self.outbox:
            self._unsent[self] = None
        self.outbox.append((0, frame))

    patch.setattr(Client, "send", send)


def watch_gap(patch):
    """Some events are told to nobody."""
    tell = watches.Watches.tell

    def told(self, happened, zxid):
        if zxid % 5:
            tell(self, happened, zxid)

    patch.setattr(watches.Watches, "tell", told)


def gap_after_return(patch):
    """Watches that are set anew do not look at what was missed."""
    from cloudlet.coord.zookeeper import requests

    def set_watches(keeper, client, asked):
        for path in (*asked.dataWatches, *asked.existWatches):
            keeper.watches.data.add(path, client, watches.STANDARD)
        for path in asked.childWatches:
            keeper.watches.children.add(path, client, watches.STANDARD)
        return iter(())

    patch.setattr(requests, "_set_watches", set_watches)


def told_twice(patch):
    """A one-shot watch stays."""
    patch.setattr(watches.Table, "leave", lambda self, path, watcher, modes: 0)


def event_after_answer(patch):
    """Events are sent one change late."""
    tell = watches.Watches.tell
    late = []

    def told(self, happened, zxid):
        late.append((happened, zxid))
        while len(late) > 1:
            tell(self, *late.pop(0))

    patch.setattr(watches.Watches, "tell", told)


def sequence_again(patch):
    """The count of creates follows the children that are there."""
    side = transaction.Transaction.side

    def counted(self, path):
        found = side(self, path).copy()
        found.creates = min(found.creates, found.children)
        return found

    patch.setattr(transaction.Transaction, "side", counted)


def half_multi(patch):
    """The commit of a multi is cut in two, and the second half waits for the next request."""
    real = keeper.Keeper.write

    def write(self, commit):
        if len(commit.put) == 2 and all(b"/zk/1/" in put.key for put in commit.put):
            commit = type(commit)(commit.author, (), commit.put[:1], commit.drop, commit.durability)
        return real(self, commit)

    patch.setattr(keeper.Keeper, "write", write)


def forgotten_sessions(patch):
    """A start does not take in the sessions that there are."""

    def opened(self, now_ms, cloud_ms):
        self.by_id, self._buckets, self._reached = {}, {}, int(now_ms) // sessions.BUCKET_MS

    patch.setattr(sessions.Sessions, "open", opened)


def outlived_ephemerals(patch):
    """The end of a session leaves what it owned."""
    patch.setattr(keeper.Keeper, "end_session", lambda self, session: self.sessions.remove(session))


def miscounted_children(patch):
    """A deletion by another face is not counted."""
    patch.setattr(tree.Tree, "_went", lambda self, path: None)


def swapped_answers(patch):
    """The newest frame overtakes."""
    real = Client.send

    def send(self, frame, head=None):
        real(self, frame, head)
        if len(self.outbox) > 2:
            self.outbox.insert(len(self.outbox) - 2, self.outbox.pop())

    patch.setattr(Client, "send", send)


def other_data(patch):
    """A set writes what another has sent."""
    real = writes.change

    def change(keeper, transaction, asked):
        if transaction.zxid % 4 == 0:
            asked.data = b"another's"
        return real(keeper, transaction, asked)

    patch.setattr(writes, "change", change)


BUGS = {
    stale_read: {"Linearizable"},
    lost_write: {"Acknowledged", "Linearizable"},
    early_reply: {"NothingShownIsGone", "Linearizable"},
    watch_gap: {"EventBeforeAnswer", "WatchReliable"},
    gap_after_return: {"EventBeforeAnswer", "WatchReliable"},
    told_twice: {"WatchOnce"},
    event_after_answer: {"EventBeforeAnswer", "WatchReliable"},
    sequence_again: {"SequenceUnique", "StatFaithful"},
    half_multi: {"MultiAtomic"},
    forgotten_sessions: {"SessionsSurvive"},
    outlived_ephemerals: {"ExpiredIsGone"},
    miscounted_children: {"StatFaithful"},
    swapped_answers: {"InOrder", "EventBeforeAnswer", "WatchOnce"},
    other_data: {"Acknowledged", "Linearizable"},
}
"""A bug, and the invariants of which one breaks."""


def violation(seed):
    """What a run breaks, or None."""
    try:
        World(seed).run(STEPS)
    except Violated as violated:
        return str(violated)
    return None


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_seeded_bug_is_caught(bug, monkeypatch):
    bug(monkeypatch)
    for seed in range(SEEDS_FOR_A_BUG):
        violated = violation(seed)
        if violated is not None:
            assert violated.split(":")[0] in BUGS[bug], violated
            return
    pytest.fail(f"{bug.__name__} was not found in {SEEDS_FOR_A_BUG} runs")


def test_events_have_the_names_that_clients_use():
    assert [kind.name for kind in EventType] == [
        "NodeCreated", "NodeDeleted", "NodeDataChanged", "NodeChildrenChanged",
    ]  # fmt: skip
