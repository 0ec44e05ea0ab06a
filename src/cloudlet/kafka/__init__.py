"""The Kafka broker: roles over logs and keys."""
