"""Committed and pending offsets."""

from cloudlet.kafka.groups.offsets import Committed, Offsets


def at(offset, record_offset=0):
    return Committed(offset, -1, "", 0, record_offset=record_offset)


def test_the_last_one_counts_and_a_tombstone_removes_it():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(1))
    offsets.replay("g", "t", 0, at(2))
    assert offsets.find("g", "t", 0).offset == 2
    offsets.replay("g", "t", 0, None)
    assert offsets.find("g", "t", 0) is None
    assert list(offsets.groups()) == []


def test_a_transaction_commits_what_it_wrote():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(5, 10), producer_id=7)
    assert offsets.find("g", "t", 0) is None
    assert offsets.is_pending("g", "t", 0)
    assert not offsets.is_pending("g", "t", 1)
    assert offsets.has_open("g")
    offsets.replay_marker(7, is_commit=True)
    assert offsets.find("g", "t", 0).offset == 5
    assert not offsets.has_open("g")


def test_an_abort_drops_what_it_wrote():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(1, 1))
    offsets.replay("g", "t", 0, at(5, 10), producer_id=7)
    offsets.replay_marker(7, is_commit=False)
    assert offsets.find("g", "t", 0).offset == 1
    assert not offsets.is_pending("g", "t", 0)


def test_a_later_plain_commit_wins_over_a_transaction_that_ends_after_it():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(5, 10), producer_id=7)
    offsets.replay("g", "t", 0, at(9, 11))
    offsets.replay_marker(7, is_commit=True)
    assert offsets.find("g", "t", 0).offset == 9


def test_a_tombstone_takes_pending_ones_back():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(5, 10), producer_id=7)
    assert offsets.each("g") == [("t", 0)]
    offsets.replay("g", "t", 0, None)
    assert not offsets.is_pending("g", "t", 0)
    offsets.replay_marker(7, is_commit=True)
    assert offsets.find("g", "t", 0) is None
    assert not offsets.has_open("g")


def test_two_producers_in_one_group():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(5, 10), producer_id=7)
    offsets.replay("g", "t", 1, at(6, 11), producer_id=8)
    offsets.replay_marker(7, is_commit=True)
    assert offsets.has_open("g")
    offsets.replay_marker(8, is_commit=True)
    assert sorted(offsets.topics("g")["t"]) == [0, 1]
    offsets.replay_marker(9, is_commit=True)


def test_what_a_topic_has():
    offsets = Offsets()
    offsets.replay("g", "t", 0, at(5))
    offsets.replay("h", "t", 1, at(5), producer_id=3)
    offsets.replay("h", "u", 1, at(5))
    assert sorted(offsets.of_topic("t")) == [("g", 0), ("h", 1)]
