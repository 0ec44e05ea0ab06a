"""The command line as scripts use it: real processes, free ports, folders of their own."""

import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import urllib.request

import boto3
import pytest

import cloudlet

SOURCE = pathlib.Path(cloudlet.__file__).parent.parent
SECONDS = 60


def variables(**more):
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDLET", "AWS_"))}
    return {**clean, "PYTHONPATH": str(SOURCE), **more}


def cloudlet_command(*words, **more):
    return subprocess.run(
        [sys.executable, "-m", "cloudlet", *map(str, words)],
        env=variables(**more), capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip


def python(script):
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=variables(), capture_output=True, text=True, check=True)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    yield folder
    cloudlet_command("down", "--data", folder)


def up(data, *words):
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", data, *words)
    assert done.returncode == 0, done.stderr
    return json.loads(cloudlet_command("status", "--json", "--data", data).stdout)


def client(said, service="sts"):
    return boto3.client(
        service, endpoint_url=said["endpoints"]["aws"], region_name="us-east-1", aws_access_key_id="test",
        aws_secret_access_key="test",
    )  # fmt: skip


def test_up_says_what_listens_where_and_down_ends_it(data):
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", data)
    assert done.returncode == 0, done.stderr
    lines = dict(line.split(None, 1) for line in done.stdout.splitlines())
    assert lines["aws"].startswith("http://127.0.0.1:")
    assert lines["data"] == str(data)
    assert "ready" in lines
    with urllib.request.urlopen(f"{lines['aws']}/_cloudlet/health") as reply:
        assert json.load(reply)["services"]["sts"] == "running"
    assert cloudlet_command("down", "--data", data).returncode == 0
    assert cloudlet_command("status", "--data", data).returncode == 1
    assert cloudlet_command("down", "--data", data).returncode == 1


def test_a_second_up_says_who_holds_the_folder(data):
    said = up(data)
    second = cloudlet_command("up", "-d", "--ports", "auto", "--data", data)
    assert second.returncode == 3
    assert str(said["pid"]) in second.stderr
    assert said["endpoints"]["aws"] in second.stderr


def test_ports_stay_the_same_and_both_loopbacks_listen(data):
    first = up(data)
    port = int(first["endpoints"]["aws"].rpartition(":")[2])
    if socket.has_ipv6:
        with urllib.request.urlopen(f"http://[::1]:{port}/_cloudlet/health") as reply:
            assert reply.status == 200
    cloudlet_command("down", "--data", data)
    assert up(data)["endpoints"] == first["endpoints"]


def test_a_killed_cloud_leaves_nothing_in_the_way(data):
    said = up(data)
    os.kill(said["pid"], signal.SIGKILL)
    while cloudlet_command("status", "--data", data).returncode == 0:
        pass
    assert cloudlet_command("env", "--data", data).returncode == 1
    again = up(data)
    assert again["pid"] != said["pid"]
    assert client(again).get_caller_identity()["Account"] == "000000000000"


def test_a_taken_port_is_named_with_the_flag_that_helps(data):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        data.mkdir()
        (data / "format").write_text("1\n")
        (data / "ports.json").write_text(json.dumps({"aws": taken.getsockname()[1]}))
        port = taken.getsockname()[1]
        done = cloudlet_command("up", "-d", "--ports", "auto", "--data", data)
    assert done.returncode == 4
    assert f"Port {port}" in done.stderr
    assert "--ports auto" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--brokers", "3"],
        ["--kafka", "a=b"],
        ["--kafka", "num.partitions=x"],
        ["--kafka", "num.partitions"],
        ["--etcd", "nosuch=1"],
        ["--etcd", "election-timeout=soon"],
        ["--etcd", "election-timeout"],
        ["--zookeeper", "dataDir=/tmp"],
        ["--zookeeper", "tickTime=soon"],
        ["--zookeeper", "enforce.auth.enabled=true"],
        ["--keys", "etcd://x"],
        ["--logs", "kafka://x"],
        ["--blobs", "s3://x"],
        ["--init", "x"],
        ["--only", "consul"],
        ["--only", "nonsense"],
        ["--account", "12"],
        ["--nonsense"],
    ],
)
def test_what_is_not_there_is_refused_by_name(tmp_path, words):
    done = cloudlet_command("up", "--data", tmp_path / "data", *words)
    assert done.returncode == 2
    assert words[0] in done.stderr


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("x")
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", tmp_path)
    assert done.returncode == 3
    assert "precious" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in ("lock", "log")) == [
        "precious"
    ]


