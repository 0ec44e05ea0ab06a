"""How many partitions a second a client may make and delete, and what each version is told."""

import pytest
from tests.kafka.raw_client import RawClient
from tests.kafka.test_quotas import alter

from cloudlet.kafka.mutation_quotas import TokenBucket
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

EXCEEDED = ErrorCode.THROTTLING_QUOTA_EXCEEDED


def test_a_bucket_is_full_at_first_and_fills_by_its_rate():
    bucket = TokenBucket()
    assert bucket.fill(2, 20, 5_000) == 20
    assert bucket.take(30) == -10
    assert bucket.fill(2, 20, 6_000) == -8
    assert bucket.fill(2, 20, 10_000) == 0
    assert bucket.fill(2, 20, 100_000) == 20, "no more than a burst"
    assert bucket.fill(2, 10, 100_000) == 10, "a lower burst counts at once"


@pytest.fixture
def limited(kafka, name):
    """A client that may change two partitions a second, 22 at once."""
    with RawClient(kafka.address, name) as client, RawClient(kafka.address, "admin") as admin:
        alter(admin, [("client-id", name)], controller_mutation_rate=2.0)
        yield client
        alter(admin, [("client-id", name)], controller_mutation_rate=None)


def create(client, version, *topics, is_dry=False):
    """(how long to rest, error codes)"""
    cls = messages.CreateTopicsRequest
    rows = [cls.CreatableTopic(Name=name, NumPartitions=count, ReplicationFactor=1) for name, count in topics]
    response = client.ask(cls(Topics=rows, timeoutMs=1000, validateOnly=is_dry), version)
    for row in response.Topics:
        assert row.ErrorCode == 0 or row.ErrorMessage == "The throttling quota has been exceeded."
    return response.ThrottleTimeMs, [row.ErrorCode for row in response.Topics]


def grow(client, version, *topics):
    cls = messages.CreatePartitionsRequest
    rows = [cls.CreatePartitionsTopic(Name=name, Count=count, Assignments=None) for name, count in topics]
    response = client.ask(cls(Topics=rows, TimeoutMs=1000), version)
    return response.ThrottleTimeMs, [row.ErrorCode for row in response.Results]


def delete(client, version, *names):
    response = client.ask(messages.DeleteTopicsRequest(TopicNames=list(names), TimeoutMs=1000), version)
    return response.ThrottleTimeMs, [row.ErrorCode for row in response.Responses]


def test_who_knows_the_error_is_refused(limited, kafka, name):
    rest_ms, codes = create(limited, 6, (f"{name}a", 24), (f"{name}b", 1))
    assert codes == [0, EXCEEDED]
    assert 500 <= rest_ms <= 1000, "two tokens too many at two a second"
    assert f"{name}b" not in kafka.broker.topics.by_name
    again_ms, codes = create(limited, 7, (f"{name}b", 1))
    assert (again_ms, codes) == (0, [0]), "his connection was not read from until then"


def test_older_clients_get_their_change_and_a_longer_rest(limited, name):
    rest_ms, codes = create(limited, 5, (f"{name}a", 23), (f"{name}b", 1))
    assert codes == [0, 0]
    assert 500 < rest_ms <= 1000


def test_growing_and_deleting_count_too(limited, kafka, name):
    with RawClient(kafka.address, "admin") as admin:
        assert create(admin, 7, (f"{name}a", 1), (f"{name}b", 1)) == (0, [0, 0])
    assert grow(limited, 2, (f"{name}a", 22)) == (0, [0])
    rest_ms, codes = grow(limited, 3, (f"{name}b", 3), (f"{name}a", 23))
    assert codes[0] == 0
    rest_ms, codes = delete(limited, 4, f"{name}a")
    assert codes == [0]
    assert rest_ms > 0
    alone = RawClient(kafka.address, name)  # another connection, as this one is not read from
    with alone:
        rest_ms, codes = delete(alone, 5, f"{name}b")
        assert codes == [EXCEEDED]
        assert rest_ms > 5000
        assert f"{name}b" in kafka.broker.topics.by_name


def test_a_dry_run_counts_as_with_kafka(limited, name):
    assert create(limited, 7, (name, 24), is_dry=True) == (0, [0])
    assert create(limited, 7, (name, 1))[1] == [EXCEEDED]


def test_without_a_quota_nothing_is_counted(kafka, name):
    with RawClient(kafka.address, "free") as client:
        assert create(client, 7, (f"{name}a", 100), (f"{name}b", 100)) == (0, [0, 0])
