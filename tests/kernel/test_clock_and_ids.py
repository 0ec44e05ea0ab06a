"""The two times, and identifiers."""

import re
from itertools import count

from hypothesis import given, settings, strategies

from cloudlet.kernel.clock import STEPS_MAX, ManualClock, Step, SystemClock
from cloudlet.kernel.ids import Ids


def test_cloud_time_moves_alone_and_real_time_moves_all():
    clock = ManualClock(now_ms=1000)
    clock.advance_ms(500)
    assert (clock.wall_ms(), clock.cloud_ms(), clock.monotonic_ms()) == (1000, 1500, 0)
    clock.pass_ms(10)
    assert (clock.wall_ms(), clock.cloud_ms(), clock.monotonic_ms()) == (1010, 1510, 10)


def test_cloud_time_never_goes_back(monkeypatch):
    readings = iter([5_000_000_000, 3_000_000_000, 6_000_000_000])
    monkeypatch.setattr("time.time_ns", lambda: next(readings))
    clock = SystemClock()
    clock.move(Step(0, 7))
    assert [clock.cloud_ms() for _ in range(3)] == [5007, 5007, 6007]


def test_frozen_time_stands_still_and_goes_on_from_there():
    clock = ManualClock(now_ms=1000)
    clock.freeze()
    clock.pass_ms(50)
    assert (clock.cloud_ms(), clock.until_ms(1001), clock.until_ms(1000)) == (1000, None, 0.0)
    clock.advance_ms(10)
    clock.pass_ms(50)
    assert (clock.cloud_ms(), clock.step.is_frozen) == (1010, True)
    clock.thaw()
    clock.pass_ms(5)
    assert (clock.wall_ms(), clock.cloud_ms(), clock.until_ms(1020)) == (1105, 1015, 5.0)


def test_a_wall_time_is_mapped_by_the_step_then_in_force():
    clock = ManualClock(now_ms=1000)
    assert clock.cloud_at(400) == 400
    clock.pass_ms(100)
    clock.advance_ms(5000)  # wall 1100
    clock.pass_ms(100)
    clock.freeze()  # wall 1200, cloud 6200
    clock.pass_ms(100)
    clock.thaw()  # wall 1300
    clock.pass_ms(100)
    found = [clock.cloud_at(wall) for wall in (900, 1099, 1100, 1150, 1200, 1299, 1300, 1400, 9000)]
    assert found == [900, 1099, 6100, 6150, 6200, 6200, 6200, 6300, 13_900]


def test_what_is_forgotten_of_many_steps_stays_below_what_is_known():
    clock = ManualClock(now_ms=1000)
    for _ in range(STEPS_MAX + 5):
        clock.pass_ms(1)
        clock.advance_ms(1)
    assert len(clock.steps) == STEPS_MAX
    assert clock.cloud_at(1001) == 1001
    assert clock.cloud_at(clock.wall_ms()) == clock.cloud_ms()


def test_a_wall_that_goes_back_holds_cloud_time():
    clock = ManualClock(now_ms=10_000)
    assert clock.cloud_ms() == 10_000
    clock.set_wall_ms(4_000)
    assert (clock.cloud_ms(), clock.held_ms(), clock.until_ms(10_001)) == (10_000, 6_000, 6_001.0)


moves = strategies.lists(
    strategies.one_of(
        strategies.tuples(strategies.sampled_from(["pass_ms", "advance_ms"]), strategies.integers(0, 1000)),
        strategies.tuples(strategies.just("set_wall_ms"), strategies.integers(0, 5000)),
        strategies.tuples(strategies.sampled_from(["freeze", "thaw"])),
    )
)


@given(moves)
@settings(max_examples=60, deadline=None)
def test_whatever_happens_cloud_time_only_grows_and_agrees_with_its_map(script):
    clock = ManualClock(now_ms=2500)
    shown = [clock.cloud_ms()]
    for verb, *words in script:
        getattr(clock, verb)(*words)
        shown.append(clock.cloud_ms())
        left_ms = clock.until_ms(shown[-1] + 10)
        assert (left_ms is None) == clock.step.is_frozen
        assert clock.held_ms() > 0 or clock.step.at(clock.wall_ms()) == shown[-1] or not clock.steps
    assert shown == sorted(shown)


def test_a_uuid_is_of_version_four_and_comes_from_the_bytes_given():
    ids = Ids(bytes)
    assert ids.uuid() == "00000000-0000-4000-8000-000000000000"
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", Ids().uuid())


def test_random_bytes_are_handed_out_once():
    numbers = count()
    ids = Ids(lambda size: bytes(next(numbers) % 256 for _ in range(size)))
    taken = [ids.token(3) for _ in range(2000)]
    assert taken[0] == bytes([0, 1, 2])
    assert taken[1] == bytes([3, 4, 5])
    assert all(len(token) == 3 for token in taken)
    assert len(ids.token(10_000)) == 10_000
