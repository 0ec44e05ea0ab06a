"""A member of a consumer group with the settings that people write down first; needs kafka-python.

    eval "$(cloudlet env)"
    python examples/kafka/consumer.py          start it twice: the two share the partitions

It ends when nothing has come for ten seconds, or at Ctrl-C. Started again, it goes on where its group was.
"""

import json
import os

from kafka import KafkaConsumer

consumer = KafkaConsumer(
    "orders",
    bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    client_id="kitchen",
    group_id="kitchen",
    key_deserializer=lambda key: key and key.decode(),  # a record may have none
    value_deserializer=json.loads,
    enable_auto_commit=True,
    auto_commit_interval_ms=1000,
    auto_offset_reset="earliest",
    consumer_timeout_ms=int(os.environ.get("IDLE_MS", "10000")),
)

try:
    for record in consumer:
        order = record.value
        print(f"{record.partition}:{record.offset} {record.key} {order.get('item')} {order.get('number')}")
finally:
    consumer.close()  # commits, and leaves the group
