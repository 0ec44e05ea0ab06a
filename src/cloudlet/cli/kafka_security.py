"""What the clients of a secured Kafka broker are configured with.

State   none
Source  docs/kafka-security.md
Absent  none
"""

from __future__ import annotations

from pathlib import Path

ADMIN = "admin"


def client_properties(data: Path, address: str) -> str:
    """The properties for the Java clients, librdkafka (confluent-kafka, kcat) and kafka-python."""
    password = (data / "token").read_text(encoding="ascii").strip()
    authority = data / "tls" / "ca.pem"
    module = "org.apache.kafka.common.security.scram.ScramLoginModule"
    return f"""
# Java (kafka-console-consumer.sh --consumer.config FILE …)
bootstrap.servers={address}
security.protocol=SASL_SSL
sasl.mechanism=SCRAM-SHA-512
sasl.jaas.config={module} required username="{ADMIN}" password="{password}";
ssl.truststore.type=PEM
ssl.truststore.location={authority}

# librdkafka (confluent-kafka, kcat -F FILE)
bootstrap.servers={address}
security.protocol=SASL_SSL
sasl.mechanisms=SCRAM-SHA-512
sasl.username={ADMIN}
sasl.password={password}
ssl.ca.location={authority}

# kafka-python
bootstrap_servers="{address}", security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512",
sasl_plain_username="{ADMIN}", sasl_plain_password="{password}", ssl_cafile="{authority}"
"""
