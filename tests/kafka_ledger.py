"""Which Kafka clients the suite has seen at work: client -> API -> versions that were answered.

A run that collects notes (tests/ledger.py) watches every broker of its own process. What it has seen is
added to docs/kafka-clients.json, and the page docs/kafka-clients.md is written from that.
"""

import json
import os
import pathlib
import re
import uuid

from cloudlet.kafka.answer import Answering
from cloudlet.wire.kafka.apis import apis
from cloudlet.wire.kafka.frames import read_front, read_header

LEDGER = pathlib.Path(__file__).parent.parent / "docs" / "kafka-clients.json"
SUFFIX = ".kafka"

NAMES = {
    "apache-kafka-java": "Java", "confluent-kafka-python": "confluent-kafka", "kgo": "franz-go",
}  # fmt: skip
BY_ID = {
    "kafka-python": "kafka-python 2", "aiokafka": "aiokafka", "kafkajs": "kafkajs", "kgo": "franz-go",
    "raw": "frames of the tests",
}  # fmt: skip
"""Clients that say who they are only by how their default client ids begin, or not on every connection."""


def watch(folder):
    """Note what clients have answered from now on; the result keeps the notes when it is called."""
    seen = set()
    answer = Answering.answer

    def watching(self, frame, peer):
        result = answer(self, frame, peer)
        key, version, _ = read_front(frame)
        api = apis().get(key)
        if api is not None and version in api.versions:
            name = client_of(peer, read_header(frame, is_flexible=api.is_flexible(version)).client_id)
            if name is not None:
                seen.add((name, api.name, version))
        return result

    Answering.answer = watching

    def keep():
        text = json.dumps(sorted(seen))
        pathlib.Path(folder, f"{uuid.uuid4().hex}{SUFFIX}").write_text(text, encoding="utf-8")

    return keep


def client_of(peer, client_id):
    """A client, with its first number where it tells one; None for one that does not say who it is."""
    name = peer.software_name
    if name not in ("", "kgo", "raw"):
        number = re.match(r"[^0-9]*([0-9]+)", peer.software_version)
        return f"{NAMES.get(name, name)} {number[1]}" if number else NAMES.get(name, name)
    return next((told for begin, told in BY_ID.items() if (client_id or "").startswith(begin)), None)


def merged(folder, known):
    """What was known and what a run has seen."""
    clients = {name: {api: set(versions) for api, versions in row.items()} for name, row in known.items()}
    for path in pathlib.Path(folder).glob(f"*{SUFFIX}"):
        for client, api, version in json.loads(path.read_text(encoding="utf-8")):
            clients.setdefault(client, {}).setdefault(api, set()).add(version)
    return {
        name: {api: sorted(versions) for api, versions in sorted(row.items())}
        for name, row in sorted(clients.items())
    }


def add(folder):
    """Add what a run has seen to the ledger."""
    known = json.loads(LEDGER.read_text(encoding="utf-8")) if LEDGER.exists() else {}
    LEDGER.write_text(json.dumps(merged(folder, known), indent=1) + os.linesep, encoding="utf-8")
