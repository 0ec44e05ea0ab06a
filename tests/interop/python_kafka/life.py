"""A topic's life with kafka-python 2: made, written, read by a group, described, deleted. Prints "ok"."""

import os

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic

TOPIC, GROUP = "old-life", "old-group"
address = os.environ["KAFKA_BOOTSTRAP_SERVERS"]

admin = KafkaAdminClient(bootstrap_servers=address)
admin.create_topics([NewTopic(TOPIC, 2, 1)])
admin.create_partitions({TOPIC: NewPartitions(3)})
(described,) = admin.describe_topics([TOPIC])
assert len(described["partitions"]) == 3, described
admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"retention.ms": "3600000"})])

for codec in (None, "gzip"):
    producer = KafkaProducer(bootstrap_servers=address, acks="all", compression_type=codec)
    for number in range(150):
        producer.send(TOPIC, key=b"k%d" % (number % 7), value=b"%s %d" % (str(codec).encode(), number))
    producer.flush()
    producer.close()


def read(count):
    consumer = KafkaConsumer(
        TOPIC,
        bootstrap_servers=address,
        group_id=GROUP,
        auto_offset_reset="earliest",
        consumer_timeout_ms=15_000,
    )
    seen = []
    for record in consumer:
        seen.append(record.value)
        if len(seen) == count:
            break
    consumer.commit()
    consumer.close()
    return seen


assert len(set(read(300))) == 300
offsets = admin.list_consumer_group_offsets(GROUP)
assert sum(each.offset for each in offsets.values()) == 300, offsets
assert (GROUP, "consumer") in admin.list_consumer_groups()
assert admin.describe_consumer_groups([GROUP])[0].state == "Empty"

seeking = KafkaConsumer(bootstrap_servers=address, group_id=None)
partition = TopicPartition(TOPIC, 0)
seeking.assign([partition])
seeking.seek_to_beginning(partition)
assert seeking.beginning_offsets([partition])[partition] == 0
assert seeking.end_offsets([partition])[partition] > 0
assert seeking.offsets_for_times({partition: 0})[partition].offset == 0
seeking.close()

admin.delete_consumer_groups([GROUP])
admin.delete_topics([TOPIC])
admin.close()
print("ok")