def test_a_newer_format_is_refused(tmp_path):
    (tmp_path / "format").write_text("99\n")
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", tmp_path)
    assert (done.returncode, "format 99" in done.stderr) == (3, True)


def test_env_is_read_by_a_shell(data):
    assert cloudlet_command("env", "--data", data).stdout == ""
    said = up(data, "--region", "eu-west-3")
    lines = cloudlet_command("env", "--data", data).stdout
    script = f'{lines}\necho "$AWS_ENDPOINT_URL $AWS_REGION $AWS_DEFAULT_REGION $AWS_ACCESS_KEY_ID"'
    echoed = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert echoed == [said["endpoints"]["aws"], "eu-west-3", "eu-west-3", "test"]


def test_run_gives_a_command_a_cloud_of_its_own():
    script = "import boto3; print(boto3.client('sts').get_caller_identity()['Account'])"
    done = cloudlet_command("run", "--account", "111122223333", "--", sys.executable, "-c", script)
    assert (done.returncode, done.stdout.strip()) == (0, "111122223333"), done.stderr


def test_run_gives_its_command_the_token_of_the_control_verbs(data):
    script = (
        "import json, os, urllib.request as u; url = os.environ['CLOUDLET_URL'] + '/_cloudlet/status'; "
        "r = u.Request(url, headers={'x-cloudlet-token': os.environ['CLOUDLET_TOKEN']}); "
        "print(json.load(u.urlopen(r))['ephemeral'])"
    )
    done = cloudlet_command("run", "--", sys.executable, "-c", script)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_the_token_is_the_owners_and_stays(data):
    up(data)
    token = data / "token"
    kept = token.read_text()
    assert token.stat().st_mode & 0o777 == 0o600
    assert len(kept) > 40
    assert cloudlet_command("down", "--data", data).returncode == 0
    up(data)
    assert token.read_text() == kept


def test_run_passes_the_exit_status_on():
    assert cloudlet_command("run", "--", "sh", "-c", "exit 7").returncode == 7
    assert cloudlet_command("run", "--", "sh", "-c", "kill -9 $$").returncode == 137
    assert cloudlet_command("run", "--", "no-such-command-here").returncode == 127


@pytest.mark.parametrize("start", ["", "trap '' INT;"])  # as a script's `&` does
def test_in_the_foreground_a_signal_stops_it(data, start):
    words = [sys.executable, "-m", "cloudlet", "up", "--ports", "auto", "--data", str(data)]
    command = ["sh", "-c", f"{start} exec {shlex.join(words)}"]
    environment = variables(PYTHONUNBUFFERED="1")
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if line.startswith("ready in"):
                break
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    assert not (data / "run.json").exists()


def test_the_environment_speaks_too(data):
    chosen = {"CLOUDLET_DATA": str(data), "CLOUDLET_UP_PORTS": "auto", "CLOUDLET_UP_ACCOUNT": "999988887777"}
    done = cloudlet_command("up", "-d", **chosen)
    assert done.returncode == 0, done.stderr
    said = json.loads(cloudlet_command("status", "--json", "--data", data).stdout)
    assert client(said).get_caller_identity()["Account"] == "999988887777"


def test_logs_shows_what_was_logged(data):
    up(data)
    assert cloudlet_command("logs", "--data", data).returncode == 0
    assert cloudlet_command("logs", "--data", data / "nowhere").returncode == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell):
    done = cloudlet_command("completion", shell)
    assert (done.returncode, "_CLOUDLET_COMPLETE" in done.stdout) == (0, True)


def test_the_package_imports_nothing_by_itself():
    script = "import sys; import cloudlet; print(sorted(n for n in sys.modules if n.startswith('cloudlet')))"
    done = python(script)
    assert done.stdout.strip() == "['cloudlet']"


def test_a_cloud_never_imports_botocore():
    script = (
        "import sys, cloudlet.shell.cloud, cloudlet.services.sts.service; print('botocore' in sys.modules)"
    )
    done = python(script)
    assert done.stdout.strip() == "False"
