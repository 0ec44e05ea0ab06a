"""A secured broker as stock clients meet it: who they are, and what they may do."""

import socket
import ssl
import time

import kafka
import pytest
from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from tests.kafka.running_broker import running_broker

from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.keys import Commit, Drop
from cloudlet.kernel.tuples import prefix_range
from cloudlet.shell.kafka_security import KafkaSecurity
from cloudlet.shell.local_ca import LocalAuthority

PASSWORD = "an administrator's"
SECONDS = 20


@pytest.fixture(scope="module")
def secured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("secured")
    security = KafkaSecurity(folder, (), PASSWORD, account="000000000000")
    with running_broker(folder / "data", security=security, group_initial_rebalance_delay_ms=0) as broker:
        broker.authority = folder / "tls" / "ca.pem"
        yield broker


def settings(broker, mechanism="SCRAM-SHA-512", user="admin", password=PASSWORD, protocol="SASL_SSL", **more):
    found = {
        "bootstrap.servers": broker.address, "security.protocol": protocol, "sasl.mechanisms": mechanism,
        "sasl.username": user, "sasl.password": password, "log_level": 0, **more,
    }  # fmt: skip
    if protocol == "SASL_SSL":
        found["ssl.ca.location"] = str(broker.authority)
    return found


def make_user(broker, user, password="wonder"):
    upsertion = UserScramCredentialUpsertion(
        user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_256, 4096), password.encode()
    )
    admin = AdminClient(settings(broker))
    for future in admin.alter_user_scram_credentials([upsertion]).values():
        future.result(SECONDS)
    return admin


def rule(kind, name, user, operation, permission=AclPermissionType.ALLOW):
    return AclBinding(kind, name, ResourcePatternType.LITERAL, f"User:{user}", "*", operation, permission)


def allow(admin, *rules):
    for future in admin.create_acls(list(rules)).values():
        future.result(SECONDS)


def produce(broker, topic, **who):
    """What a delivery of one record comes to: its error, or None."""
    reports = []
    producer = Producer(settings(broker, **who))
    producer.produce(topic, b"value", on_delivery=lambda error, message: reports.append(error))
    producer.flush(SECONDS)
    return reports[0].name() if reports[0] is not None else None


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
@pytest.mark.parametrize("protocol", ["SASL_SSL", "SASL_PLAINTEXT"])
def test_librdkafka_authenticates(secured, mechanism, protocol):
    admin = AdminClient(settings(secured, mechanism, protocol=protocol))
    assert list(admin.list_topics(timeout=SECONDS).brokers) == [1]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_kafka_python_authenticates(secured, mechanism):
    admin = kafka.KafkaAdminClient(
        bootstrap_servers=secured.address, security_protocol="SASL_SSL", sasl_mechanism=mechanism,
        sasl_plain_username="admin", sasl_plain_password=PASSWORD, ssl_cafile=str(secured.authority),
    )  # fmt: skip
    try:
        assert admin.describe_cluster()["cluster_id"]
    finally:
        admin.close()


def test_an_unsecured_token_and_one_of_msks_signer_are_known(secured, monkeypatch):
    from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    asked = []

    def token(config):
        asked.append(config)
        text, expires_ms = MSKAuthTokenProvider.generate_auth_token("us-east-1")
        return text, expires_ms / 1000

    found = settings(secured, "OAUTHBEARER")
    del found["sasl.username"], found["sasl.password"]
    admin = AdminClient({**found, "oauth_cb": token})
    admin.poll(1)
    assert list(admin.list_topics(timeout=SECONDS).brokers) == [1]
    assert asked


@pytest.mark.parametrize(
    "wrong",
    [
        {"password": "another"},
        {"user": "nobody"},
        {"mechanism": "PLAIN", "password": "another"},
        {"protocol": "PLAINTEXT"},
        {"protocol": "SSL", "ssl.ca.location": "set below"},
    ],
)
def test_who_is_not_known_gets_nothing(secured, wrong):
    found = settings(secured, **wrong)
    if wrong.get("protocol") == "SSL":
        found["ssl.ca.location"] = str(secured.authority)
    with pytest.raises(KafkaException):
        AdminClient(found).list_topics(timeout=1)


