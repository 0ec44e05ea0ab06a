"""Classic groups, told by golden scripts: tests/golden/kafka_groups/*.script."""

import pytest
from tests.golden.scripts import check, scripts

from cloudlet.kafka.groups.classic import ClassicGroup
from cloudlet.kafka.groups.classic_values import Answer, Join, Joined, Leaver, Limits, State
from cloudlet.kafka.groups.roster import Protocol
from cloudlet.wire.kafka.error_codes import ErrorCode


class Stage:
    """One group, a clock, and members who are called by who waits."""

    def __init__(self):
        self.now_ms = 0
        self.write_error = ErrorCode.NONE
        self.group = ClassicGroup("g", Limits(initial_delay_ms=100), lambda: self.now_ms)

    def run(self, command, words, options):
        before = self.group.state
        lines = getattr(self, command)(*words, **options) or []
        for effect in self.effects():
            lines.append(effect)
        if self.group.state is not before:
            lines.append(f"-> {self.group.state}")
        return lines

    def effects(self):
        while taken := self.group.take():
            for effect in taken:
                if isinstance(effect, Answer):
                    yield f"{effect.waiter}: {told(effect.value)}"
                    continue
                names = " ".join(
                    f"{member.id}={member.assignment.decode()}" for member in effect.image.members
                )
                error = self.write_error
                yield f"write generation={effect.image.generation} {names or 'no members'}" + (
                    f" fails: {error.name}" if error else ""
                )
                if effect.then is not None:
                    effect.then(error, self.now_ms)

    def limits(self, members, delay="100"):
        self.group.limits = Limits(int(delay), int(members))

    def join(
        self,
        waiter,
        id="",
        instance=None,
        protocols="range",
        version="9",
        session="10000",
        rebalance="60000",
        type="consumer",
        data="",
    ):
        new_id = f"{instance or 'c'}-{waiter}"
        names = protocols.split(",") if protocols else []
        self.group.join(
            Join(
                id,
                instance,
                "c",
                "/127.0.0.1",
                int(rebalance),
                int(session),
                type,
                tuple(Protocol(name, (data or name).encode()) for name in names),
                must_know_its_id=int(version) >= 4,
                may_skip_assignment=int(version) >= 9,
            ),
            waiter,
            new_id,
            self.now_ms,
        )

    def sync(self, waiter, id, generation, shares="", instance=None, type=None, protocol=None):
        given = dict(each.split(":") for each in shares.split(",")) if shares else {}
        self.group.sync(
            id,
            instance,
            int(generation),
            type,
            protocol,
            {name: share.encode() for name, share in given.items()},
            waiter,
            self.now_ms,
        )

    def heartbeat(self, id, generation, instance=None):
        return [self.group.heartbeat(id, instance, int(generation), self.now_ms).name]

    def leave(self, *ids, instance=None):
        leavers = [Leaver(each) for each in ids] if instance is None else [Leaver("".join(ids), instance)]
        return [error.name for error in self.group.leave(leavers, self.now_ms)]

    def wait(self, duration_ms):
        """Let time pass, and expire what is due at its instant."""
        lines = []
        stop = self.now_ms + int(duration_ms)
        while (due := self.group.deadline_ms()) <= stop:
            self.now_ms = max(due, self.now_ms)
            before = self.group.state
            self.group.tick(self.now_ms)
            lines += [f"at {self.now_ms:g} {line}" for line in self.effects()]
            if self.group.state is not before:
                lines.append(f"at {self.now_ms:g} -> {self.group.state}")
        self.now_ms = stop
        return lines

    def failing(self, error):
        self.write_error = ErrorCode[error]

    def restart(self):
        self.group = ClassicGroup.of(
            "g", self.group.image(), self.group.limits, self.group.cloud_ms, self.now_ms
        )
        return self.show()

    def show(self):
        group = self.group
        lines = [f"{group.state} generation={group.generation} protocol={group.protocol}"]
        for member in group.roster:
            leads = " leads" if member.id == group.roster.leader else ""
            lines.append(f"{member.id} {member.assignment.decode() or '-'}{leads}")
        return lines + [f"{name} promised" for name in group.roster.pending]

    def bury(self):
        self.group.bury()


def told(value):
    if value.error:
        name = f" id={value.member_id}" if isinstance(value, Joined) and value.member_id else ""
        return f"{value.error.name}{name}"
    if not isinstance(value, Joined):
        return f"synced {value.protocol_type} {value.protocol} {value.assignment.decode() or '-'}"
    members = ",".join(
        each.id + (f"({each.instance_id})" if each.instance_id else "") + f":{each.metadata.decode()}"
        for each in value.members
    )
    return (
        f"joined id={value.member_id} generation={value.generation} {value.protocol_type} {value.protocol}"
        f" leader={value.leader}"
        + (" skip" if value.must_skip_assignment else "")
        + (f" members={members}" if members else "")
    )


@pytest.mark.parametrize("path", scripts("kafka_groups"), ids=lambda path: path.stem)
def test_golden_script(path, request):
    check(path, Stage().run, is_rewritten=request.config.getoption("--rewrite"))


def test_a_stable_group_is_the_same_after_a_restart():
    stage = Stage()
    for line in (("join", ["a"], {"version": "3"}), ("join", ["b"], {"version": "3"}), ("wait", ["300"], {})):
        stage.run(*line)
    stage.run("sync", ["a", "c-a", "1"], {"shares": "c-a:x,c-b:y"})
    stage.run("sync", ["b", "c-b", "1"], {})
    assert stage.group.state is State.STABLE
    live = stage.show()
    assert stage.restart() == live
