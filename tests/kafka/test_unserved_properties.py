"""What a broker is not started with, though Kafka knows it."""

import pytest

from cloudlet.cli.start import check_kafka
from cloudlet.kafka.configs import InvalidConfig, broker_definitions
from cloudlet.kafka.unserved_properties import AUTHORIZER, UNSERVED, default_of, refuse_unserved


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("create.topic.policy.class.name", "com.example.Strict", "classes of Java's are not loaded"),
        ("authorizer.class.name", "com.example.Mine", "classes of Java's are not loaded"),
        ("config.providers", "file", "classes of Java's are not loaded"),
        ("security.inter.broker.protocol", "SSL", "there is one broker"),
        ("log.dirs", "/var/lib/kafka", "--data"),
        ("ssl.keystore.location", "/etc/keys.p12", "--kafka-security"),
        ("sasl.enabled.mechanisms", "PLAIN", "--kafka-security"),
        ("broker.id", "7", "there is one broker, number 1"),
        ("process.roles", "controller", "there is one broker"),
        ("remote.log.storage.system.enable", "true", "no tiered storage"),
        ("delegation.token.secret.key", "x", "no delegation tokens"),
    ],
)
def test_a_promise_that_nobody_would_keep_is_refused_by_name(name, text, why):
    with pytest.raises(InvalidConfig, match=f"^{name} is not served: .*{why}"):
        check_kafka(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("authorizer.class.name", AUTHORIZER),
        ("broker.id", "1"),
        ("node.id", "1"),
        ("process.roles", "broker, controller"),
        ("log.cleaner.enable", "false"),
        ("listeners", "PLAINTEXT://:9999"),
        ("remote.log.storage.system.enable", "false"),
        ("config.providers", ""),
        ("num.network.threads", "9"),
        ("log.dirs.are.not.this", "x"),
    ],
)
def test_what_is_so_anyway_and_what_is_of_speed_is_taken(name, text):
    refuse_unserved({name: text})


def test_every_default_of_kafkas_is_taken():
    """Somebody may write down what holds anyway."""
    names = broker_definitions()
    refuse_unserved({name: default_of(name) or "" for name in names})
    for pattern, _, _ in UNSERVED:
        assert any(map(pattern.fullmatch, names)), pattern.pattern
