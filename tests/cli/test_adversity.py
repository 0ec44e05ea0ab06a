"""What the command line says and does when something is in its way: a full disk, a signal, a closed pipe."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner
from tests.cli.test_command_line import SECONDS, cloudlet_command, up, variables

from cloudlet.cli import start
from cloudlet.cli.main import main
from cloudlet.kernel.fault import Damaged, NoSpace
from cloudlet.shell import cloud as shell_cloud
from cloudlet.shell.folder import is_held

CLOUDLET = [sys.executable, "-m", "cloudlet"]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A cloud that none of its users changes."""
    folder = tmp_path_factory.mktemp("clouds") / "data"
    up(folder)
    cloudlet_command("kafka", "topics", "create", "t", "--data", folder)
    cloudlet_command("checkpoint", "save", "logged", "--data", folder)
    yield folder
    cloudlet_command("down", "--data", folder)


@contextlib.contextmanager
def under_way(*words, **more):
    """A command of its own process group, as a shell starts it."""
    process = subprocess.Popen(
        [*CLOUDLET, *map(str, words)], env=variables(PYTHONUNBUFFERED="1"), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, **more,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdout, process.stderr):
            stream.close()
        process.wait(SECONDS)


def until(condition):
    """Wait for it, as long as a slow machine may need."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("words", [["up", "-d"], ["up"]])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, words):
    (tmp_path / "file").write_text("x")
    done = cloudlet_command(*words, "--ports", "auto", "--data", tmp_path / "file" / "data")
    assert done.returncode == 5
    assert done.stderr.startswith("cloudlet: The cloud cannot start: ")
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoSpace("keys"), "the disk of {data} is full"),
        (Damaged("/some/log: sums differ"), "/some/log: sums differ"),
        (PermissionError(13, "Permission denied"), "{data}: Permission denied"),
        (PermissionError(13, "Permission denied", "/some/file"), "/some/file: Permission denied"),
    ],
)
def test_why_a_cloud_cannot_start_is_told_in_a_line(tmp_path, monkeypatch, capsys, error, said):
    def refuse(*_):
        raise error

    monkeypatch.setattr(shell_cloud, "serve_cloud", refuse)
    flags = {"only": None, "account": "000000000000", "ports": "auto"}
    assert start.up(start.settings(tmp_path, ephemeral=False, **flags)) == 5
    line = capsys.readouterr().err
    assert line == f"cloudlet: The cloud cannot start: {said.format(data=tmp_path)}\n"


def test_without_a_home_a_folder_is_asked_for(monkeypatch):
    def homeless():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(pathlib.Path, "home", homeless)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with pytest.raises(start.click.UsageError, match="set HOME, or say --data"):
        start.chosen_folder(None)


def test_a_private_cloud_needs_no_home(monkeypatch):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(pathlib.Path, "home", lambda: 1 / 0)
    asked = []
    monkeypatch.setattr(start, "run", lambda chosen, command: asked.append((chosen.ephemeral, command)))
    assert CliRunner().invoke(main, ["run", "--", "true"], catch_exceptions=False).exit_code == 0
    assert asked == [(True, ("true",))]


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("region", "a b"), ("region", ""), ("host", "a/b"), ("host", ""), ("host", "a..b"),
        ("advertise", "a b"), ("advertise", "-x"), ("advertise", "name:4566"),
    ],
)  # fmt: skip
def test_what_clients_could_not_use_is_refused(flag, value):
    done = CliRunner().invoke(main, ["run", f"--{flag}={value}", "--", "true"])
    assert done.exit_code == 2
    assert f"--{flag} {value}: this is no" in done.output


@pytest.mark.parametrize(
    ("flag", "value"),
    [("region", "local"), ("host", "::1"), ("host", "0.0.0.0"), ("advertise", "my_cloud-1.test"),
     ("advertise", "fe80::1:2")],
)  # fmt: skip
def test_what_clients_can_use_is_taken(monkeypatch, flag, value):
    asked = []
    monkeypatch.setattr(start, "run", lambda chosen, command: asked.append(getattr(chosen, flag)))
    assert CliRunner().invoke(main, ["run", f"--{flag}={value}", "--", "true"]).exit_code == 0
    assert asked == [value]


def test_an_address_that_the_machine_does_not_have_is_named(tmp_path):
    done = cloudlet_command("up", "--host", "192.0.2.1", "--ports", "auto", "--data", tmp_path / "data")
    assert done.returncode == 5
    assert done.stderr.startswith("cloudlet: The cloud cannot start: 192.0.2.1: no address of this machine (")


def test_a_flag_that_run_does_not_have_is_no_command():
    done = CliRunner().invoke(main, ["run", "--stric", "--", "true"])
    assert done.exit_code == 2
    assert "No such option" in done.output


def test_run_shows_what_its_cloud_complains_of():
    script = """if True:
        import os
        from kazoo.client import KazooClient
        zk = KazooClient(os.environ["ZOOKEEPER_HOSTS"])
        zk.start()
        zk.create("/zookeeper/quota/a/zookeeper_limits", b"count=1,bytes=-1", makepath=True)
        zk.create("/a/b", makepath=True)
        zk.stop()
    """
    done = cloudlet_command("run", "--only", "zookeeper", "--", sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    assert "quota of /a exceeded" in done.stderr
    assert cloudlet_command("run", "--only", "aws", "--", "true").stderr == ""


def test_a_long_path_with_spaces_and_letters_of_all_kinds_serves(tmp_path):
    """A socket's address has 108 bytes."""
    folder = tmp_path / ("lange Wege ☁ " * 8) / "data"
    said = up(folder)
    assert said["data"] == str(folder)
    second = cloudlet_command("up", "-d", "--ports", "auto", "--data", folder)
    assert second.returncode == 3
    assert f"cloudlet down --data '{folder}'" in second.stderr
    assert cloudlet_command("down", "--data", folder).returncode == 0