def test_a_client_is_known_by_its_certificate(secured, tmp_path, name):
    authority = LocalAuthority(secured.authority.parent.parent, SystemClock().wall_ms())
    certificate, key = authority.client_pair("alice")
    (tmp_path / "alice.pem").write_bytes(certificate)
    (tmp_path / "alice.key").write_bytes(key)
    allow(
        AdminClient(settings(secured)),
        rule(ResourceType.TOPIC, name, "CN=alice", AclOperation.ALL),
        rule(ResourceType.BROKER, "kafka-cluster", "CN=alice", AclOperation.CREATE),
    )
    producer = Producer(
        {
            "bootstrap.servers": secured.address, "security.protocol": "SSL",
            "ssl.ca.location": str(secured.authority), "log_level": 0,
            "ssl.certificate.location": str(tmp_path / "alice.pem"),
            "ssl.key.location": str(tmp_path / "alice.key"),
        }
    )  # fmt: skip
    reports = []
    producer.produce(name, b"value", on_delivery=lambda error, message: reports.append(error))
    producer.flush(SECONDS)
    assert reports == [None]


def test_rules_deny_until_they_allow_and_denials_win(secured, name):
    admin = make_user(secured, "alice")
    admin.create_topics([NewTopic(name, 1)])[name].result(SECONDS)
    who = {"mechanism": "SCRAM-SHA-256", "user": "alice", "password": "wonder"}
    assert produce(secured, name, **who) == "TOPIC_AUTHORIZATION_FAILED"
    assert name not in AdminClient(settings(secured, **who)).list_topics(timeout=SECONDS).topics
    allow(admin, rule(ResourceType.TOPIC, name, "alice", AclOperation.WRITE))
    assert produce(secured, name, **who) is None
    allow(admin, rule(ResourceType.TOPIC, name, "alice", AclOperation.WRITE, AclPermissionType.DENY))
    assert produce(secured, name, **who) == "TOPIC_AUTHORIZATION_FAILED"


def consumer_of(broker, group, who):
    return Consumer({**settings(broker, **who), "group.id": group, "auto.offset.reset": "earliest"})


def test_a_group_must_be_readable_and_so_must_its_topic(secured, name):
    admin = make_user(secured, "bob")
    admin.create_topics([NewTopic(name, 1)])[name].result(SECONDS)
    assert produce(secured, name) is None
    who = {"mechanism": "SCRAM-SHA-256", "user": "bob", "password": "wonder"}
    allow(admin, rule(ResourceType.TOPIC, name, "bob", AclOperation.READ))
    consumer = consumer_of(secured, name, who)
    consumer.subscribe([name])
    message = consumer.poll(SECONDS)
    assert message.error().name() == "GROUP_AUTHORIZATION_FAILED"
    consumer.close()
    allow(admin, rule(ResourceType.GROUP, name, "bob", AclOperation.READ))
    consumer = consumer_of(secured, name, who)
    consumer.subscribe([name])
    message = consumer.poll(SECONDS)
    assert message.error() is None
    assert message.value() == b"value"
    consumer.close()


def test_a_consumer_protocols_member_names_only_topics_that_it_may_describe(secured, name):
    admin = make_user(secured, "dora")
    for topic in (name, f"{name}-hidden"):
        admin.create_topics([NewTopic(topic, 1)])[topic].result(SECONDS)
    assert produce(secured, name) is None
    who = {"mechanism": "SCRAM-SHA-256", "user": "dora", "password": "wonder", "group.protocol": "consumer"}
    allow(admin, rule(ResourceType.TOPIC, name, "dora", AclOperation.READ))
    allow(admin, rule(ResourceType.GROUP, name, "dora", AclOperation.READ))
    consumer = consumer_of(secured, name, who)
    consumer.subscribe([name, f"{name}-hidden"])
    assert consumer.poll(SECONDS).error().name() == "TOPIC_AUTHORIZATION_FAILED"
    consumer.close()
    consumer = consumer_of(secured, name, who)
    consumer.subscribe([name])
    message = consumer.poll(SECONDS)
    assert (message.error(), message.value()) == (None, b"value")
    consumer.close()


