"""Share groups: heartbeats, epochs, what is noted of topics."""

import pytest

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.consumer_values import GroupFact
from cloudlet.kafka.share.group import ShareGroup
from cloudlet.kafka.share.group_values import ShareBeat, ShareSettings, StateTopic
from cloudlet.wire.kafka.error_codes import ErrorCode


class Known:
    """The topics of a cluster, named by their ids."""

    def __init__(self, **counts):
        self.counts = counts
        self.version = 0

    def find(self, name):
        return (name.encode(), self.counts[name]) if name in self.counts else None


class Stage:
    def __init__(self, **counts):
        self.topics = Known(**counts)
        self.group = ShareGroup("g")
        self.settings = ShareSettings(members_max=3)

    def beat(self, member, epoch, *topics):
        """(epoch, what is told of the assignment); the facts are applied."""
        answer, facts = self.group.heartbeat(
            ShareBeat(member, epoch, topics=topics or None), self.topics, self.settings
        )
        for fact in facts:
            self.group.apply(fact)
        self.group.beaten(member, 0.0, 1000)
        told = answer.assignment
        return answer.epoch, told and {topic.decode(): sorted(each) for topic, each in told.items()}

    def refusal(self, member, epoch, *topics):
        with pytest.raises(KafkaFault) as caught:
            self.beat(member, epoch, *topics)
        return caught.value.code


def test_a_member_joins_and_has_all_at_once():
    stage = Stage(t=2)
    assert stage.beat("a", 0, "t", "none") == (1, {"t": [0, 1]})
    assert stage.group.state == "Stable"
    assert stage.beat("a", 1) == (1, None)
    assert stage.beat("a", 1, "t", "none") == (1, {"t": [0, 1]})
    assert stage.group.state_topics == {b"t": StateTopic("t", frozenset((0, 1)))}


def test_members_share_what_there_is():
    stage = Stage(t=2)
    stage.beat("a", 0, "t")
    epoch, mine = stage.beat("b", 0, "t")
    assert epoch == 2
    epoch, theirs = stage.beat("a", 1)
    assert epoch == 2
    assert sorted(mine["t"] + theirs["t"]) == [0, 1]
    assert stage.beat("a", 1)[0] == 2  # the answer may have been lost
    assert stage.beat("c", 0, "t")[1] in ({"t": [0]}, {"t": [1]})


def test_a_topic_that_comes_or_grows_is_noticed_by_the_next_heartbeat():
    stage = Stage()
    assert stage.beat("a", 0, "t") == (1, {})
    stage.topics.counts["t"] = 1
    stage.topics.version += 1
    assert stage.beat("a", 1) == (2, {"t": [0]})
    stage.topics.counts["t"] = 3
    stage.topics.version += 1
    assert stage.beat("a", 2) == (3, {"t": [0, 1, 2]})
    assert stage.group.has_state(b"t", 2)
    stage.topics.version += 1  # of another topic
    assert stage.beat("a", 3) == (3, None)


def test_epochs_that_do_not_fit_are_refused():
    stage = Stage(t=1)
    assert stage.refusal("a", 1) is ErrorCode.UNKNOWN_MEMBER_ID
    stage.beat("a", 0, "t")
    assert stage.refusal("a", 5) is ErrorCode.FENCED_MEMBER_EPOCH
    for _ in range(2):
        stage.topics.counts["t"] += 1
        stage.topics.version += 1
        stage.beat("a", stage.group.members["a"].epoch)
    assert stage.refusal("a", 1) is ErrorCode.FENCED_MEMBER_EPOCH
    assert stage.beat("a", 0, "t")[0] == 3


def test_a_full_group_takes_nobody_else():
    stage = Stage(t=1)
    for member in "abc":
        stage.beat(member, 0, "t")
    assert stage.refusal("d", 0, "t") is ErrorCode.GROUP_MAX_SIZE_REACHED
    assert stage.beat("a", 0, "t")[0] == 3


def test_who_is_silent_is_fenced_and_leaves_its_share():
    stage = Stage(t=2)
    stage.beat("a", 0, "t")
    stage.beat("b", 0, "t")
    assert stage.group.deadline_ms() == 1000
    stage.group.beaten("a", 500.0, 1000)
    assert stage.group.expired(1000.0) == ["b"]
    for fact in stage.group.fence(["b"], stage.topics):
        stage.group.apply(fact)
    assert stage.beat("a", 1) == (3, None)  # it had not yet heard of anything else
    assert stage.group.members["a"].assigned == {b"t": {0, 1}}


def test_its_facts_make_it_again_and_its_tombstones_leave_nothing():
    stage = Stage(t=2)
    stage.beat("a", 0, "t")
    for fact in stage.group.tombstones():
        stage.group.apply(fact)
    assert (stage.group.members, stage.group.targets, stage.group.state_topics) == ({}, {}, {})
    assert stage.group.state == "Empty"


def test_an_administrator_notes_topics_and_forgets_them():
    group = ShareGroup("g")
    facts = group.with_state({b"t": StateTopic("t", frozenset((1,)))})
    assert facts[0] == GroupFact(0, 0)  # or there would be no group
    for fact in facts:
        group.apply(fact)
    for fact in group.with_state({b"t": StateTopic("t", frozenset((2,)))}):
        group.apply(fact)
    assert group.state_topics[b"t"].partitions == {1, 2}
    assert group.without_state([b"other"]) == []
    for fact in group.without_state([b"t"]):
        group.apply(fact)
    assert group.state_topics == {}
