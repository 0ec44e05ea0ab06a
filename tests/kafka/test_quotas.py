"""Client quotas: who is under which, how long he is throttled, what may be set and found."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.test_create_topics import creatable, create
from tests.kafka.test_fetch import Topic, fetch, rows
from tests.kafka.test_produce import batch, request

from cloudlet.kafka import mutation_quotas, quotas
from cloudlet.kafka.call import Call, Peer
from cloudlet.kafka.quotas import Rate
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

EXACT, DEFAULT, ANY = range(3)


def alter(client, entity, *, version=1, dry=False, **values):
    """(error code, message); a value of None takes the quota away."""
    cls = messages.AlterClientQuotasRequest
    pairs = [cls.EntityData(EntityType=kind, EntityName=name) for kind, name in entity]
    ops = [cls.OpData(Key=key, Value=value or 0.0, Remove=value is None) for key, value in values.items()]
    asked = cls(Entries=[cls.EntryData(Entity=pairs, Ops=ops)], ValidateOnly=dry)
    (row,) = client.ask(asked, version).Entries
    return row.ErrorCode, row.ErrorMessage


def found(client, *components, strict=False, version=1):
    """Entity -> values; each component is (type, how, name)."""
    cls = messages.DescribeClientQuotasRequest
    wanted = [cls.ComponentData(EntityType=kind, MatchType=how, Match=name) for kind, how, name in components]
    response = client.ask(cls(Components=wanted, Strict=strict), version)
    assert response.ErrorCode == 0, response.ErrorMessage
    return {
        tuple((pair.EntityType, pair.EntityName) for pair in entry.Entity): {
            value.Key: value.Value for value in entry.Values
        }
        for entry in response.Entries
    }


def test_a_rate_is_throttled_down_to_its_quota():
    rate = Rate(1000, 11)
    rate.add(500, 0)
    assert rate.throttle_ms(100, 0) == 0, "a burst counts as if it were all the windows'"
    rate.add(1500, 100)
    # 2,000 in 10.1 s at least: 198 a second where 100 are allowed
    assert rate.throttle_ms(100, 100) == pytest.approx((2000 / 10.1 - 100) / 100 * 10_100)
    rate.add(0, 9_000)
    assert rate.throttle_ms(100, 9_000) > 0
    rate.add(0, 20_000)
    assert rate.throttle_ms(100, 20_000) == 0, "old windows are forgotten"


def test_a_rate_of_one_window_begins_within_a_millisecond():
    """quota.window.num=1: what was there in no time at all is no rate yet, and no division by zero."""
    rate = Rate(1000, 1)
    rate.add(5, 0.0)
    assert rate.measured_ms(0.0) == 1.0
    assert rate.throttle_ms(10_000, 0.0) == 0.0
    rate.add(5, 500.0)
    assert rate.measured_ms(500.0) == 500.0


def test_who_is_seen_again_and_again_is_not_forgotten_for_those_who_come_once(tmp_path, monkeypatch):
    monkeypatch.setattr(quotas, "RATES_MAX", 3)
    monkeypatch.setattr(mutation_quotas, "BUCKETS_MAX", 3)
    with running_broker(tmp_path) as broker:

        async def work():
            part = broker.broker.part(quotas.Quotas)
            await part.put(frozenset({("client-id", None)}), {"producer_byte_rate": 10.0})
            for number in range(10):
                for client in ("busy", f"once-{number}"):
                    call = Call(broker.broker, Peer("/127.0.0.1", "127.0.0.1:1"), 0, 9, 1, client)
                    part.throttle_ms(call, "producer_byte_rate", 1.0)
            buckets = mutation_quotas.MutationQuotas(broker.broker)
            first = buckets.bucket(("q", "busy", ""))
            for number in range(10):
                buckets.bucket(("q", f"{number}", ""))
                assert buckets.bucket(("q", "busy", "")) is first
            (rate,) = (rate for shared, rate in part._rates.items() if "busy" in shared)
            return sum(amount for _, amount in rate._samples), len(part._rates)

        assert broker.call(work) == (10.0, 3)


def test_quotas_are_kept_and_found(tmp_path):
    alice = [("user", "alice")]
    both = [("client-id", "c"), ("user", "alice")]
    anyone = [("user", None)]
    with running_broker(tmp_path) as broker:
        with RawClient(broker.address) as client:
            assert alter(client, alice, producer_byte_rate=1000.0) == (0, None)
            assert alter(client, both, version=0, consumer_byte_rate=2000.0) == (0, None)
            assert alter(client, anyone, request_percentage=12.5) == (0, None)
            assert alter(client, [("ip", "10.0.0.1")], connection_creation_rate=5.0) == (0, None)
            assert alter(client, [("user", "dry")], producer_byte_rate=1.0, dry=True) == (0, None)
        broker.restart()
        with RawClient(broker.address) as client:
            everything = found(client)
            assert everything[(("user", "alice"),)] == {"producer_byte_rate": 1000.0}
            assert everything[(("user", None),)] == {"request_percentage": 12.5}
            assert len(everything) == 4
            assert set(found(client, ("user", EXACT, "alice"))) == {tuple(alice), tuple(both)}
            assert set(found(client, ("user", EXACT, "alice"), strict=True)) == {tuple(alice)}
            assert set(found(client, ("user", DEFAULT, None))) == {tuple(anyone)}
            assert set(found(client, ("user", ANY, None), version=0)) == {
                tuple(alice), tuple(both), tuple(anyone),
            }  # fmt: skip
            assert alter(client, alice, producer_byte_rate=None) == (0, None)
            assert tuple(alice) not in found(client)


REFUSED = {
    "an unknown key": ([("user", "a")], {"zork": 1.0}, "Invalid configuration key zork"),
    "zero": (
        [("user", "a")], {"producer_byte_rate": 0.0}, "Quota producer_byte_rate must be greater than 0",
    ),
    "a fraction": (
        [("user", "a")], {"producer_byte_rate": 1.5}, "producer_byte_rate cannot be a fractional value.",
    ),
    "an unknown type": (
        [("zork", "a")], {"producer_byte_rate": 1.0}, "Unhandled client quota entity type: zork",
    ),
    "no entity": ([], {"producer_byte_rate": 1.0}, "Invalid empty client quota entity"),
    "a key of addresses": (
        [("user", "a")], {"connection_creation_rate": 1.0},
        "Invalid configuration key connection_creation_rate",
    ),
    "no address": (
        [("ip", "x y")], {"connection_creation_rate": 1.0}, "x y is not a valid IP or resolvable host.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_kafka_refuses_is_refused(kafka, case):
    entity, values, text = REFUSED[case]
    with RawClient(kafka.address) as client:
        assert alter(client, entity, **values) == (ErrorCode.INVALID_REQUEST, text)


@pytest.mark.parametrize(
    "components",
    [
        [("", EXACT, "a")], [("user", EXACT, "a"), ("user", EXACT, "b")], [("user", 7, None)],
        [("user", EXACT, None)], [("user", DEFAULT, "a")], [("ip", ANY, None), ("user", ANY, None)],
    ],
)  # fmt: skip
def test_filters_that_make_no_sense_are_refused(kafka, components):
    cls = messages.DescribeClientQuotasRequest
    wanted = [cls.ComponentData(EntityType=kind, MatchType=how, Match=name) for kind, how, name in components]
    with RawClient(kafka.address) as client:
        response = client.ask(cls(Components=wanted), 1)
    assert response.ErrorCode == ErrorCode.INVALID_REQUEST
    assert response.ErrorMessage
    assert response.Entries is None


ENTITIES = {
    "user and client": [("user", "ANONYMOUS"), ("client-id", "raw")],
    "user and any client": [("user", "ANONYMOUS"), ("client-id", None)],
    "user": [("user", "ANONYMOUS")],
    "any user and client": [("user", None), ("client-id", "raw")],
    "any user and any client": [("user", None), ("client-id", None)],
    "any user": [("user", None)],
    "client": [("client-id", "raw")],
    "any client": [("client-id", None)],
}


@pytest.mark.parametrize("case", ENTITIES)
def test_a_producer_is_throttled_and_not_read_from(kafka, name, case):
    with RawClient(kafka.address, "admin") as admin, RawClient(kafka.address) as client:
        create(admin, creatable(name))
        free = client.ask(request(name, {0: batch(b"x" * 5000)}), 9)
        assert free.ThrottleTimeMs == 0
        assert alter(admin, ENTITIES[case], producer_byte_rate=600.0) == (0, None)
        try:
            response = client.ask(request(name, {0: batch(b"x" * 6000)}), 9)
            assert response.Responses[0].PartitionResponses[0].ErrorCode == 0
            assert response.ThrottleTimeMs > 0
            muted = [one for one in kafka.call(lambda: list(kafka.face._shared.connections)) if one._at_work]
            assert len(muted) == 1
            assert client.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1, "later, but it is"
        finally:
            alter(admin, ENTITIES[case], producer_byte_rate=None)


def test_the_most_special_quota_holds(kafka, name):
    with RawClient(kafka.address, "admin") as admin, RawClient(kafka.address) as client:
        create(admin, creatable(name))
        alter(admin, [("client-id", None)], producer_byte_rate=1.0)
        alter(admin, [("client-id", "raw")], producer_byte_rate=1e9)
        try:
            assert client.ask(request(name, {0: batch(b"x" * 6000)}), 9).ThrottleTimeMs == 0
        finally:
            alter(admin, [("client-id", None)], producer_byte_rate=None)
            alter(admin, [("client-id", "raw")], producer_byte_rate=None)


def test_a_consumer_is_throttled_by_what_it_gets(kafka, name):
    with RawClient(kafka.address, "admin") as admin, RawClient(kafka.address) as client:
        topic = Topic(admin, name)
        admin.ask(request(name, {0: batch(b"x" * 6000)}), 9)
        alter(admin, [("client-id", "raw")], consumer_byte_rate=600.0)
        try:
            response = fetch(client, topic.wanted({0: 0}))
            assert response.ThrottleTimeMs > 0
            assert response.Responses == [], "the records come when he asks again"
            again = fetch(client, topic.wanted({0: 0}))
            if again.ThrottleTimeMs == 1:  # what is told is rounded
                again = fetch(client, topic.wanted({0: 0}))
            assert again.ThrottleTimeMs == 0
            assert rows(again)[0].Records
        finally:
            alter(admin, [("client-id", "raw")], consumer_byte_rate=None)


def test_a_clients_time_is_throttled_by_a_window_at_most(kafka):
    with RawClient(kafka.address, "admin") as admin, RawClient(kafka.address) as client:
        alter(admin, [("client-id", "raw")], request_percentage=1e-9)
        try:
            response = client.ask(messages.DescribeClusterRequest(), 1)
            assert 0 < response.ThrottleTimeMs <= 1000
        finally:
            alter(admin, [("client-id", "raw")], request_percentage=None)


def test_an_address_that_connects_too_often_is_kept_waiting_and_closed(kafka):
    with RawClient(kafka.address, "admin") as admin:
        alter(admin, [("ip", None)], connection_creation_rate=1000.0)
        alter(admin, [("ip", "127.0.0.1")], connection_creation_rate=1.0)
        clients = []
        try:
            for _ in range(13):  # a burst of ten windows is allowed
                clients.append(RawClient(kafka.address))
            answered = 0
            for client in clients:
                try:
                    answered += client.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId
                except (EOFError, ConnectionError):
                    pass
            assert 9 <= answered <= 12
        finally:
            alter(admin, [("ip", "127.0.0.1")], connection_creation_rate=None)
            alter(admin, [("ip", None)], connection_creation_rate=None)
            for client in clients:
                client.socket.close()
        with RawClient(kafka.address) as again:
            assert again.ask(messages.MetadataRequest(Topics=[]), 9).ControllerId == 1
