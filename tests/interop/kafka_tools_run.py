"""Apache Kafka's own tools on a Java runtime: their class path, and a run of one."""

import pathlib
import shutil
import subprocess

import pytest

HERE = pathlib.Path(__file__).parent / "kafka_tools"
BUILD_SECONDS = 300
RUN_SECONDS = 120


def find_class_path(folder):
    """The class path of Kafka's tools; the test is skipped where Java or Maven is missing."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    file = folder / "classpath"
    command = ["mvn", "-q", "-B", "dependency:build-classpath", f"-Dmdep.outputFile={file}"]
    done = subprocess.run(
        command, cwd=HERE, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return file.read_text().strip()


def run_tool(class_path, name, *arguments):
    """What a tool prints; it must end well."""
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", class_path, f"org.apache.kafka.tools.{name}"]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout
