"""NAME://HOST:PORT, as server.properties has it."""

import pytest

from cloudlet.kernel.listeners import Listener, parse_listeners
from cloudlet.kernel.settings import Settings


def test_listeners_are_read_as_kafka_reads_them():
    said = "PLAINTEXT://:9092, internal://kafka.example:0,V6://[::1]:1"
    assert parse_listeners(said) == (
        Listener("PLAINTEXT", "", 9092), Listener("INTERNAL", "kafka.example", 0), Listener("V6", "::1", 1),
    )  # fmt: skip
    assert [each.address for each in parse_listeners(said)] == [":9092", "kafka.example:0", "[::1]:1"]
    assert parse_listeners("") == ()


@pytest.mark.parametrize("said", ["9092", "A://b", "A://b:c", "A://b:65536", "://b:1", "A://b:-1", "A:/b:1"])
def test_what_is_no_listener_is_refused(said):
    with pytest.raises(ValueError, match="Unable to parse"):
        parse_listeners(said)


def test_the_first_listener_is_where_the_face_listens():
    settings = Settings("d", kafka=(("listeners", "A://0.0.0.0:29092,B://:29093"),))
    assert settings.port_of("kafka") == 29092
    assert settings.hosts_of("kafka") == ("0.0.0.0",)
    assert settings.port_of("etcd") == 2379
    assert settings.hosts_of("etcd") == ("127.0.0.1", "::1")
    assert Settings("d", ports="kafka=7", kafka=settings.kafka).port_of("kafka") == 7