def test_an_expression_stands_for_no_topic_that_its_member_may_not_describe(secured, name):
    admin = make_user(secured, "rex")
    for topic in (name, f"{name}-hidden"):
        admin.create_topics([NewTopic(topic, 1)])[topic].result(SECONDS)
        assert produce(secured, topic) is None
    allow(admin, rule(ResourceType.TOPIC, name, "rex", AclOperation.READ))
    allow(admin, rule(ResourceType.GROUP, name, "rex", AclOperation.READ))
    who = {"mechanism": "SCRAM-SHA-256", "user": "rex", "password": "wonder", "group.protocol": "consumer"}
    consumer = consumer_of(secured, name, who)
    consumer.subscribe([f"^{name}.*"])
    message = consumer.poll(SECONDS)
    assert (message.error(), message.topic()) == (None, name)
    described = admin.describe_consumer_groups([name])[name].result(SECONDS)
    assigned = [each.topic for member in described.members for each in member.assignment.topic_partitions]
    assert assigned == [name]
    consumer.close()


def test_rules_are_described_and_deleted_by_filters_and_outlast_the_broker(secured, name):
    admin = AdminClient(settings(secured))
    mine = [
        rule(ResourceType.TOPIC, name, "carol", AclOperation.READ),
        rule(ResourceType.TOPIC, f"{name}-2", "carol", AclOperation.WRITE),
    ]
    allow(admin, *mine)
    of_carol = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, "User:carol", None, AclOperation.ANY,
        AclPermissionType.ANY,
    )  # fmt: skip
    secured.restart()
    admin = AdminClient(settings(secured))
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            found = admin.describe_acls(of_carol).result(SECONDS)
            break
        except KafkaException:
            assert time.monotonic() < deadline
    assert sorted(found) == sorted(mine)
    (deleted,) = [future.result(SECONDS) for future in admin.delete_acls([of_carol]).values()]
    assert sorted(deleted) == sorted(mine)
    assert admin.describe_acls(of_carol).result(SECONDS) == []


def test_who_has_started_the_cloud_may_come_in_after_everything_was_forgotten(secured):
    async def forget():
        keys = secured.face.broker.keys
        await secured.face.silence()
        drops = [Drop(entry.key) for entry in keys.scan(*prefix_range(("kafka", "scram")))]
        assert drops
        await keys.commit(Commit(secured.face.broker.author("reset"), (), [], drops))
        secured.face.go_on()

    secured.call(forget)
    admin = AdminClient(settings(secured))
    assert admin.list_topics(timeout=SECONDS).brokers
    users = admin.describe_user_scram_credentials().result(SECONDS)
    assert list(users) == ["admin"]


def test_the_certificate_is_good_for_the_names_of_the_cloud(secured):
    context = ssl.create_default_context(cafile=secured.authority)
    with context.wrap_socket(
        socket.create_connection(("127.0.0.1", secured.port)), server_hostname="localhost"
    ) as client:
        assert client.version() in ("TLSv1.2", "TLSv1.3")


def test_every_api_of_an_unsecured_broker_is_guarded_in_a_secured_one():
    from cloudlet.kafka.dispatch import handlers
    from cloudlet.kafka.security.guard_table import GUARDS

    free = {17, 18, 36, 60, 71, 72}  # SASL, versions, the cluster's own description, telemetry: for everybody
    assert handlers().keys() - GUARDS.keys() == free
