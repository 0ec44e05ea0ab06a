"""Several listeners: what is refused, and what the clients of each are told."""

import socket

import confluent_kafka
import pytest
from confluent_kafka.admin import AdminClient
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker

from cloudlet.kafka.configs import InvalidConfig, check_given
from cloudlet.kafka.listeners import listeners_of
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

MAP = "listener.security.protocol.map"
PLAIN_MAP = "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,THIRD:PLAINTEXT"
BOTH = "INSIDE://:9092,OUTSIDE://:9093"

REFUSED = {
    "a name twice": ({"listeners": "INSIDE://:1,inside://:2", MAP: PLAIN_MAP}, "different name"),
    "a port twice": ({"listeners": "INSIDE://:1,OUTSIDE://:1", MAP: PLAIN_MAP}, "different port"),
    "no protocol": ({"listeners": BOTH}, "No security protocol defined for listener INSIDE"),
    "TLS": ({"listeners": "SSL://:1"}, "SSL speaks SSL, which takes --kafka-security"),
    "a controller": ({"listeners": "PLAINTEXT://:1,CONTROLLER://:2"}, "CONTROLLER is a controller's"),
    "advertised, and not there": (
        {"listeners": BOTH, MAP: PLAIN_MAP, "advertised.listeners": "THIRD://a:1"},
        "must be equal to or a subset of",
    ),
    "advertised everywhere": ({"advertised.listeners": "PLAINTEXT://0.0.0.0:1"}, "nonroutable meta-address"),
    "several advertised": ({"advertised.listeners": "A://a:1,B://b:2"}, "names several listeners"),
    "between brokers": (
        {"listeners": BOTH, MAP: PLAIN_MAP, "inter.broker.listener.name": "THIRD"},
        "inter.broker.listener.name must be",
    ),
    "no listener": ({"listeners": "9092"}, "Unable to parse 9092"),
    "no map": ({"listeners": BOTH, MAP: "INSIDE"}, "is no NAME:PROTOCOL"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_makes_no_sense_or_is_not_served_is_refused(case):
    properties, why = REFUSED[case]
    with pytest.raises(InvalidConfig, match=why):
        listeners_of(properties, is_secured=False)


def test_properties_of_single_listeners_are_refused_by_name():
    with pytest.raises(InvalidConfig, match=r"not served: listener\.name\.inside\.max\.connections"):
        check_given({"listener.name.inside.max.connections": "7"})


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def several(tmp_path_factory):
    """A broker with three listeners: told by a name, by another port, and as they were dialled."""
    outside, third = free_port(), free_port()
    properties = {
        "listeners": f"INSIDE://:0,OUTSIDE://127.0.0.1:{outside},THIRD://:{third}",
        "advertised_listeners": f"INSIDE://inside.example:9999,OUTSIDE://localhost:{outside}",
        "listener_security_protocol_map": PLAIN_MAP,
        "inter_broker_listener_name": "INSIDE",
    }
    with running_broker(tmp_path_factory.mktemp("several"), **properties) as broker:
        yield broker, f"127.0.0.1:{outside}", f"127.0.0.1:{third}"


def told(address):
    """What each API says of where the broker is."""
    with RawClient(address) as client:
        (row,) = client.ask(messages.MetadataRequest(Topics=[]), 9).Brokers
        yield row.Host, row.Port
        found = client.ask(messages.FindCoordinatorRequest(KeyType=0, CoordinatorKeys=["g"]), 4)
        yield found.Coordinators[0].Host, found.Coordinators[0].Port
        (row,) = client.ask(messages.DescribeClusterRequest(), 1).Brokers
        yield row.Host, row.Port


def test_the_clients_of_each_listener_are_told_its_own_address(several):
    broker, outside, third = several
    assert set(told(broker.address)) == {("inside.example", 9999)}
    assert set(told(outside)) == {("localhost", int(outside.rpartition(":")[2]))}
    assert set(told(third)) == {("127.0.0.1", int(third.rpartition(":")[2]))}
    assert set(told(broker.address)) == {("inside.example", 9999)}, "no answer is another listener's"


def test_a_stock_client_produces_by_one_listener_and_reads_by_another(several):
    _, outside, third = several
    producer = confluent_kafka.Producer({"bootstrap.servers": outside})
    producer.produce("both", b"x")
    assert producer.flush(20) == 0
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": third, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["both"])
    message = consumer.poll(20)
    assert message.value() == b"x"
    consumer.close()
    brokers = AdminClient({"bootstrap.servers": outside}).list_topics(timeout=20).brokers
    assert [(each.host, each.port) for each in brokers.values()] == [
        ("localhost", int(outside.rpartition(":")[2]))
    ]


@pytest.mark.parametrize("key", ["listeners", "listener.name.inside.max.connections"])
def test_listeners_are_not_changed_while_they_are_used(several, key):
    cls = messages.IncrementalAlterConfigsRequest
    change = cls.AlterableConfig(Name=key, ConfigOperation=0, Value="PLAINTEXT://:1")
    resource = cls.AlterConfigsResource(ResourceType=4, ResourceName="1", Configs=[change])
    with RawClient(several[2]) as client:
        (row,) = client.ask(cls(Resources=[resource]), 1).Responses
    assert row.ErrorCode == ErrorCode.INVALID_REQUEST
    assert key in row.ErrorMessage
