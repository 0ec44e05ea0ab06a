"""One queue's state machine against a naive model, under any order of commands, crashes and rewrites."""

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cloudlet.kernel.fault import Fault
from cloudlet.services.sqs.decide import Rules

from .scene import Queue, facts


class Life:
    """A message as the model sees it."""

    def __init__(self, body, group, visible_ms):
        self.body = body
        self.group = group
        self.visible_ms = visible_ms
        self.received = 0


class Machine(RuleBasedStateMachine):
    """Nothing is lost, doubled, given out twice inside its time, or out of order within its group."""

    @initialize(is_fifo=st.booleans())
    def begin(self, is_fifo):
        self.queue = Queue(Rules(is_fifo=is_fifo))
        self.is_fifo = is_fifo
        self.model = {}  # sequence -> Life
        self.receipts = []
        self.recent = {}  # deduplication id -> sent_ms
        self.number = 0

    @rule(group=st.sampled_from("abc"), delay_ms=st.sampled_from([0, 0, 0, 5_000]))
    def send(self, group, delay_ms):
        self.number += 1
        body = str(self.number)
        accepted = self.queue.send(
            body, group if self.is_fifo else None, body if self.is_fifo else None, delay_ms
        )
        assert accepted.sequence not in self.model
        assert all(accepted.sequence > sequence for sequence in self.model)
        visible_ms = self.queue.now_ms + delay_ms if delay_ms else 0
        self.model[accepted.sequence] = Life(body, group, visible_ms)
        self.recent[body] = self.queue.now_ms

    @precondition(lambda self: self.is_fifo and self.recent)
    @rule(data=st.data())
    def send_again(self, data):
        deduplication_id = data.draw(st.sampled_from(sorted(self.recent)))
        accepted = self.queue.send("again", "a", deduplication_id)
        if self.recent[deduplication_id] + 300_000 > self.queue.now_ms:
            assert accepted.record is None
        else:
            self.model[accepted.sequence] = Life("again", "a", 0)
            self.recent[deduplication_id] = self.queue.now_ms

    def deliverable(self):
        """What the model says may be given out, oldest first."""
        now_ms = self.queue.now_ms
        blocked = set()
        for sequence, life in sorted(self.model.items()):
            if self.is_fifo and life.group in blocked:
                continue
            if life.visible_ms > now_ms:
                blocked.add(life.group)
                continue
            yield sequence

    @rule(count=st.integers(1, 10), visibility_ms=st.sampled_from([0, 1_000, 30_000]))
    def receive(self, count, visibility_ms):
        may = list(self.deliverable())
        given = self.queue.receive(count, visibility_ms)
        assert len(given) == min(count, len(may)), "as many as there are"
        for body, receipt in given:
            life = self.model[receipt.sequence]
            assert receipt.sequence in may
            assert life.body == body
            life.received += 1
            life.visible_ms = self.queue.now_ms + visibility_ms
            assert receipt.receive == life.received
        if self.is_fifo:
            for group in "abc":
                got = [r.sequence for _, r in given if self.model[r.sequence].group == group]
                assert got == [s for s in may if self.model[s].group == group][: len(got)]
        else:
            assert [receipt.sequence for _, receipt in given] == may[:count]
        self.receipts += [receipt for _, receipt in given]

    def is_current(self, receipt):
        life = self.model.get(receipt.sequence)
        return life is not None and life.received == receipt.receive and life.visible_ms > self.queue.now_ms

    @precondition(lambda self: self.receipts)
    @rule(data=st.data())
    def delete(self, data):
        receipt = data.draw(st.sampled_from(self.receipts))
        is_live = receipt.sequence in self.model
        try:
            assert self.queue.delete(receipt) == is_live
            self.model.pop(receipt.sequence, None)
        except Fault:
            assert self.is_fifo
            assert is_live
            assert not self.is_current(receipt)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), visibility_ms=st.sampled_from([0, 2_000, 60_000]))
    def change(self, data, visibility_ms):
        receipt = data.draw(st.sampled_from(self.receipts))
        life = self.model.get(receipt.sequence)
        try:
            self.queue.change(receipt, visibility_ms)
        except Fault:
            assert life is None or (self.is_fifo and not self.is_current(receipt))
        else:
            life.visible_ms = self.queue.now_ms + visibility_ms

    @rule(elapsed_ms=st.sampled_from([1, 999, 1_000, 5_000, 30_000, 300_000]))
    def wait(self, elapsed_ms):
        self.queue.now_ms += elapsed_ms

    @rule()
    def purge(self):
        try:
            self.queue.purge()
        except Fault:
            return
        self.model.clear()
        self.recent.clear()

    @rule(trim=st.booleans())
    def rewrite(self, trim):
        self.queue.rewrite(trim=trim)

    @rule()
    def crash(self):
        self.queue.state = self.queue.replayed()

    @rule()
    def restart(self):
        self.queue.state = self.queue.from_snapshot()

    @invariant()
    def agrees(self):
        if not hasattr(self, "queue"):
            return
        now_ms = self.queue.now_ms
        ready, held, delayed = self.queue.counts()
        hidden = [life for life in self.model.values() if life.visible_ms > now_ms]
        assert (ready, held + delayed) == (len(self.model) - len(hidden), len(hidden))
        assert delayed == sum(1 for life in hidden if not life.received)
        assert facts(self.queue.replayed(), now_ms) == facts(self.queue.state, now_ms)
        assert facts(self.queue.from_snapshot(), now_ms) == facts(self.queue.state, now_ms)
        bodies = {sequence: self.queue.body(sequence) for sequence in self.queue.state.shelf.messages}
        assert bodies == {sequence: life.body for sequence, life in self.model.items()}


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
