"""The two times, and identifiers."""

import re
from itertools import count

from cloudlet.kernel.clock import ManualClock, SystemClock
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
    clock = SystemClock(step_ms=7)
    assert [clock.cloud_ms() for _ in range(3)] == [5007, 5007, 6007]


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
