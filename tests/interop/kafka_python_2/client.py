"""kafka-python 2: a topic's life and a group. Prints "ok"."""

import os

from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewPartitions, NewTopic

SERVERS = os.environ["KAFKA_BOOTSTRAP_SERVERS"]
TOPIC = "kafka-python-2"

admin = KafkaAdminClient(bootstrap_servers=SERVERS)
admin.create_topics([NewTopic(TOPIC, 2, 1)])
admin.create_partitions({TOPIC: NewPartitions(3)})
for codec in (None, "gzip"):
    producer = KafkaProducer(bootstrap_servers=SERVERS, acks="all", compression_type=codec)
    for number in range(50):
        producer.send(TOPIC, f"{codec}{number}".encode(), key=str(number).encode()).get(10)
    producer.close()
consumer = KafkaConsumer(
    TOPIC, bootstrap_servers=SERVERS, group_id="kafka-python-2", auto_offset_reset="earliest",
    consumer_timeout_ms=20_000,
)  # fmt: skip
seen = set()
for record in consumer:
    seen.add(record.value)
    if len(seen) == 100:
        break
consumer.commit()
assert sum(consumer.committed(place) or 0 for place in consumer.assignment()) == 100
consumer.close()
assert "kafka-python-2" in {group[0] for group in admin.list_consumer_groups()}
described = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC)])
assert described
admin.delete_topics([TOPIC])
admin.close()
print("ok")
