"""The snippets of docs/ that can be run, run as they are printed there."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest
from tests.cli.test_command_line import cloudlet_command, up, variables

import cloudlet

SOURCE = pathlib.Path(cloudlet.__file__).parents[1]
DOCS = SOURCE.parent / "docs"
BIN = pathlib.Path(sys.executable).parent
SECONDS = 120
HALF = re.compile(r"^\s*…$", re.MULTILINE)  # what the reader does meanwhile


def snippets(page, language=""):
    """The fenced blocks of a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)


def snippet(page, word, language=""):
    """The one in which a word stands."""
    (found,) = [text for text in snippets(page, language) if word in text]
    return found


def screen(page):
    """The indented screen of a page: a command, and what it prints."""
    text = re.search(r"^    \$ (.*?)\n\n", (DOCS / page).read_text(), re.DOTALL | re.MULTILINE)[1]
    return re.sub(r"^    ", "", text, flags=re.MULTILINE)


def surroundings(**more):
    return variables(PATH=f"{BIN}:{os.environ['PATH']}", **more)


def bash(script, environment, work, *, status=0):
    """What a script prints that ends at its first failure."""
    done = subprocess.run(
        ["bash", "-c", f"set -eo pipefail\n{script}"], env=environment, cwd=work, capture_output=True,
        text=True, check=False, timeout=SECONDS,
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """The environment of a reader who has started a cloud."""
    folder = tmp_path_factory.mktemp("docs") / "data"
    up(folder)
    lines = cloudlet_command("env", "--data", folder).stdout.splitlines()
    told = dict(shlex.split(line.removeprefix("export "))[0].split("=", 1) for line in lines)
    yield surroundings(
        CLOUDLET_DATA=str(folder), CLOUDLET_TOKEN=(folder / "token").read_text().strip(), **told
    )
    cloudlet_command("down", "--data", folder)


@pytest.mark.skipif(not shutil.which("etcdctl"), reason="etcdctl is not installed")
def test_etcd(tmp_path):
    told = bash(screen("etcd.md"), surroundings(), tmp_path).splitlines()
    assert told[:3] == ["OK", "greeting", "hello"]
    assert json.loads(told[3])["kvs"][0]["key"] == "Z3JlZXRpbmc="


def test_zookeeper(tmp_path):
    command, _, printed = screen("zookeeper.md").rpartition("\n")
    assert bash(command, surroundings(), tmp_path).strip() == printed


def test_a_pipeline_of_several_steps(tmp_path):
    """Of GitHub Actions: its steps hand variables over in a file."""
    (step,) = re.findall(
        r"run: pip install cloudlet && (cloudlet up .*)", (DOCS / "containers.md").read_text()
    )
    file = tmp_path / "github.env"
    environment = surroundings(
        GITHUB_ENV=str(file), CLOUDLET_DATA=str(tmp_path / "data"), CLOUDLET_UP_PORTS="auto"
    )
    try:
        bash(step, environment, tmp_path)
        told = dict(line.split("=", 1) for line in file.read_text().splitlines())
        assert {"AWS_ENDPOINT_URL", "AWS_REGION", "KAFKA_BOOTSTRAP_SERVERS", "ETCDCTL_ENDPOINTS"} <= set(told)
        said = json.loads(bash("cloudlet status --json", environment, tmp_path))
        assert told["AWS_ENDPOINT_URL"] == said["endpoints"]["aws"]
    finally:
        bash("cloudlet down", environment, tmp_path)


def test_waiting_for_the_environment(running, tmp_path):
    script = snippet("cli.md", "until eval", "sh") + "\necho $AWS_ENDPOINT_URL"
    without = {name: value for name, value in running.items() if not name.startswith("AWS_")}
    assert bash(script, without, tmp_path).strip() == running["AWS_ENDPOINT_URL"]


def test_control_verbs(tmp_path):
    told = bash(snippet("cli.md", "curl", "sh"), surroundings(), tmp_path)
    assert json.loads(told)["ephemeral"]


def test_the_init_file(tmp_path):
    (tmp_path / "shop.toml").write_text(snippet("cli.md", "[[topics]]", "toml"))
    script = (
        """cloudlet run --init shop.toml -- sh -c 'cloudlet keys list sqs; cloudlet kafka topics --json'"""
    )
    told = bash(script, surroundings(), tmp_path)
    assert {"orders", "orders-dead", "ledger.fifo"} <= set(re.findall(r"sqs/\S+/queue/(\S+)", told))
    assert {"topic": "events", "partitions": 3, "records": 0} in json.loads(told.splitlines()[-1])


@pytest.mark.skipif(not shutil.which("etcdctl"), reason="etcdctl is not installed")
def test_tls(running, tmp_path):
    script = snippet("cli.md", "--cacert", "sh").replace("DATA/", f"{running['CLOUDLET_DATA']}/")
    script = script.replace("2379", running["ETCDCTL_ENDPOINTS"].rpartition(":")[2])
    lines = bash(f"etcdctl put greeting hello\n{script}", running, tmp_path).splitlines()
    assert lines == [
        "OK", "greeting", "hello",
        *(f"{running['CLOUDLET_DATA']}/tls/clients/alice.{kind}" for kind in ("pem", "key")),
        "greeting", "hello",
    ]  # fmt: skip


def test_time(running, tmp_path):
    text = snippet("time.md", "urllib.request", "python")
    (tmp_path / "moves.py").write_text(f"import json, os, urllib.request\n{text}")
    commands = re.findall(r"^\$ (.*)", snippet("time.md", "$ cloudlet", "console"), re.MULTILINE)
    script = "python moves.py\ncloudlet clock show\n" + "\n".join(commands)
    told = re.findall(r"^(ahead|state) +(.*)", bash(script, running, tmp_path), re.MULTILINE)
    assert told[:4] == [("ahead", "8d"), ("state", "running"), ("ahead", "16d"), ("state", "running")]
    assert [value for name, value in told[4:] if name == "state"] == ["frozen", "frozen", "running"]


def test_checkpoints(running, tmp_path):
    script = HALF.sub("cloudlet kafka topics create meanwhile", snippet("checkpoints.md", "diff before"))
    told = bash(script, running, tmp_path).splitlines()
    assert told[0].startswith("before-migration: revision ")
    assert told[-1].startswith("before-migration is restored, at revision ")
    assert "meanwhile" not in bash("cloudlet kafka topics", running, tmp_path)


def test_faults(running, tmp_path):
    lines = snippet("faults.md", "cloudlet fault lift").splitlines()
    assert len(lines) == 9
    for line in lines:
        names_one = re.search(r"-expire (\w+)", line)
        bash(line, running, tmp_path, status=6 if names_one else 0)
        assert names_one is None or len(names_one[1].removeprefix("0x")) <= 16  # digits of 64 bits
    in_force = json.loads(bash("cloudlet fault", running, tmp_path))
    assert not any(any(face.values()) for face in in_force.values())


def test_kafka(running, tmp_path):
    script = snippet("kafka.md", "cloudlet kafka consume").replace("cloudlet up -d ", ": ")
    script = re.sub(r"(cloudlet kafka consume \w+) -f", r"timeout 3 \1 -f || [ $? = 124 ]", script)
    told = bash(script, running, tmp_path).splitlines()
    assert told[0] == "drinks: 3 partitions"
    assert '{"item": "coffee"}' in told
    assert told[-1].split() == ["group", "state", "type"]


def test_a_cloud_without_pytest(tmp_path):
    (tmp_path / "alone.py").write_text(snippet("testing.md", "with cloud()", "python"))
    told = bash("python alone.py", surroundings(), tmp_path)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+\n", told)


def test_a_suite_that_starts_containers_gets_the_cloud_that_is_there(tmp_path):
    (tmp_path / "services_here.py").write_text(snippet("migrating.md", "docker_services", "python"))
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_it.py").write_text(
        "import boto3\n"
        "def test_it(docker_ip, docker_services):\n"
        "    url = 'http://%s:%d' % (docker_ip, docker_services.port_for('elasticmq', 9324))\n"
        "    assert boto3.client('sqs', endpoint_url=url).list_queues()\n"
    )
    script = snippet("migrating.md", "-p services_here\n", "sh")
    script = script.replace("PYTHONPATH=.", f"PYTHONPATH=.:{shlex.quote(str(SOURCE))}")
    assert "1 passed" in bash(script, surroundings(), tmp_path)
