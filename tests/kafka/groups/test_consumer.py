"""Consumer groups (KIP-848), told by golden scripts: tests/golden/kafka_consumer_groups/*.script."""

import pytest
from tests.golden.scripts import check, scripts

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.consumer import ConsumerGroup, ConsumerSettings
from cloudlet.kafka.groups.consumer_values import (
    Beat,
    CurrentFact,
    GroupFact,
    MemberFact,
    RegexFact,
    TargetEpochFact,
    TargetFact,
)


class Known:
    """The topics of a cluster, named by their ids."""

    def __init__(self):
        self.counts = {}
        self.version = 0

    def find(self, name):
        return (name.encode(), self.counts[name]) if name in self.counts else None

    def name(self, topic):
        return topic.decode()

    def names(self):
        return list(self.counts)


class Stage:
    """One group, topics, a clock."""

    def __init__(self):
        self.now_ms = 0
        self.topics = Known()
        self.settings = ConsumerSettings(session_timeout_ms=10_000)
        self.group = ConsumerGroup("g")
        self.facts = []

    def run(self, command, words, options):
        before = self.group.state
        try:
            lines = getattr(self, command)(*words, **options) or []
        except KafkaFault as fault:
            return [f"{fault.code.name}: {fault.message}"]
        if self.group.state is not before:
            lines.append(f"-> {self.group.state}")
        return lines

    def topic(self, name, count):
        self.topics.counts[name] = int(count)
        if int(count) == 0:
            del self.topics.counts[name]
        self.topics.version += 1

    def limits(self, members="100", assignor="uniform"):
        self.settings = ConsumerSettings(10_000, members_max=int(members), assignor=assignor)

    def beat(
        self, id, epoch, topics=None, owned=None, regex=None, instance=None, assignor=None, rebalance=None
    ):
        answer, facts = self.group.heartbeat(
            Beat(
                id,
                int(epoch),
                instance,
                rebalance_timeout_ms=int(rebalance or (30_000 if epoch == "0" else -1)),
                topics=None if topics is None else tuple(filter(None, topics.split(","))),
                regex=regex,
                assignor=assignor,
                owned=read(owned) if owned is not None else {} if epoch == "0" else None,
            ),
            self.topics,
            self.settings,
            self.now_ms,
        )
        lines = self.keep(facts)
        self.group.beaten(answer.member_id, self.now_ms, self.settings.session_timeout_ms)
        told = "" if answer.assignment is None else f" {shown(answer.assignment)}"
        return [*lines, f"epoch={answer.epoch}{told}"]

    def leave(self, id, epoch="-1", instance=None):
        answer, facts = self.group.leave(Beat(id, int(epoch), instance), self.topics, self.now_ms)
        return [*self.keep(facts), f"epoch={answer.epoch}"]

    def wait(self, duration_ms):
        lines = []
        stop = self.now_ms + int(duration_ms)
        while (due := self.group.deadline_ms()) <= stop:
            self.now_ms = max(self.now_ms, due)
            gone = self.group.expired(self.now_ms)
            lines.append(f"at {self.now_ms:g} expired: {' '.join(gone)}")
            lines += self.keep(self.group.fence(gone, self.topics, self.now_ms))
        self.now_ms = stop
        return lines

    def keep(self, facts):
        for fact in facts:
            self.group.apply(fact)
        self.facts += facts
        return [told(fact) for fact in facts]

    def restart(self):
        """From the facts alone, of each kind and subject the last, as a compaction leaves them."""
        live = self.show()
        last = {}
        for fact in self.facts:
            subject = (type(fact), *fact[:1]) if len(fact) > 1 and isinstance(fact[0], str) else (type(fact),)
            last.pop(subject, None)
            last[subject] = fact
        self.group = ConsumerGroup("g")
        for fact in last.values():
            self.group.apply(fact)
        self.group.watch(self.now_ms, self.settings.session_timeout_ms)
        assert self.show() == live
        return live

    def show(self):
        group = self.group
        lines = [f"{group.state} epoch={group.epoch} target={group.target_epoch}"]
        for member in sorted(group.members.values(), key=lambda member: member.id):
            target = shown(group.targets.get(member.id, {}))
            has = shown(member.assigned)
            if member.revoking:
                has += f" revoking {shown(member.revoking)}"
            lines.append(f"{member.id} epoch={member.epoch} {member.state.name} {has} of {target}")
        return lines


def read(text):
    """a:0,1/b:2"""
    found = {}
    for part in filter(None, text.split("/")):
        name, numbers = part.split(":")
        found[name.encode()] = frozenset(map(int, numbers.split(",")))
    return found


def shown(assignment):
    parts = [
        f"{name.decode()}:{','.join(map(str, sorted(numbers)))}"
        for name, numbers in sorted(assignment.items())
    ]
    return "/".join(parts) or "nothing"


def told(fact):
    match fact:
        case GroupFact(None) | TargetEpochFact(None):
            return f"{type(fact).__name__} gone"
        case GroupFact(epoch):
            return f"group epoch {epoch}"
        case TargetEpochFact(epoch):
            return f"target epoch {epoch}"
        case MemberFact(name, member):
            return f"member {name}" + ("" if member else " gone")
        case TargetFact(name, target):
            return f"target {name} {'gone' if target is None else shown(target)}"
        case CurrentFact(name, current):
            return f"current {name} " + (
                f"epoch={current.epoch} {current.state.name} {shown(current.assigned)}"
                + (f" revoking {shown(current.revoking)}" if current.revoking else "")
                if current
                else "gone"
            )
        case RegexFact(regex, matched):
            return f"regex {regex} " + (",".join(matched.topics) if matched else "gone")


@pytest.mark.parametrize("path", scripts("kafka_consumer_groups"), ids=lambda path: path.stem)
def test_golden_script(path, request):
    check(path, Stage().run, is_rewritten=request.config.getoption("--rewrite"))
