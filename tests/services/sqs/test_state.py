"""One queue's state machine: scripts of commands with their traces."""

import pytest

from cloudlet.kernel.fault import Fault
from cloudlet.services.sqs.decide import Rules

from .scene import START_MS, Queue, facts

FIFO = Rules(is_fifo=True)


def bodies(given):
    return [body for body, _ in given]


def test_a_message_is_hidden_while_held_and_comes_back():
    queue = Queue()
    queue.send("a")
    [(body, first)] = queue.receive()
    assert body == "a"
    assert queue.receive() == []
    assert queue.counts() == (0, 1, 0)
    queue.now_ms += 29_999
    assert queue.receive() == []
    queue.now_ms += 1
    [(body, second)] = queue.receive()
    assert (body, first.receive, second.receive) == ("a", 1, 2)
    assert queue.delete(second)
    assert queue.counts() == (0, 0, 0)
    assert not queue.delete(second), "gone already: no record, no error"


def test_oldest_first_and_batches():
    queue = Queue()
    for number in range(15):
        queue.send(str(number))
    assert bodies(queue.receive(10)) == [str(number) for number in range(10)]
    assert bodies(queue.receive(10)) == [str(number) for number in range(10, 15)]


def test_a_delayed_message_waits():
    queue = Queue()
    queue.send("late", delay_ms=5_000)
    queue.send("now")
    assert queue.counts() == (1, 0, 1)
    assert bodies(queue.receive(10)) == ["now"]
    assert queue.state.shelf.next_visible_ms() == START_MS + 5_000
    queue.now_ms += 5_000
    assert bodies(queue.receive(10)) == ["late"]


def test_changing_visibility_gives_back_and_extends():
    queue = Queue()
    queue.send("a")
    [(_, receipt)] = queue.receive()
    queue.change(receipt, 0)
    [(_, receipt)] = queue.receive()
    assert receipt.receive == 2
    queue.change(receipt, 60_000)
    queue.now_ms += 59_999
    assert queue.receive() == []
    queue.now_ms += 1
    assert bodies(queue.receive()) == ["a"]


def test_no_message_is_held_longer_than_twelve_hours():
    queue = Queue()
    queue.send("a")
    [(_, receipt)] = queue.receive()
    queue.now_ms += 1_000
    with pytest.raises(Fault) as caught:
        queue.change(receipt, 43_200_000)
    assert caught.value.code == "InvalidParameterValue"
    assert "Total VisibilityTimeout" in caught.value.message
    queue.change(receipt, 43_199_000)


def test_an_old_receipt_deletes_from_a_standard_queue_only():
    for rules, group, deduplication_id in ((Rules(), None, None), (FIFO, "g", "d")):
        queue = Queue(rules)
        queue.send("a", group, deduplication_id)
        [(_, old)] = queue.receive(visibility_ms=1_000)
        queue.now_ms += 1_000
        if rules.is_fifo:
            with pytest.raises(Fault, match="expired"):
                queue.delete(old)
        queue.receive()
        if rules.is_fifo:
            with pytest.raises(Fault, match="expired"):
                queue.delete(old)
            with pytest.raises(Fault, match="not available for visibility"):
                queue.change(old, 5_000)
        else:
            assert queue.delete(old)


def test_messages_expire():
    queue = Queue(Rules(retention_ms=60_000))
    queue.send("old")
    queue.now_ms += 30_000
    queue.send("young")
    queue.now_ms += 30_000
    assert bodies(queue.receive(10)) == ["young"]
    assert queue.counts() == (0, 1, 0)
    queue.now_ms += 30_000
    assert queue.receive(10) == []
    assert queue.counts() == (0, 0, 0)


def test_what_is_overdue_is_found_without_a_receive():
    queue = Queue(Rules(retention_ms=60_000))
    for number in range(3):
        queue.send(str(number))
        queue.now_ms += 20_000
    found = queue.state.shelf.overdue(queue.now_ms + 20_000, queue.now_ms + 20_000 - 60_000)
    assert [queue.body(sequence) for sequence in found] == ["0", "1"]
    assert queue.counts() == (3, 0, 0)


def test_a_purged_queue_gives_its_memory_back_in_slices(monkeypatch):
    monkeypatch.setattr("cloudlet.services.sqs.shelf.FREED_MAX", 3)
    queue = Queue()
    for number in range(7):
        queue.send(str(number))
    queue.purge()
    assert queue.counts() == (0, 0, 0)
    queue.send("new")
    left = []
    while queue.state.shelf._cleared:
        left.append(len(queue.state.shelf._cleared[0]))
        assert queue.counts() == (1, 0, 0)
    assert left == [4, 1]
    assert bodies(queue.receive(10)) == ["new"]


