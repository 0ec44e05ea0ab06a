"""A producer with the settings that people write down first; needs kafka-python.

eval "$(cloudlet env)"
python examples/kafka/producer.py 100
"""

import json
import os
import sys

from kafka import KafkaProducer

producer = KafkaProducer(
    bootstrap_servers=os.environ["KAFKA_BOOTSTRAP_SERVERS"],
    client_id="shop",
    key_serializer=str.encode,
    value_serializer=lambda value: json.dumps(value).encode(),
    acks="all",
)

for number in range(int(sys.argv[1])):
    order = {"number": number, "item": "coffee", "cups": number % 3 + 1}
    producer.send("orders", key=f"customer-{number % 10}", value=order)

producer.flush()
print(f"sent {sys.argv[1]} orders")
