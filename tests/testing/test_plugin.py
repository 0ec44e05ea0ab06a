"""The pytest plugin as its users run it: whole pytest runs in processes of their own."""

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import cloudlet

SOURCE = Path(cloudlet.__file__).parents[1]
README = SOURCE.parent / "README.md"
# Where the package is installed, pytest finds the plugin by itself.
IS_INSTALLED = any(each.value == "cloudlet.testing.plugin" for each in entry_points(group="pytest11"))
PLUGIN = () if IS_INSTALLED else ("-p", "cloudlet.testing.plugin")


def ran(tmp_path, test, *arguments, within=(), variables=None):
    """The output of a pytest run over one file with the plugin, which must pass."""
    (tmp_path / "test_it.py").write_text(textwrap.dedent(test))
    outcome = subprocess.run(
        [*within, *command(tmp_path, *arguments)],
        env=environment() | (variables or {}),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    return outcome.stdout


def command(tmp_path, *arguments):
    return [
        sys.executable, "-m", "pytest", "-q", "-s", *PLUGIN, "-p", "no:cacheprovider", "-c", os.devnull,
        "--rootdir", str(tmp_path), *arguments, str(tmp_path),
    ]  # fmt: skip


def environment():
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "PYTEST_", "CLOUDLET"))
    }
    return kept | {"PYTHONPATH": str(SOURCE)}


def test_the_five_line_test_of_the_readme(tmp_path):
    found = re.search(r"```python\n(def test_.*?)```", README.read_text(), re.DOTALL)
    assert found is not None
    assert "1 passed" in ran(tmp_path, found[1])


def test_every_test_has_an_account_of_its_own(tmp_path):
    test = """
        import boto3, os, pytest

        ACCOUNTS, KEPT = [], []

        @pytest.mark.parametrize("n", range(6))
        def test_alone(aws, n):
            assert aws.sqs.list_queues().get("QueueUrls") is None
            url = aws.sqs.create_queue(QueueName="same")["QueueUrl"]
            assert aws.account in url
            bucket = aws.unique("photos")
            aws.s3.create_bucket(Bucket=bucket)
            # Code under test makes its own clients, from the environment.
            assert boto3.client("sqs").list_queues()["QueueUrls"] == [url]
            assert boto3.client("sts").get_caller_identity()["Account"] == aws.account
            other = aws.session.client("sqs", endpoint_url=aws.endpoint_url)
            assert other.list_queues()["QueueUrls"] == [url]
            assert aws.account not in ACCOUNTS
            ACCOUNTS.append(aws.account)

        @pytest.mark.parametrize("n", range(3))
        def test_a_kept_client_keeps_its_account(aws, n):
            for account, client in KEPT:
                assert client.get_caller_identity()["Account"] == account
            KEPT.append((aws.account, aws.sts))

        def test_the_environment_is_put_back():
            assert not any(name.startswith("AWS_") for name in os.environ)
    """
    assert "10 passed" in ran(tmp_path, test)
    assert "10 passed" in ran(tmp_path, test, "-p", "xdist", "-n", "2")


def test_nothing_that_is_done_to_a_client_stays(tmp_path):
    test = """
        import pytest

        KEPT, SEEN = [], []

        @pytest.mark.parametrize("n", range(3))
        def test_a_client_with_options_keeps_its_account(aws, n):
            for account, client in KEPT:
                assert client.get_caller_identity()["Account"] == account
            KEPT.append((aws.account, aws.client("sts", region_name="eu-west-1")))

        @pytest.mark.parametrize("n", range(3))
        def test_what_is_registered_goes(aws, n):
            events = aws.sqs.meta.events
            events.register("before-call.sqs", lambda **_: SEEN.append(n), unique_id="mine")
            events.register_first("before-call.sqs", seen := lambda **_: SEEN.append(n))
            events.register_last("before-call.sqs", lambda **_: SEEN.append(n))
            events.unregister("before-call.sqs", seen)
            aws.sqs.list_queues()
            assert SEEN == [n, n]
            SEEN.clear()

        @pytest.mark.parametrize("n", range(3))
        def test_the_client_itself_stays(aws, n):
            SEEN.append(id(aws.sqs))
            aws.sqs.meta.events.register("before-call.sqs", lambda **_: None)
            assert len(set(SEEN)) == 1

        @pytest.mark.parametrize("n", range(2))
        def test_what_is_set_goes(aws, n):
            assert aws.sqs.list_queues()
            aws.sqs.list_queues = None

        @pytest.mark.parametrize("n", range(2))
        def test_what_was_taken_out_is_there(aws, n):
            from botocore import handlers

            with pytest.raises(Exception, match="Bucket"):
                aws.s3.head_object(Bucket="//", Key="k")
            for place in ("before-parameter-build.s3", "provide-client-params.s3"):
                aws.s3.meta.events.unregister(place, handlers.validate_bucket_name)

        @pytest.mark.parametrize("n", range(2))
        def test_sessions_and_resources_are_of_the_account(aws, n):
            assert aws.session is aws.session
            assert aws.session.client("sts").get_caller_identity()["Account"] == aws.account
            bucket = aws.resource("s3").create_bucket(Bucket=aws.unique("photos"))
            assert [each.name for each in aws.resource("s3").buckets.all()] == [bucket.name]
    """
    assert "15 passed" in ran(tmp_path, test)