def test_purge_takes_all_and_once_a_minute():
    queue = Queue()
    for number in range(4):
        queue.send(str(number), delay_ms=1_000 * (number == 3))
    queue.receive()
    queue.purge()
    assert queue.counts() == (0, 0, 0)
    queue.send("after")
    with pytest.raises(Fault) as caught:
        queue.purge()
    assert caught.value.code == "PurgeQueueInProgress"
    queue.rewrite()
    queue.state = queue.replayed()
    with pytest.raises(Fault):
        queue.purge()
    assert bodies(queue.receive()) == ["after"]
    queue.now_ms += 60_000
    queue.purge()


# --- FIFO


def test_a_group_gives_up_to_its_first_hidden_message():
    queue = Queue(FIFO)
    for number in range(3):
        queue.send(str(number), "g", str(number))
    given = queue.receive(10, visibility_ms=1_000)
    assert bodies(given) == ["0", "1", "2"]
    for hidden, visible in ((0, []), (1, ["0"]), (2, ["0", "1"])):
        probe = Queue(FIFO)
        for number in range(3):
            probe.send(str(number), "g", str(number))
        receipts = [receipt for _, receipt in probe.receive(10, visibility_ms=1_000)]
        probe.change(receipts[hidden], 4_000)
        probe.now_ms += 2_000
        assert bodies(probe.receive(10)) == visible


def test_a_group_with_a_held_message_is_blocked_and_others_are_not():
    queue = Queue(FIFO)
    for number, group in enumerate("aabb"):
        queue.send(f"{group}{number}", group, str(number))
    [(body, receipt)] = queue.receive(1)
    assert body == "a0"
    assert bodies(queue.receive(10)) == ["b2", "b3"]
    assert queue.receive(10) == []
    queue.delete(receipt)
    assert bodies(queue.receive(10)) == ["a1"]


def test_a_group_that_was_empty_works_again():
    queue = Queue(FIFO)
    queue.send("1", "g", "1")
    [(_, receipt)] = queue.receive()
    queue.delete(receipt)
    assert queue.receive() == []
    queue.send("2", "g", "2")
    assert bodies(queue.receive()) == ["2"]


def test_a_delayed_head_blocks_its_group():
    queue = Queue(FIFO)
    queue.send("1", "g", "1", delay_ms=2_000)
    queue.now_ms += 1_000
    queue.send("2", "g", "2", delay_ms=0)
    assert queue.receive(10) == []
    queue.now_ms += 1_000
    assert bodies(queue.receive(10)) == ["1", "2"]


def test_deduplication_lasts_five_minutes_and_outlives_the_message():
    queue = Queue(FIFO)
    first = queue.send("a", "g", "same")
    [(_, receipt)] = queue.receive()
    queue.delete(receipt)
    queue.now_ms += 299_999
    again = queue.send("b", "h", "same")
    assert (again.message_id, again.sequence, again.record) == (first.message_id, first.sequence, None)
    assert queue.receive() == []
    queue.rewrite()
    queue.state = queue.replayed()
    assert queue.send("b", "h", "same").record is None
    queue.now_ms += 1
    assert queue.send("c", "h", "same").record is not None
    assert bodies(queue.receive()) == ["c"]


def test_deduplication_scope():
    scoped = Queue(Rules(is_fifo=True, is_deduplicated_by_group=True))
    scoped.send("a", "g", "same")
    assert scoped.send("b", "h", "same").record is not None
    assert scoped.send("c", "g", "same").record is None


def test_a_repeated_attempt_gets_the_same_answer():
    queue = Queue(FIFO)
    for number in range(3):
        queue.send(str(number), "g", str(number))
    first = queue.receive(2, attempt="try")
    queue.now_ms += 20_000
    assert queue.receive(2, attempt="try") == first
    queue.now_ms += 29_999
    assert queue.receive(2, attempt="try") == first, "the repeat started the visibility timeout anew"
    queue.now_ms += 30_000
    third = queue.receive(2, attempt="try")
    assert bodies(third) == ["0", "1"]
    assert [receipt.receive for _, receipt in third] == [2, 2]
    queue.delete(third[0][1])
    assert queue.receive(2, attempt="try") == [], "modified: a new attempt, and the group is blocked"


def test_attempts_survive_a_rewrite():
    queue = Queue(FIFO)
    queue.send("0", "g", "0")
    first = queue.receive(attempt="try")
    queue.rewrite()
    queue.state = queue.replayed()
    assert queue.receive(attempt="try") == first


# --- limits, moves


def test_a_queue_gives_out_no_more_than_it_may(monkeypatch):
    monkeypatch.setattr("cloudlet.services.sqs.decide.HELD_MAX", 2)
    for rules, group in ((Rules(), None), (FIFO, "g")):
        queue = Queue(rules)
        for number in range(3):
            queue.send(str(number), group and group + str(number), group and str(number))
        assert len(queue.receive(10)) == 2
        if rules.is_fifo:
            assert queue.receive() == []
        else:
            with pytest.raises(Fault) as caught:
                queue.receive()
            assert caught.value.code == "OverLimit"