def test_a_relative_folder_is_told_from_the_root_on(running):
    said = subprocess.run(
        [*CLOUDLET, "status", "--json", "--data", "data"], cwd=running.parent, env=variables(),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(said.stdout)["data"] == str(running)


def test_an_ephemeral_cloud_is_found_under_the_folder_that_was_named(tmp_path):
    """So that `cloudlet up -d --ephemeral && eval "$(cloudlet env)"` is right, as for any other."""
    data = tmp_path / "data"
    assert cloudlet_command("up", "-d", "--ephemeral", "--ports", "auto", "--data", data).returncode == 0
    said = json.loads(cloudlet_command("status", "--json", "--data", data).stdout)
    assert said["ephemeral"]
    assert said["data"] != str(data)
    assert f"AWS_ENDPOINT_URL='{said['endpoints']['aws']}'" in cloudlet_command("env", "--data", data).stdout
    assert cloudlet_command("down", "--data", data).returncode == 0
    assert not pathlib.Path(said["data"]).exists()
    assert cloudlet_command("status", "--data", data).returncode == 1
    assert not up(data)["ephemeral"]
    assert cloudlet_command("down", "--data", data).returncode == 0


def test_of_several_ephemeral_clouds_of_one_name_none_is_lost(tmp_path):
    words = ("up", "-d", "--ephemeral", "--only", "aws", "--ports", "auto", "--data", tmp_path)
    folders = []
    for _ in range(2):
        assert cloudlet_command(*words).returncode == 0
        folders.append(json.loads(cloudlet_command("status", "--json", "--data", tmp_path).stdout)["data"])
    assert len(set(folders)) == 2
    assert cloudlet_command("down", "--data", tmp_path).returncode == 0
    said = json.loads(cloudlet_command("status", "--json", "--data", tmp_path).stdout)
    assert said["data"] == folders[0]
    assert cloudlet_command("down", "--data", tmp_path).returncode == 0
    assert not any(map(is_held, map(pathlib.Path, folders)))


def test_a_command_beside_a_cloud_speaks_to_that_one(running):
    words = ["run", "--only", "aws", "--", *CLOUDLET, "status", "--json"]
    done = cloudlet_command(*words, CLOUDLET_DATA=str(running))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ephemeral"]


def test_a_killed_run_leaves_no_cloud():
    with under_way("run", "--only", "aws", "--", *CLOUDLET, "status", "--json") as process:
        folder = pathlib.Path(json.loads(process.stdout.readline())["data"])
    until(lambda: not folder.exists())
    with under_way("run", "--only", "aws", "--", "sh", "-c", "echo $CLOUDLET_DATA; sleep 60") as process:
        folder = pathlib.Path(process.stdout.readline().strip())
        assert is_held(folder)
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not folder.exists())


