"""`cloudlet clock` over real clouds: moved, stopped, killed, started again."""

import json
import os
import signal
import sys

import pytest
from tests.cli.test_command_line import client, cloudlet_command, up

DAY_MS = 86_400_000


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    yield folder
    cloudlet_command("down", "--data", folder)


def clock(data, *words):
    done = cloudlet_command("clock", *words, "--json", "--data", data)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_clock_is_shown_and_moved(data):
    up(data)
    done = cloudlet_command("clock", "show", "--data", data)
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert (list(lines), lines["state"]) == (["cloud", "wall", "ahead", "state"], "running")
    assert clock(data, "advance", "1d12h")["ahead"] == "1d12h"
    found = clock(data, "advance", "--to", "2040-01-01T00:00:00Z")
    assert found["cloud"].startswith("2040-01-01T00:00:00")
    assert clock(data, "freeze")["frozen"] is True
    before = clock(data, "show")["cloud_ms"]
    assert clock(data, "show")["cloud_ms"] == before
    assert clock(data, "advance", "90s")["cloud_ms"] == before + 90_000
    found = clock(data, "thaw")
    assert (found["frozen"], found["cloud_ms"] >= before + 90_000) == (False, True)


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["advance", "-8d"], 6, "not negative"),
        (["advance", "8"], 6, "1d12h"),
        (["advance", "--to", "2001-01-01"], 6, "never goes back"),
        (["advance", "--to", "then"], 6, "ISO 8601"),
        (["advance"], 2, "DURATION"),
        (["advance", "8d", "--to", "2040-01-01"], 2, "DURATION"),
        (["advance", "--nonsense", "8d"], 2, "8d"),
        (["back"], 2, "back"),
    ],
)
def test_what_is_refused(shared, words, status, text):
    done = cloudlet_command("clock", *words, "--data", shared)
    assert (done.returncode, text in done.stderr) == (status, True), done.stderr


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shared") / "data"
    up(folder)
    yield folder
    cloudlet_command("down", "--data", folder)


def test_without_a_cloud_there_is_no_clock(tmp_path):
    done = cloudlet_command("clock", "show", "--data", tmp_path)
    assert (done.returncode, "no cloud runs" in done.stderr) == (1, True)


def test_an_acknowledged_move_is_there_after_a_kill_and_time_never_goes_back(data, kills, record_property):
    shown, frozen = 0, False
    for number in range(max(kills // 4, 3)):
        said = up(data)
        found = clock(data, "show")
        assert found["cloud_ms"] >= shown
        assert found["frozen"] is frozen
        assert not frozen or found["cloud_ms"] == shown
        found = clock(data, "advance", f"{number + 1}d")
        if number % 2:
            found = clock(data, "thaw" if frozen else "freeze")
        shown, frozen = found["cloud_ms"], found["frozen"]
        os.kill(said["pid"], signal.SIGKILL)
    up(data)
    found = clock(data, "show")
    assert found["cloud_ms"] >= shown
    assert clock(data, "thaw")["cloud_ms"] >= shown
    record_property("kills", number + 1)
    record_property("checked", number + 1)


def test_a_message_of_the_past_run_is_due_in_the_next(data):
    said = up(data)
    sqs = client(said, "sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="late", DelaySeconds=900)
    clock(data, "advance", "10m")
    os.kill(said["pid"], signal.SIGKILL)
    said = up(data)
    sqs = client(said, "sqs")
    asked = {"QueueUrl": queue, "WaitTimeSeconds": 0}
    assert "Messages" not in sqs.receive_message(**asked)
    clock(data, "advance", "5m")
    assert [each["Body"] for each in sqs.receive_message(**asked)["Messages"]] == ["late"]
    assert cloudlet_command("clock", "freeze", "--data", data).returncode == 0
    assert "frozen" in cloudlet_command("clock", "show", "--data", data).stdout


def test_a_command_beside_a_cloud_moves_its_clock():
    script = (
        "import json, os, urllib.request as u; "
        "url = os.environ['CLOUDLET_URL'] + '/_cloudlet/clock/advance'; "
        "h = {'authorization': 'Bearer ' + os.environ['CLOUDLET_TOKEN']}; "
        "print(json.load(u.urlopen(u.Request(url, b'{\"by\": \"8d\"}', h)))['ahead'])"
    )
    done = cloudlet_command("run", "--", sys.executable, "-c", script)
    assert (done.returncode, done.stdout.strip()) == (0, "8d"), done.stderr