@pytest.mark.parametrize("rules", [Rules(receives_max=2), Rules(is_fifo=True, receives_max=2)])
def test_dead_letters_move_with_what_they_are(rules):
    dead = Queue(Rules(is_fifo=rules.is_fifo), "dead")
    queue = Queue(rules)
    queue.send("bad", "g" if rules.is_fifo else None, "1" if rules.is_fifo else None)
    queue.send("good", "g" if rules.is_fifo else None, "2" if rules.is_fifo else None)
    for count in (1, 2):
        [(body, receipt), *_] = queue.receive(1, dead_letters=dead)
        assert (body, receipt.receive) == ("bad", count)
        queue.now_ms += 30_000
    dead.now_ms = queue.now_ms
    assert bodies(queue.receive(10, dead_letters=dead)) == ["good"]
    assert queue.state.moves == 1
    [(body, receipt)] = dead.receive()
    assert (body, receipt.receive) == ("bad", 3)
    assert dead.record(receipt.sequence).content.dead_letter_source == "arn"
    sent_ms = START_MS if not rules.is_fifo else queue.now_ms
    assert dead.state.shelf.messages[receipt.sequence].sent_ms == sent_ms


@pytest.mark.parametrize("cut", ["before", "between"])
@pytest.mark.parametrize("is_rewritten", [False, True])
def test_a_move_cut_short_leaves_a_message_in_one_queue(cut, is_rewritten):
    dead = Queue(queue_id="dead")
    queue = Queue(Rules(receives_max=1))
    queue.send("a")
    queue.receive(visibility_ms=0)
    assert queue.receive(dead_letters=dead, cut=cut) == []
    if is_rewritten:
        queue.rewrite()
        dead.rewrite()
    queue.state, dead.state = queue.replayed(), dead.replayed()
    queue.rules = Rules()  # what made it a dead letter is gone: it must not come back to life here
    dead.purge()
    assert queue.state.leaving.move == 1
    queue.settle(dead)
    assert queue.state.leaving is None
    assert queue.state.moves == 1
    assert bodies(queue.receive(10, visibility_ms=0)) == (["a"] if cut == "before" else [])
    queue.send("b")
    queue.receive(10, visibility_ms=0)
    queue.rules = Rules(receives_max=1)
    dead.state = dead.replayed()
    queue.receive(dead_letters=dead)
    assert queue.counts() == (0, 0, 0)
    assert bodies(dead.receive(10)) == (["a", "b"] if cut == "before" else ["b"])
    queue.rewrite()
    assert queue.replayed().moves == 2
    assert queue.replayed().leaving is None


@pytest.mark.parametrize("rules", [Rules(), FIFO])
def test_a_snapshot_brings_back_all_that_can_be_seen(rules, monkeypatch):
    monkeypatch.setattr("cloudlet.services.sqs.shelf.PACKED_MAX", 3)
    queue = Queue(rules)
    for number in range(20):
        group, name = (f"g{number % 3}", str(number)) if rules.is_fifo else (None, None)
        queue.send(str(number), group, name, delay_ms=1_000 * (number % 5 == 4))
    for _, receipt in queue.receive(4)[:3]:
        queue.delete(receipt)
    queue.receive(1, attempt="try" if rules.is_fifo else None)
    back = queue.from_snapshot()
    assert facts(back, queue.now_ms) == facts(queue.state, queue.now_ms)
    assert back.shelf.live_bytes() == queue.state.shelf.live_bytes()
    assert back.next_sequence(0) == queue.state.next_sequence(0)
    if rules.is_fifo:
        assert back.repeatable("try", queue.now_ms) == queue.state.repeatable("try", queue.now_ms)
        queue.state = back
        assert queue.send("again", "g0", "0").record is None, "deduplication ids come back too"


def test_a_snapshot_remembers_a_move_cut_short_and_what_has_arrived():
    dead, queue = Queue(queue_id="dead"), Queue(Rules(receives_max=1))
    queue.send("a")
    queue.receive(visibility_ms=0)
    queue.receive(dead_letters=dead, cut="between")
    queue.state, dead.state = queue.from_snapshot(), dead.from_snapshot()
    queue.settle(dead)
    assert queue.counts() == (0, 0, 0)
    assert bodies(dead.receive()) == ["a"]


def test_rewriting_changes_nothing_that_can_be_seen():
    queue = Queue(FIFO)
    for number in range(20):
        queue.send(str(number), f"g{number % 3}", str(number), delay_ms=1_000 * (number % 5 == 4))
    for _, receipt in queue.receive(4)[:3]:
        queue.delete(receipt)
    before = facts(queue.state, queue.now_ms)
    queue.rewrite()
    after = facts(queue.state, queue.now_ms)
    for each in (before, after):
        each["messages"] = {sequence: known[1:] for sequence, known in each["messages"].items()}
    assert after == before
    assert facts(queue.replayed(), queue.now_ms) == facts(queue.state, queue.now_ms)
    assert all(queue.body(sequence) for sequence in before["messages"])
    queue.rewrite()
    assert facts(queue.replayed(), queue.now_ms) == facts(queue.state, queue.now_ms)
