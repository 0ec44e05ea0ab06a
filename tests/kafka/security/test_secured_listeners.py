"""PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL side by side: who comes by each, and who is let in."""

import socket
import ssl

import kafka as kafka_python
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AclOperation, AdminClient, NewTopic, ResourceType
from tests.kafka.raw_client import RawClient
from tests.kafka.running_broker import running_broker
from tests.kafka.security.test_clients import PASSWORD, SECONDS, allow, rule
from tests.kafka.test_listeners import free_port

from cloudlet.kafka.listeners import listeners_of
from cloudlet.kernel.clock import SystemClock
from cloudlet.shell.kafka_security import KafkaSecurity
from cloudlet.shell.local_ca import LocalAuthority
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


class Secured:
    """A broker with a listener of each protocol."""

    def __init__(self, folder, broker, ports):
        self.broker = broker
        self.address = {protocol: f"127.0.0.1:{port}" for protocol, port in ports.items()}
        self.authority = str(folder / "tls" / "ca.pem")
        certificate, key = LocalAuthority(folder, SystemClock().wall_ms()).client_pair("Alice")
        self.certificate, self.key = folder / "client.pem", folder / "client.key"
        self.certificate.write_bytes(certificate)
        self.key.write_bytes(key)

    def client(self, protocol, *, certificate=False, **more):
        """A configuration of librdkafka."""
        found = {
            "bootstrap.servers": self.address[protocol],
            "security.protocol": protocol,
            "log_level": 0,
            **more,
        }
        if protocol.endswith("SSL"):
            found["ssl.ca.location"] = self.authority
        if protocol.startswith("SASL"):
            found |= {"sasl.mechanism": "SCRAM-SHA-256", "sasl.username": "admin", "sasl.password": PASSWORD}
        if certificate:
            found |= {"ssl.certificate.location": str(self.certificate), "ssl.key.location": str(self.key)}
        return found

    def produced(self, topic, protocol, **more):
        """What a delivery comes to: its error, or None."""
        reports = []
        producer = Producer(self.client(protocol, **more))
        producer.produce(topic, protocol.encode(), on_delivery=lambda error, _: reports.append(error))
        producer.flush(SECONDS)
        return reports[0].name() if reports[0] is not None else None


def secured_broker(folder, **properties):
    ports = {protocol: free_port() for protocol in PROTOCOLS[1:]}
    listeners = ["OPEN://:0", *(f"{name}://127.0.0.1:{port}" for name, port in ports.items())]
    security = KafkaSecurity(folder, (), PASSWORD, account="000000000000")
    return ports, running_broker(
        folder / "data",
        security=security,
        listeners=",".join(listeners),
        listener_security_protocol_map="OPEN:PLAINTEXT," + ",".join(f"{name}:{name}" for name in PROTOCOLS),
        group_initial_rebalance_delay_ms=0,
        **properties,
    )


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    ports, running = secured_broker(folder, ssl_principal_mapping_rules="RULE:^CN=(.*)$/$1/L,DEFAULT")
    with running as broker:
        yield Secured(folder, broker, {"PLAINTEXT": broker.port, **ports})


def test_each_listeners_clients_are_who_they_are_there(secured, name):
    admin = AdminClient(secured.client("SASL_SSL"))
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(SECONDS)
    for protocol in ("SASL_SSL", "SASL_PLAINTEXT"):
        assert secured.produced(name, protocol) is None
    denied = "TOPIC_AUTHORIZATION_FAILED"
    for protocol, certificate in (("PLAINTEXT", False), ("SSL", False), ("SSL", True)):
        assert secured.produced(name, protocol, certificate=certificate) == denied
    allow(admin, rule(ResourceType.TOPIC, name, "alice", AclOperation.WRITE))
    assert secured.produced(name, "SSL", certificate=True) is None
    assert secured.produced(name, "SSL") == denied
    allow(admin, rule(ResourceType.TOPIC, name, "ANONYMOUS", AclOperation.WRITE))
    assert secured.produced(name, "SSL") is None
    assert secured.produced(name, "PLAINTEXT") is None
    consumer = Consumer(secured.client("SASL_SSL", **{"group.id": name, "auto.offset.reset": "earliest"}))
    consumer.subscribe([name])
    values = [consumer.poll(SECONDS).value() for _ in range(5)]
    consumer.close()
    assert values == [b"SASL_SSL", b"SASL_PLAINTEXT", b"SSL", b"SSL", b"PLAINTEXT"]


