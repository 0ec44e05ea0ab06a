"""Consumer groups by Apache Kafka's own tools: its console consumer in both protocols, kafka-consumer-groups,
and the formatters of the records of __consumer_offsets."""

import json
import re

import pytest
from tests.interop.kafka_tools_run import find_class_path, run_tool
from tests.kafka.groups.test_group_clients import make_topic
from tests.kafka.running_broker import running_broker

pytestmark = pytest.mark.interop

CONSUMER = "consumer.ConsoleConsumer"
GROUPS = "consumer.group.ConsumerGroupCommand"


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    return find_class_path(tmp_path_factory.mktemp("maven"))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with running_broker(tmp_path_factory.mktemp("kafka"), offsets_topic_num_partitions=3) as broker:
        yield broker


@pytest.fixture
def tool(kafka, class_path):
    return lambda name, *words: run_tool(class_path, name, "--bootstrap-server", kafka.address, *words)


def consume(tool, group, protocol, topics, count):
    words = ["--group", group, "--from-beginning", "--max-messages", str(count), "--timeout-ms", "20000"]
    said = tool(CONSUMER, *topics, *words, "--command-property", f"group.protocol={protocol}")
    return sorted(int(line) for line in said.splitlines() if line.isdigit())


def rows(said):
    return [line.split() for line in said.splitlines() if line.strip() and not line.startswith("GROUP")]


def shown(tool, formatter):
    """The records of the internal topic as (key type, key, value)."""
    name = f"org.apache.kafka.tools.consumer.{formatter}"
    words = ["--topic", "__consumer_offsets", "--from-beginning", "--timeout-ms", "3000", "--formatter", name]
    said = tool(CONSUMER, *words)
    found = []
    for text in re.findall(r'\{"key":.*?(?=\{"key":|$|\n)', said):
        record = json.loads(text)
        found.append((record["key"]["type"], record["key"]["data"], record["value"]))
    return found


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_the_life_of_a_group(kafka, tool, protocol):
    topic, group = f"t-{protocol}", f"g-{protocol}"
    make_topic(kafka, topic, 2, messages=10)
    assert consume(tool, group, protocol, ["--topic", topic], 10) == list(range(10))
    assert [group, "Classic" if protocol == "classic" else "Consumer", "Empty"] in rows(
        tool(GROUPS, "--list", "--state", "--type")
    )
    described = rows(tool(GROUPS, "--describe", "--group", group))
    assert sorted(row[:6] for row in described) == [
        [group, topic, "0", "5", "5", "0"],
        [group, topic, "1", "5", "5", "0"],
    ]
    reset = ["--reset-offsets", "--group", group, "--topic", topic, "--to-earliest", "--execute"]
    assert sorted(rows(tool(GROUPS, *reset))) == [[group, topic, "0", "0"], [group, topic, "1", "0"]]
    assert consume(tool, group, protocol, ["--topic", topic], 10) == list(range(10))
    deleted = tool(GROUPS, "--delete-offsets", "--group", group, "--topic", f"{topic}:1")
    assert re.search(rf"{topic}\s+1\s+Successful", deleted)
    assert "successful" in tool(GROUPS, "--delete", "--group", group)
    assert group not in tool(GROUPS, "--list")


def test_a_regular_expression(kafka, tool):
    """KIP-848's own: the broker resolves it."""
    make_topic(kafka, "r-one", 1, messages=3)
    make_topic(kafka, "r-two", 1, messages=3)
    assert consume(tool, "g-regex", "consumer", ["--include", "r-.*"], 6) == [0, 0, 1, 1, 2, 2]


def test_the_internal_topic_is_read_by_its_formatters(kafka, tool):
    make_topic(kafka, "f", 1, messages=4)
    for protocol in ("classic", "consumer"):
        consume(tool, f"f-{protocol}", protocol, ["--topic", "f"], 4)
    offsets = {
        key["group"]: value["data"] for _, key, value in shown(tool, "OffsetsMessageFormatter") if value
    }
    assert offsets["f-classic"]["offset"] == offsets["f-consumer"]["offset"] == 4
    groups = shown(tool, "GroupMetadataMessageFormatter")
    classic = [value["data"] for kind, key, value in groups if kind == 2 and key["group"] == "f-classic"]
    assert any(each["members"] and each["protocol"] == "range" for each in classic)
    assert classic[-1]["members"] == []