def test_code_under_test_meets_the_account_whatever_the_users_own_environment_is(tmp_path):
    test = """
        import boto3, os

        def test_it(cloudlet, aws):
            assert boto3.client("sts").get_caller_identity()["Account"] == aws.account
            assert boto3.client("s3").list_buckets()["Buckets"] == []
            boto3.setup_default_session(region_name="eu-west-3")
            assert boto3.client("sqs").meta.region_name == "eu-west-3"
            assert cloudlet.env["KAFKA_BOOTSTRAP_SERVERS"] != "production:9092"

        def test_the_default_session_is_a_new_one(aws):
            assert boto3.client("sqs").meta.region_name == "us-east-1"

        def test_a_command_meets_the_cloud(cloudlet):
            if os.environ.get("CLOUDLET_URL"):
                assert boto3.client("s3").list_buckets()["Buckets"] == []
    """
    variables = {
        "AWS_PROFILE": "nobody", "AWS_SESSION_TOKEN": "of other keys", "HTTP_PROXY": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "NO_PROXY": "example.com", "KAFKA_BOOTSTRAP_SERVERS": "production:9092",
        "COMMIT_MESSAGE": "Mend it\n\nIt was broken\n",
    }  # fmt: skip
    assert "3 passed" in ran(tmp_path, test, variables=variables)
    within = (sys.executable, "-m", "cloudlet", "run", "--")
    assert "3 passed" in ran(tmp_path, test, within=within, variables=variables)


def test_clock_checkpoint_and_prefix(tmp_path):
    test = """
        import pytest
        from cloudlet.testing.cloud import Refused

        PREFIXES = set()

        def test_time_moves(aws, cloudlet_clock):
            url = aws.sqs.create_queue(QueueName="q", Attributes={"DelaySeconds": "900"})["QueueUrl"]
            aws.sqs.send_message(QueueUrl=url, MessageBody="later")
            assert "Messages" not in aws.sqs.receive_message(QueueUrl=url)
            cloudlet_clock.freeze()
            cloudlet_clock.advance("15m")
            assert aws.sqs.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "later"
            with pytest.raises(Refused):
                cloudlet_clock.advance("-1d")

        def test_states_come_back(aws, cloudlet_checkpoint):
            url = aws.sqs.create_queue(QueueName="q")["QueueUrl"]
            name = cloudlet_checkpoint.save()
            aws.sqs.delete_queue(QueueUrl=url)
            cloudlet_checkpoint.restore(name)
            assert aws.sqs.list_queues()["QueueUrls"] == [url]

        @pytest.mark.parametrize("n", range(2))
        def test_prefix(cloudlet, n):
            assert cloudlet.prefix == cloudlet.prefix
            assert cloudlet.prefix not in PREFIXES
            PREFIXES.add(cloudlet.prefix)
    """
    assert "4 passed" in ran(tmp_path, test)


def test_under_cloudlet_run_the_cloud_there_is_used(tmp_path):
    test = """
        import os

        def test_there(cloudlet, aws):
            assert cloudlet.url == os.environ["CLOUDLET_URL"]
            said = cloudlet.tell("GET", "/status")
            assert said["ephemeral"] is True
            assert cloudlet.env["KAFKA_BOOTSTRAP_SERVERS"] == said["endpoints"]["kafka"]
            assert cloudlet.env["ETCDCTL_ENDPOINTS"] == said["endpoints"]["etcd"]
            assert cloudlet.env["ZOOKEEPER_HOSTS"] == said["endpoints"]["zookeeper"]
            aws.sqs.create_queue(QueueName="q")
    """
    assert "1 passed" in ran(tmp_path, test, within=(sys.executable, "-m", "cloudlet", "run", "--"))


