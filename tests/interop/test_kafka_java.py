"""The Java examples of a producer and of a consumer group, with the client that Kafka's own project makes.

Needs a Java 17 runtime and Maven; the artifacts come from Maven's repository.
"""

import os
import pathlib
import shutil
import subprocess

import pytest
from tests.shell.whole_cloud import whole_cloud

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "kafka" / "java"
BUILD_SECONDS = 300
RUN_SECONDS = 60

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def class_path(tmp_path_factory):
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    folder = tmp_path_factory.mktemp("maven") / "java"
    shutil.copytree(EXAMPLES, folder)
    command = ["mvn", "-q", "-B", "compile", "dependency:build-classpath", "-Dmdep.outputFile=classpath"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return f"{folder / 'target' / 'classes'}:{(folder / 'classpath').read_text().strip()}"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    with whole_cloud(tmp_path_factory.mktemp("data"), only=("kafka",)) as cloud:
        yield os.environ | {"KAFKA_BOOTSTRAP_SERVERS": cloud.cloud.endpoints["kafka"]}


@pytest.mark.parametrize("protocol", [[], ["consumer"]], ids=["classic", "consumer"])
def test_a_group_reads_what_was_sent_and_goes_on_where_it_was(class_path, environment, protocol):
    def run(name, *arguments):
        command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, name, *arguments]
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()

    assert run("OrderProducer", "100") == ["sent 100 orders"]
    first = run("OrderConsumer", "4000", *protocol)
    numbers = {int(line.split()[-1]) for line in first}
    assert numbers == set(range(100))
    run("OrderProducer", "10")
    assert {int(line.split()[-1]) for line in run("OrderConsumer", "4000", *protocol)} == set(range(10))
