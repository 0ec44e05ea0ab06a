"""Share groups by Kafka's own Java client, its Admin, and its tools.

What the Java program says was said by Apache Kafka 4.3 too, but for where a group is told to be that has
acknowledged all: there Kafka tells the start of the write before. Needs a Java 17 development kit and Maven;
the artifacts come from Maven's repository.
"""

import subprocess

import pytest
from tests.interop.kafka_tools_run import HERE, find_class_path, run_tool
from tests.kafka.groups.test_group_clients import make_topic
from tests.kafka.running_broker import running_broker
from tests.kafka.share.test_share_calls import configure
from tests.kafka.share.test_share_clients import fill

pytestmark = pytest.mark.interop

JAVA_SECONDS = 240  # it sits locks and polls out
GROUPS = "consumer.group.ShareGroupCommand"
CONSOLE = "consumer.ConsoleShareConsumer"
FORMATTER = "org.apache.kafka.tools.consumer.group.share.ShareGroupStateMessageFormatter"
SAID = {
    "implicit": "true again 0 then [300, 301, 302, 303, 304, 305, 306, 307, 308, 309]",
    "explicit": "20 true {0=2, 4=2, 8=2, 12=2, 16=2} left 0",
    "together": "1000 once true by [1, 2]",
    "timeout": "[0, 1, 2, 3, 4] {0=2, 1=2, 2=2, 3=2, 4=2} late [none]",
    "limit": "[1, 2, 3, 4, 5]",
    "renew": "1 stolen 0 true left 0",
    "exact": "[10, 10, 5]",
    "committed": "[0, 2, 4, 6, 8] more 0",
    "latest": "[5, 6, 7]",
    "admin": "Stable 1, 2, GroupNotEmptyException, 1, at 10 lag 0, at 3 lag 7, [3, 4, 5, 6, 7, 8, 9], "
    "at none, GroupIdNotFoundException",
}


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    return find_class_path(tmp_path_factory.mktemp("maven"))


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    settings = {
        "group_share_min_heartbeat_interval_ms": 200,
        "group_share_heartbeat_interval_ms": 200,
        "group_share_min_record_lock_duration_ms": 1000,
        "offsets_topic_num_partitions": 3,
        "share_coordinator_state_topic_num_partitions": 3,
    }
    with running_broker(tmp_path_factory.mktemp("kafka"), **settings) as broker:
        yield broker


@pytest.fixture
def tool(kafka, class_path):
    return lambda name, *words: run_tool(class_path, name, "--bootstrap-server", kafka.address, *words)


@pytest.fixture
def say(kafka, class_path):
    def run(*words):
        """What the Java program says: step -> the rest of its line."""
        source = HERE / "ShareConsumers.java"
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, str(source), kafka.address, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=JAVA_SECONDS, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        lines = (line.partition(" ") for line in done.stdout.splitlines())
        return {step: said for step, _, said in lines if step in words}

    return run


def test_the_java_client_is_told_what_kafka_tells_it(say):
    assert say("p", *SAID) == SAID


def test_after_a_restart_the_rest_is_left(kafka, say):
    assert say("q", "begin") == {"begin": "100"}
    kafka.restart()
    assert say("q", "resume") == {"resume": "40 true delivered [2]"}


def table(said):
    """The rows of a tool's table, as lists of words."""
    return [line.split() for line in said.splitlines() if line.strip()]


def test_the_tools(kafka, tool):
    name = "tools"
    make_topic(kafka, name, 1)
    configure(kafka, name, share_auto_offset_reset="earliest")
    fill(kafka.client(), name, 0, 10)
    said = tool(CONSOLE, "--topic", name, "--group", name, "--max-messages", "10", "--timeout-ms", "20000")
    assert said.split() == [str(number) for number in range(10)]
    assert name in tool(GROUPS, "--list").split()
    assert [name, "Empty"] in [row[:1] + row[-1:] for row in table(tool(GROUPS, "--list", "--state"))]
    rows = table(tool(GROUPS, "--describe", "--group", name, "--offsets"))
    assert [name, name, "0", "10", "0"] in [row[:5] for row in rows]
    group = ("--group", name, "--topic", name)
    tool(GROUPS, "--reset-offsets", *group, "--to-earliest", "--execute")
    rows = table(tool(GROUPS, "--describe", "--group", name))
    assert [name, name, "0", "0", "10"] in [row[:5] for row in rows]
    assert "Successful" in tool(GROUPS, "--delete-offsets", *group)
    assert "successful" in tool(GROUPS, "--delete", "--group", name)
    assert name not in tool(GROUPS, "--list").split()
    records = tool(
        "consumer.ConsoleConsumer", "--topic", "__share_group_state", "--from-beginning",
        "--timeout-ms", "3000", "--formatter", FORMATTER,
    )  # fmt: skip
    assert f'"groupId":"{name}"' in records
    features = tool("FeatureCommand", "describe")
    assert any(
        "share.version" in line and "FinalizedVersionLevel: 1" in line for line in features.splitlines()
    )
