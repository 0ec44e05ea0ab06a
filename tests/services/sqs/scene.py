"""A queue without a cloud around it: a list for a log, a number for a clock, commands in, a trace out."""

from cloudlet.services.sqs import decide
from cloudlet.services.sqs.decide import Draft, Moving, Rules
from cloudlet.services.sqs.receipts import Receipt
from cloudlet.services.sqs.records import Content, Departed, Leaving, encode, read_sent
from cloudlet.services.sqs.state import PURGE_INTERVAL_MS, QueueState

START_MS = 1_700_000_000_000


class Queue:
    """One queue: decisions, their records in `log`, and the state that replays them."""

    def __init__(self, rules=None, queue_id="q"):
        self.rules = rules or Rules()
        self.id = queue_id
        self.log = []  # (offset, record)
        self.stop = 0
        self.state = QueueState()
        self.now_ms = START_MS
        self.number = 0

    def append(self, *events):
        for event in events:
            record = event if isinstance(event, bytes) else encode(event)
            self.log.append((self.stop, record))
            self.state.apply(self.stop, record)
            self.stop += 1

    def replayed(self):
        state = QueueState()
        for offset, record in self.log:
            state.apply(offset, record)
        return state

    def from_snapshot(self):
        """The state as a snapshot brings it back."""
        state = QueueState()
        for packed in list(self.state.pack()):
            state.unpack(packed)
        state.unpacked()
        return state

    def record(self, sequence):
        offset = self.state.shelf.messages[sequence].offset
        return read_sent(next(record for at, record in self.log if at == offset))

    def body(self, sequence):
        return self.record(sequence).content.body

    def send(self, body, group=None, deduplication_id=None, delay_ms=0):
        self.number += 1
        draft = Draft(
            b"id%014d" % self.number, len(body), Content(body, "", "me"), delay_ms, group, deduplication_id
        )
        accepted = decide.send(self.state, self.rules, self.now_ms, [draft])[0]
        if accepted.record is not None:
            self.append(accepted.record)
        return accepted

    def settle(self, target):
        """What whoever looks next does about a move that was cut short."""
        self.append(decide.settle(self.state.leaving, self.id, target.state.arrivals))

    def receive(self, count=1, visibility_ms=30_000, attempt=None, dead_letters=None, cut=None):
        """(body, receipt) pairs; dead letters go to the queue given, unless a crash cuts them short."""
        given = decide.receive(self.state, self.rules, self.now_ms, count, visibility_ms, attempt)
        if given.dead:
            sents = [self.record(sequence) for sequence in given.dead]
            moving = Moving(self.state, self.id, given.dead, sents)
            buried = decide.bury(moving, dead_letters.state, dead_letters.rules, self.now_ms, "arn")
            move = self.state.moves + 1
            self.append(Leaving(move, "dead", tuple(given.dead)))
            if cut == "before":
                return []
            dead_letters.append(*buried)
            if cut == "between":
                return []
            self.append(Departed(move, tuple(given.dead)))
        bodies = [self.body(sequence) for sequence in given.sequences]
        self.append(*given.records)
        return [
            (body, Receipt(b"", sequence, count))
            for body, sequence, count in zip(bodies, given.sequences, given.counts, strict=True)
        ]

    def delete(self, receipt):
        sequence = decide.deletable(self.state, self.rules, self.now_ms, receipt, "HANDLE")
        if sequence is not None:
            self.append(decide.Deleted((sequence,)))
        return sequence is not None

    def change(self, receipt, visibility_ms):
        sequence = decide.changeable(self.state, self.rules, self.now_ms, receipt, "HANDLE", visibility_ms)
        self.append(decide.change_visibility(self.now_ms, [(sequence, visibility_ms)]))

    def purge(self):
        self.append(decide.purge(self.state, self.now_ms, "NAME", PURGE_INTERVAL_MS))

    def counts(self):
        counts = self.state.shelf.counts(self.now_ms)
        return (counts.ready, counts.held, counts.delayed)

    def rewrite(self, *, trim=True):
        """What the framework does to a log of which little is live."""
        old = list(self.log)
        for offset, record in old:
            kept = self.state.keep(offset, record)
            if kept is not None:
                self.append(kept)
        if trim:
            self.log = self.log[len(old) :]


def facts(state, now_ms):
    """All that decisions can see of a state."""
    shelf = state.shelf
    counts = shelf.counts(now_ms)
    return {
        "messages": {
            sequence: (
                message.offset,
                message.sent_ms,
                message.status,
                message.visible_ms if message.status else 0,
                message.received,
                message.received_ms,
                message.first_received_ms,
                message.group and message.group.name,
            )
            for sequence, message in shelf.messages.items()
        },
        "counts": (counts.ready, counts.held, counts.delayed),
        "taken": shelf.take(now_ms, 10, 0).deliver,
        "next_visible_ms": shelf.next_visible_ms(),
        "moves": state.moves,
        "leaving": state.leaving,
        "purged_ms": state.purged_ms if state.purged_ms + 60_000 > now_ms else None,
        "groups": {
            name: [sequence for sequence in group.sequences if sequence in shelf.messages]
            for name, group in shelf._groups.items()
        },
    }


__all__ = ["START_MS", "Departed", "Queue", "facts"]
