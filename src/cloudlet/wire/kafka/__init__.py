"""Kafka's codecs."""