def test_a_killed_test_process_leaves_no_cloud(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import time\n"
        "def test_hang(cloudlet):\n"
        "    print('pid', cloudlet.tell('GET', '/status')['pid'], flush=True)\n"
        "    time.sleep(600)\n"
    )
    process = subprocess.Popen(command(tmp_path), env=environment(), stdout=subprocess.PIPE, text=True)
    pid = next(int(line.split()[1]) for line in process.stdout if line.startswith("pid "))
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_cloud_that_is_gone_is_said_to_be(tmp_path):
    test = """
        import os, pytest, signal
        from cloudlet.testing.cloud import Gone

        def test_it(cloudlet):
            os.kill(cloudlet.tell("GET", "/status")["pid"], signal.SIGKILL)
            with pytest.raises(Gone, match="does not answer"):
                cloudlet.clock.freeze()
    """
    assert "1 passed" in ran(tmp_path, test)


def test_a_process_that_a_test_has_left_behind_holds_no_cloud(tmp_path):
    test = """
        import os, signal, time

        def test_it(cloudlet):
            print("cloud", cloudlet.tell("GET", "/status")["pid"], flush=True)
            child = os.fork()
            if child == 0:
                os.close(1)  # or who reads it waits for the child's end too
                os.close(2)
                signal.sigwait([signal.SIGTERM])
                os._exit(0)
            print("child", child, flush=True)
    """
    said = dict(
        re.findall(r"^\.?(cloud|child) (\d+)$", ran(tmp_path, test, "-p", "no:faulthandler"), re.MULTILINE)
    )
    try:
        assert not is_alive(int(said["cloud"]))
        assert is_alive(int(said["child"]))
    finally:
        os.kill(int(said["child"]), signal.SIGTERM)


def test_fixtures_still_have_their_cloud_after_ctrl_c(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "import signal\n"
        "def test_it(cloudlet_clock, cloudlet_checkpoint):\n"
        "    print('ready', flush=True)\n"
        "    signal.pause()\n"
    )
    process = subprocess.Popen(
        command(tmp_path), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does it
    output, _ = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in output
    assert "Error" not in output
    assert process.returncode == 2


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    "within", [(), (sys.executable, "-m", "cloudlet", "run", "--")], ids=["alone", "in run"]
)
def test_an_init_file_is_made_before_the_first_test(tmp_path, within):
    (tmp_path / "shop.toml").write_text('[[queues]]\nname = "orders"\n[[buckets]]\nname = "photos"\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\ncloudlet_init = shop.toml\n")
    (tmp_path / "test_it.py").write_text(INIT_TEST)
    words = [*within, sys.executable, "-m", "pytest", "-q", *PLUGIN, "-p", "no:cacheprovider", str(tmp_path)]
    outcome = subprocess.run(
        words, env=environment(), check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr

    (tmp_path / "shop.toml").write_text("[[topic]]")
    outcome = subprocess.run(
        words, env=environment(), check=False, capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert outcome.returncode == 1
    assert "shop.toml: topic: there is no such table" in outcome.stdout


INIT_TEST = """
import boto3

def test_it(cloudlet):
    place = {"endpoint_url": cloudlet.url, "region_name": cloudlet.region}
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    assert boto3.client("sqs", **place, **keys).get_queue_url(QueueName="orders")
    assert boto3.client("s3", **place, **keys).head_bucket(Bucket="photos")
"""


def test_faults_end_with_the_test(tmp_path):
    test = """
        import grpc, pytest
        from kazoo.client import KazooClient
        from kazoo.protocol.states import KazooState

        IN_FORCE = {"rejects_connections": False, "delay_ms": 0, "failing": 0, "unanswered": 0}

        def test_a_session_ends(cloudlet, cloudlet_fault):
            zk = KazooClient(cloudlet.env["ZOOKEEPER_HOSTS"], timeout=30)
            zk.start(timeout=10)
            zk.create("/worker", b"", ephemeral=True)
            first = zk.client_id[0]
            assert cloudlet_fault.session_expire(first) == 1
            zk.retry(zk.get_children, "/")
            assert zk.client_id[0] != first
            assert zk.exists("/worker") is None
            assert cloudlet_fault.lease_expire(zk.client_id[0]) == 1  # a session is a lease too
            assert cloudlet_fault.drop(zk.client_id[0]) == 1
            zk.stop()
            zk.close()

        def test_something_is_left_in_force(cloudlet, cloudlet_fault):
            cloudlet_fault.delay(10, face="etcd")
            cloudlet_fault.reject(face="zookeeper")
            cloudlet_fault.fail(3, face="etcd")
            cloudlet_fault.no_response()
            assert cloudlet.tell("GET", "/fault")["etcd"] == {
                "rejects_connections": False, "delay_ms": 10, "failing": 3, "unanswered": -1
            }

        def test_it_is_lifted(cloudlet):
            assert cloudlet.tell("GET", "/fault") == {"etcd": IN_FORCE, "zookeeper": IN_FORCE}
    """
    assert "3 passed" in ran(tmp_path, test)
