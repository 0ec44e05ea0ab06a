"""Which client speaks which versions of which API with the broker: docs/kafka-compatibility.md, from tests.

    python -m tools.kafka_compatibility

It runs the tests of stock clients, those of other languages too, each against brokers that note who asked
what and was answered, and writes the page anew. A client that is not installed has no column.
"""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections import defaultdict

from cloudlet.kafka.dispatch import handlers
from cloudlet.wire.kafka.apis import apis

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "kafka-compatibility.md"
TESTS = (
    "tests/kafka/test_clients.py",
    "tests/kafka/groups/test_group_clients.py",
    "tests/kafka/transactions/test_clients.py",
    "tests/kafka/security/test_clients.py",
    "tests/interop/test_kafka_clients.py",
    "tests/interop/test_kafka_java.py",
    "tests/interop/test_kafka_groups.py",
    "tests/interop/test_kafka_tools.py",
)
# What a client calls itself in ApiVersions, or, where it is too old for that, its client id.
CLIENTS = {
    "Java": r"apache-kafka-java (?P<version>\S+)",
    "librdkafka, by confluent-kafka": r"confluent-kafka-python (?P<version>\S+)-rdkafka.*",
    "librdkafka, by kcat": r"(?:librdkafka|kcat) (?P<version>\S+)",
    "kafka-python": r"kafka-python (?P<version>\S+)",
    "kafka-python 2": r"kafka-python-(?:producer-\d+|(?P<version>2\S+))",
    "aiokafka": r"aiokafka-(?:producer-\d+|admin-\d+|(?P<version>\d\S+))",
    "kafkajs": r"kafkajs()(?P<version>)",
    "franz-go": r"kgo (?P<version>\S+)",
}

HEAD = """# Kafka clients and the APIs that they speak

Written by `python -m tools.kafka_compatibility`, which runs the tests of these clients and notes what each
one asked and was answered. A cell holds the lowest and the highest version that was spoken, a dot that the
client's tests did not ask; the second column is what the broker serves.

"""


def spoken(folder: pathlib.Path) -> dict[str, dict[int, set[int]]]:
    """Client -> API -> versions."""
    found: dict[str, dict[int, set[int]]] = defaultdict(lambda: defaultdict(set))
    for path in folder.glob("*.json"):
        for key, version, said in json.loads(path.read_text(encoding="utf-8")):
            for client, pattern in CLIENTS.items():
                if re.fullmatch(pattern, said):
                    found[client][key].add(version)
    return found


def page(found: dict[str, dict[int, set[int]]]) -> str:
    """The whole page."""
    clients = [client for client in CLIENTS if client in found]
    lines = ["| API | served | " + " | ".join(clients) + " |", "|---|---|" + "---|" * len(clients)]
    for key in sorted(handlers()):
        api = apis()[key]
        cells = [span(found[client].get(key, set())) for client in clients]
        served = span({api.versions.first, api.versions.last})
        lines.append(f"| {key} {api.name} | {served} | " + " | ".join(cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


def span(versions: set[int]) -> str:
    if not versions:
        return "·"
    low, high = min(versions), max(versions)
    return str(low) if low == high else f"{low}–{high}"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="kafka-clients-") as folder:
        os.putenv("CLOUDLET_KAFKA_CLIENTS", folder)
        tests = [test for test in TESTS if (ROOT / test).exists()]
        command = [sys.executable, "-m", "pytest", "-q", "-m", "interop or not interop", *tests]
        subprocess.run(command, cwd=ROOT, check=False)
        PAGE.write_text(page(spoken(pathlib.Path(folder))), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