def test_a_closed_terminal_stops_a_cloud_in_order(tmp_path):
    with under_way("up", "--ephemeral", "--ports", "auto", "--data", tmp_path / "data") as process:
        lines = {}
        while "ready" not in lines:
            name, _, told = process.stdout.readline().partition(" ")
            lines[name] = told
        process.send_signal(signal.SIGHUP)
        assert process.wait(SECONDS) == 0
    assert not pathlib.Path(lines["data"].strip()).exists()


def test_a_cloud_whose_disk_fails_below_its_memory_says_where_it_ended(tmp_path):
    """Here by a file that is cut: the store into its memory is a SIGBUS, as one into a bad sector."""
    data = tmp_path / "data"
    with under_way("up", "--ports", "auto", "--only", "aws", "--data", data) as process:
        while not process.stdout.readline().startswith("ready"):
            pass
        assert cloudlet_command("clock", "freeze", "--data", data).returncode == 0
        os.truncate(max((data / "keys").glob("log-*")), 0)
        cloudlet_command("clock", "thaw", "--data", data)
        assert process.wait(SECONDS) == -signal.SIGBUS
        said = process.stderr.read()
    assert "Fatal Python error: Bus error" in said
    assert "disk_window.py" in said


@pytest.mark.parametrize(
    "words",
    [["logs", "-f"], ["keys", "watch", "--since", "1"], ["kafka", "groups", "lag", "waiters", "-f"]],
)
def test_an_interrupt_ends_what_goes_on_for_ever_without_a_word(running, words):
    with under_way(*words, "--data", running) as process:
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert process.stderr.read() == ""


def test_a_reader_that_goes_ends_a_writer_without_a_word(running):
    sent = subprocess.run(
        [*CLOUDLET, "kafka", "produce", "many", "--data", str(running)], env=variables(), check=True,
        input="".join(f"{number}\n" for number in range(5000)), capture_output=True, text=True,
    )  # fmt: skip
    assert sent.stdout == "many-0: 5000 records\n"
    with under_way("kafka", "consume", "many", "--data", running) as process:
        assert process.stdout.readline() == "0\n"
        process.stdout.close()
        assert process.wait(SECONDS) == 141
        assert process.stderr.read() == ""


def test_a_cloud_whose_starter_has_gone_ends_without_a_wrong_reason(tmp_path):
    with under_way("up", "--only", "aws", "--ports", "auto", "--data", tmp_path) as process:
        process.stdout.close()
        assert process.wait(SECONDS) == 141
        assert "cannot start" not in process.stderr.read()


@pytest.mark.skipif(not pathlib.Path("/dev/full").exists(), reason="the machine has no full device")
def test_a_full_disk_behind_the_output_is_told(running):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*CLOUDLET, "status", "--data", str(running)], env=variables(), stdout=full,
            stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        5,
        "cloudlet: this cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["env", "--only", "kafak"], 2, "there is no such face"),
        (["logs", "-n", "-4"], 2, "-4"),
        (["kafka", "groups", "lag", "nobody"], 6, "cloudlet: GROUP_ID_NOT_FOUND: nobody\n"),
        (["kafka", "security"], 6, "cloudlet: the broker is not secured"),
        (["kafka", "produce", "t", "v", "--separator", ":"], 2, "'v' has no ':'."),
        (["kafka", "produce", "t", "v", "--separator", ""], 2, "--separator"),
        (["kafka", "groups", "move", "g", "t", "--partition", "7"], 2, "t has no partition 7."),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_with_its_status(running, words, status, said):
    done = cloudlet_command(*words, "--data", running)
    assert done.returncode == status
    assert said in done.stderr
    assert done.stdout == ""


def test_lines_need_not_be_text(running):
    sent = subprocess.run(
        [*CLOUDLET, "kafka", "produce", "bytes", "--separator", "=", "--data", str(running)],
        env=variables(), input=b"\xff=\xfe\x00\n", capture_output=True, check=False,
    )  # fmt: skip
    assert (sent.returncode, sent.stderr) == (0, b"")
    shown = cloudlet_command("kafka", "consume", "bytes", "--json", "--data", running)
    record = json.loads(shown.stdout)
    assert (record["key"], record["value"]) == ("\\xff", "\\xfe\x00")


def test_without_a_cloud_env_prints_nothing_that_a_shell_would_take(tmp_path):
    done = cloudlet_command("env", "--data", tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"cloudlet: no cloud runs on {tmp_path / 'nowhere'}\n"
