"""The Kafka examples as their readers run them: processes of their own, against a cloud of their own."""

import json
import os
import pathlib
import signal
import subprocess
import sys

import pytest
from tests.shell.whole_cloud import whole_cloud

import cloudlet

SOURCE = pathlib.Path(cloudlet.__file__).parents[1]
EXAMPLES = SOURCE.parent / "examples" / "kafka"
SECONDS = 60


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    with whole_cloud(tmp_path_factory.mktemp("data"), only=("kafka",)) as cloud:
        yield os.environ | {"KAFKA_BOOTSTRAP_SERVERS": cloud.cloud.endpoints["kafka"], "IDLE_MS": "3000"}


def run(environment, name, *arguments):
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def numbers(lines):
    return sorted(int(line.split()[-1]) for line in lines)


def test_a_group_reads_what_was_sent_and_goes_on_where_it_was(environment):
    assert run(environment, "producer.py", "100") == ["sent 100 orders"]
    assert numbers(run(environment, "consumer.py")) == list(range(100))
    run(environment, "producer.py", "10")
    assert numbers(run(environment, "consumer.py")) == list(range(10))


def test_guarantees_hold_when_the_worker_or_the_broker_is_killed():
    """Which of them loses and which repeats is certain when the worker dies at its worst instant; when the
    broker dies, only what each promises is."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "delivery_under_fire.py")],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=4 * SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, output + errors
    found = {(each["guarantee"], each["killed"]): each for each in map(json.loads, output.splitlines())}
    assert len(found) == 6

    def told(guarantee, killed):
        return found[guarantee, killed]["missing"], found[guarantee, killed]["twice"]

    assert told("at-most-once", "worker") == (1, 0)
    assert told("at-least-once", "worker") == (0, 1)
    assert told("exactly-once", "worker") == (0, 0)
    assert told("at-most-once", "broker")[1] == 0
    assert told("at-least-once", "broker")[0] == 0
    assert told("exactly-once", "broker") == (0, 0)
