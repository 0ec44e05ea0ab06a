"""Run the integration tests of Kafka's Python clients, unchanged, against a broker of this source: what
docs/kafka-suites.md tells of.

    python -m tools.kafka_suites                                 kafka-python, whose release brings its tests
    python -m tools.kafka_suites confluent-kafka --from DIR      a checkout of confluent-kafka-python
    python -m tools.kafka_suites confluent-kafka-848 --from DIR  the same, its consumers by KIP-848
    python -m tools.kafka_suites --address HOST:PORT NAME …      against a broker that runs already

A failure that its entry does not explain ends this with status 1; so does one that it explains and that no
longer happens.
"""

from __future__ import annotations

import argparse
import pathlib
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.suites import ROOT, Suite, parser_of, read, run, run_chosen, unpacked

# What kafka-python's release leaves out of its tests, and what they need of it: its repository starts and
# stops brokers there, which is not wanted where one runs already.
SERVICE = """
class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port

    def open(self): ...
    def close(self): ...
    def dump_logs(self): ...
    def wait_for(self, pattern, timeout=30): ...


class SpawnedService:
    def __init__(self, *arguments, **options):
        raise RuntimeError("no broker of its own is started here")
"""
# Their tests of access control lists want rules to be kept, and themselves to be let through.
AUTHORIZER = (
    "--kafka authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    " --kafka super.users=User:ANONYMOUS"
)
OWN_BROKER = "wants a broker of its own, from an unpacked release of Kafka, with TLS on its only port"


@dataclass(frozen=True)
class KafkaSuite(Suite):
    """A suite, and what it is given beside its source; `variables` may name {address}."""

    files: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()  # of pytest
    is_installed: bool = False  # the client comes as a wheel, beside a checkout that has only the tests


SUITES = (
    KafkaSuite(
        "kafka-python",
        "kafka-python",
        "3.0.12",
        ("pytest", "pytest-mock", "pytest-timeout", "py", "crc32c", "lz4", "python-snappy", "zstandard"),
        ("test/integration",),
        is_released=True,
        # as servers/resources/default/kafka.properties of its repository sets them, and its fixture asks
        flags=f"--kafka num.partitions=4 --kafka group.min.session.timeout.ms=1000 {AUTHORIZER}",
        files={"test/__init__.py": "", "test/service.py": SERVICE},
        variables={"KAFKA_URI": "kafka://{address}", "KAFKA_VERSION": "4.3.0", "KAFKA_ROOT": "."},
        explained={
            "test_create_partitions": "places replicas on broker 0; brokers count from 1 here",
            "TestSSLConnection::test_ssl_handshake": OWN_BROKER,
            "TestSSLConnection::test_legacy_kafka_client_ssl": OWN_BROKER,
        },
    ),
    *(
        KafkaSuite(
            name,
            "confluent-kafka[schemaregistry,avro,json,protobuf]",
            "2.16.1",
            ("pytest", "pytest-timeout", "pytest-asyncio", "trivup"),
            ("tests/integration/admin", "tests/integration/consumer", "tests/integration/producer"),
            flags=AUTHORIZER,
            variables={"BROKERS": "{address}", "TEST_CONSUMER_GROUP_PROTOCOL": protocol},
            # Its cluster of its own, with SASL, would be fetched from the net.
            options=("-o", "asyncio_mode=auto", "-k", "not sasl_cluster"),
            is_installed=True,
        )
        for name, protocol in (("confluent-kafka", "classic"), ("confluent-kafka-848", "consumer"))
    ),
)


def prepared(suite: KafkaSuite, source: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A Python that has the client and what its tests need."""
    python = folder / "venv" / "bin" / "python"
    venv.create(folder / "venv", with_pip=True)
    client = f"{suite.project}=={suite.version}" if suite.is_installed else str(source)
    run([python, "-m", "pip", "install", "-q", client, *suite.packages])
    for name, text in suite.files.items():
        path = source / name
        if not path.exists():
            path.write_text(text, encoding="utf-8")
    return python


def outcome(
    suite: KafkaSuite, source: pathlib.Path, folder: pathlib.Path, address: str | None
) -> Mapping[str, str]:
    """Test -> passed, failed or skipped."""
    python = prepared(suite, source, folder)
    report = folder / "report.xml"
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short", "--show-capture=no"]
    pytest += [
        "--timeout=300",
        "--timeout-method=signal",
        f"--junit-xml={report}",
        *suite.options,
        *suite.tests,
    ]
    asked = address or "$KAFKA_BOOTSTRAP_SERVERS"
    words = " ".join(
        [
            f"cd {source};",
            "unset PYTHONPATH;",
            *(f"{name}={value.format(address=asked)}" for name, value in suite.variables.items()),
            *(f"'{word}'" for word in pytest),
        ]
    )
    shell = ["sh", "-c", words]
    if address is None:
        shell = [
            sys.executable,
            "-m",
            "cloudlet",
            "run",
            "--only",
            "kafka",
            *suite.flags.split(),
            "--",
            *shell,
        ]
    subprocess.run(shell, cwd=ROOT, check=False)
    return read(report)


def main(arguments: Sequence[str]) -> int:
    def run_one(suite: KafkaSuite, folder: pathlib.Path, chosen: argparse.Namespace) -> Mapping[str, str]:
        if chosen.checkout:
            source = folder / "source"
            shutil.copytree(chosen.checkout / "tests", source / "tests")
        else:
            source = unpacked(suite, folder)
        return outcome(suite, source, folder, chosen.address)

    parser = parser_of(__doc__, SUITES)
    parser.add_argument("--address", help="HOST:PORT of a broker that runs already")
    return run_chosen(parser, arguments, SUITES, run_one)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
