"""What time alone brings about goes in slices: nobody waits for the end of ten thousand sessions."""

import pytest
from tests.coord.zookeeper.keepers import ANYONE, Told, opened

from cloudlet.coord.zookeeper import upkeep
from cloudlet.kernel.clock import ManualClock
from cloudlet.wire.zookeeper import Code, CreateRequest, CreateTTLRequest, OpCode


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def keeper(clock, monkeypatch):
    monkeypatch.setattr(upkeep, "TURN_COST", 3 * upkeep.SESSION_COST)
    return opened(clock=clock)


def steps(keeper):
    """What is left is done; how many slices that took."""
    count = 1
    while keeper.long_replies.step():
        count += 1
    return count


def test_many_sessions_end_in_slices(keeper, clock):
    clients = [Told(keeper) for _ in range(20)]
    for number, client in enumerate(clients):
        client.create(f"/e{number}", flags=1)
    for client in clients:
        keeper.leave(client.client)
    clock.pass_ms(30_000)
    keeper.tick()
    assert 0 < len(keeper.sessions.by_id) < 20
    assert steps(keeper) > 3
    assert not keeper.sessions.by_id
    watcher = Told(keeper)
    assert all(watcher.exists(f"/e{number}") is Code.NONODE for number in range(20))


@pytest.mark.parametrize("by", ["pass_ms", "advance_ms"])
def test_who_comes_back_before_it_is_his_turn_lives_on(keeper, clock, by):
    for _ in range(20):
        keeper.leave(Told(keeper).client)
    getattr(clock, by)(30_000)
    keeper.clock_moved()
    left = next(iter(keeper.sessions.by_id.values()))
    back = Told(keeper, session=(left.id, left.password))
    assert left.client is back.client
    steps(keeper)
    assert list(keeper.sessions.by_id) == [left.id]
    keeper.leave(back.client)
    clock.pass_ms(30_000)
    keeper.tick()
    assert not keeper.sessions.by_id


def test_a_sweep_comes_to_the_last_znode_behind_many_that_stay(keeper, clock):
    client = Told(keeper, timeout_ms=40_000)
    for number in range(300):
        client.call(OpCode.createContainer, CreateRequest(f"/c{number}", b"", ANYONE, 4))
        client.create(f"/c{number}/x")
    for number in range(20):
        client.call(OpCode.createTTL, CreateTTLRequest(f"/t{number}", b"", ANYONE, 5, 1_000))
    clock.advance_ms(70_000)
    keeper.clock_moved()
    assert client.exists("/t0") is not Code.NONODE
    assert keeper.is_sweeping
    assert steps(keeper) > 3
    assert not keeper.is_sweeping
    assert [client.exists(f"/t{number}") for number in range(20)] == [Code.NONODE] * 20
    assert client.exists("/c299/x") is not Code.NONODE


def test_a_znode_that_is_written_to_before_it_is_its_turn_stays(keeper, clock):
    client = Told(keeper, timeout_ms=40_000)
    for number in range(200):
        client.call(OpCode.createTTL, CreateTTLRequest(f"/t{number}", b"", ANYONE, 5, 1_000))
    clock.advance_ms(70_000)
    keeper.clock_moved()
    client.set("/t199", b"lives on")
    steps(keeper)
    assert client.exists("/t198") is Code.NONODE
    assert client.exists("/t199") is not Code.NONODE