def test_the_clients_of_each_are_told_its_own_address(secured):
    for protocol in PROTOCOLS:
        brokers = AdminClient(secured.client(protocol)).list_topics(timeout=SECONDS).brokers
        assert f"{brokers[1].host}:{brokers[1].port}" == secured.address[protocol]


def test_kafka_python_comes_by_ssl(secured, name):
    admin = kafka_python.KafkaAdminClient(
        bootstrap_servers=secured.address["SSL"], security_protocol="SSL", ssl_cafile=secured.authority,
        ssl_certfile=str(secured.certificate), ssl_keyfile=str(secured.key),
    )  # fmt: skip
    try:
        assert admin.describe_cluster()["cluster_id"]
    finally:
        admin.close()


def test_a_listener_without_sasl_refuses_it(secured):
    with RawClient(secured.address["PLAINTEXT"]) as client:
        answer = client.ask(messages.SaslHandshakeRequest(Mechanism="PLAIN"), 1)
        assert answer.ErrorCode == ErrorCode.ILLEGAL_SASL_STATE
        answer = client.ask(messages.SaslAuthenticateRequest(AuthBytes=b"\0admin\0x"), 2)
        assert answer.ErrorCode == ErrorCode.ILLEGAL_SASL_STATE


def test_a_certificate_is_no_substitute_for_sasl_where_that_is_asked(secured):
    context = ssl.create_default_context(cafile=secured.authority)
    context.load_cert_chain(secured.certificate, secured.key)
    host, _, port = secured.address["SASL_SSL"].rpartition(":")
    with RawClient(secured.address["SASL_SSL"]) as client:
        client.socket.close()
        client.socket = context.wrap_socket(socket.create_connection((host, int(port))), server_hostname=host)
        client.send(messages.MetadataRequest(Topics=[]), 9)
        assert client.is_closed()


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_who_speaks_in_clear_to_tls_is_not_answered(secured, protocol):
    with RawClient(secured.address[protocol]) as client:
        client.send(messages.ApiVersionsRequest(), 0)
        assert client.is_closed()


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_who_speaks_tls_where_it_is_not_spoken_is_not_answered(secured, protocol):
    host, _, port = secured.address[protocol].rpartition(":")
    context = ssl.create_default_context(cafile=secured.authority)
    with socket.create_connection((host, int(port))) as plain, pytest.raises(OSError):
        context.wrap_socket(plain, server_hostname=host)


def test_a_certificate_may_be_demanded_and_a_name_may_be_nobodys(tmp_path):
    ports, running = secured_broker(
        tmp_path, ssl_client_auth="required", ssl_principal_mapping_rules="RULE:^CN=Bob$/bob/"
    )
    with running as broker:
        secured = Secured(tmp_path, broker, {"PLAINTEXT": broker.port, **ports})
        context = ssl.create_default_context(cafile=secured.authority)
        host, _, port = secured.address["SSL"].rpartition(":")
        for has_certificate in (False, True):
            if has_certificate:  # Alice's, whom no rule knows
                context.load_cert_chain(secured.certificate, secured.key)
            with RawClient(secured.address["SSL"]) as client:
                client.socket.close()
                client.socket = context.wrap_socket(
                    socket.create_connection((host, int(port))), server_hostname=host
                )
                assert client.is_closed()
        brokers = AdminClient(secured.client("SASL_SSL")).list_topics(timeout=SECONDS).brokers
        assert list(brokers) == [1]


def test_what_the_listeners_speak():
    _, doors, _ = listeners_of(
        {"listeners": ",".join(f"{name}://:{port}" for port, name in enumerate(PROTOCOLS, 9092))},
        is_secured=True,
    )
    assert [(door.has_tls, door.takes_sasl, door.takes_certificates) for door in doors] == [
        (False, False, False), (True, False, True), (False, True, False), (True, True, False),
    ]  # fmt: skip
