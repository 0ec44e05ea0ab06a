"""Who of those that come is let in, who waits, and who is closed when."""

import math

import pytest

from cloudlet.kafka.configs import Configs, InvalidConfig, check_given, check_together, limits_of
from cloudlet.kafka.connection_quotas import ConnectionQuotas


def quotas(rates=None, **properties):
    given = {name.replace("_", "."): str(value) for name, value in properties.items()}
    return ConnectionQuotas(Configs(given), (rates or {}).get)


def test_all_wait_while_there_are_as_many_as_may_be():
    found = quotas(max_connections=2)
    for host in ("a", "b"):
        assert found.ready_ms(0) == 0
        assert found.enter(host, 0) is None
    assert found.ready_ms(0) == math.inf
    found.leave("a")
    assert found.ready_ms(0) == 0


def test_new_connections_come_as_fast_as_the_broker_allows():
    found = quotas(max_connection_creation_rate=10)
    now_ms, times = 0.0, []
    for _ in range(300):
        wait_ms = found.ready_ms(now_ms)
        assert found.ready_ms(now_ms) == wait_ms, "asked twice, it is counted once"
        now_ms += wait_ms
        assert found.ready_ms(now_ms) == pytest.approx(0)
        assert found.enter("a", now_ms) is None
        times.append(now_ms)
    assert times[99] == 0, "a burst of ten windows"
    assert 200 / 10 * 1000 * 0.8 < times[299] < 200 / 10 * 1000 * 1.3


def test_an_address_above_its_rate_is_closed_after_a_while_and_not_counted():
    found = quotas({"a": 1.0})
    assert [found.enter("a", 0) for _ in range(10)] == [None] * 10
    refused = [found.enter("a", 0) for _ in range(5)]
    assert len(set(refused)) == 1, "who is refused makes it no worse"
    assert 0 < refused[0] <= 1000
    assert found.enter("b", 0) is None
    assert found.enter("a", 60_000) is None


def test_an_address_has_a_limit_of_its_own_or_the_one_of_all():
    found = quotas(max_connections_per_ip=1, max_connections_per_ip_overrides="a:2, [::1]:0")
    assert [found.enter("a", 0) for _ in range(3)] == [None, None, 0]
    assert [found.enter("b", 0) for _ in range(2)] == [None, 0]
    assert found.enter("::1", 0) == 0
    found.leave("b")
    assert found.enter("b", 0) is None


def test_limits_that_make_no_sense_are_refused():
    for text in ("a", "a:b", "a:-1", ":1", "a:1,b"):
        with pytest.raises(InvalidConfig):
            limits_of(text)
        with pytest.raises(InvalidConfig):
            check_given({"max.connections.per.ip.overrides": text})
    with pytest.raises(InvalidConfig, match="can be set to zero only if"):
        check_together({"max.connections.per.ip": "0"})
    check_together({"max.connections.per.ip": "0", "max.connections.per.ip.overrides": "::1:5"})
