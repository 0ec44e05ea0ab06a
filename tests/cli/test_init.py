"""--init: what the file asks for is there when the cloud is ready, once, and made by the real operations."""

import json
import sys

import boto3
import pytest
from tests.cli.test_command_line import client, cloudlet_command, python, up

FILE = """
[[queues]]
name = "orders"
dead_letter_queue = "orders-dead"
max_receive_count = 3
attributes = { VisibilityTimeout = 60 }
tags = { team = "shop" }

[[queues]]
name = "orders-dead"

[[queues]]
name = "ledger.fifo"
account = "111111111111"
region = "eu-west-1"

[[buckets]]
name = "photos"
versioning = true
region = "eu-west-1"
tags = { team = "shop" }
"""


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    yield folder
    cloudlet_command("down", "--data", folder)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "shop.toml"
    path.write_text(FILE)
    return path


def test_what_the_file_asks_for_is_there_and_a_second_start_changes_nothing(data, file):
    said = up(data, "--init", file)
    sqs, s3 = client(said, "sqs"), client(said, "s3")
    url = sqs.get_queue_url(QueueName="orders")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"
    assert json.loads(attributes["RedrivePolicy"]) == {
        "deadLetterTargetArn": "arn:aws:sqs:us-east-1:000000000000:orders-dead", "maxReceiveCount": 3,
    }  # fmt: skip
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "shop"}
    other = boto3.client(
        "sqs", endpoint_url=said["endpoints"]["aws"], region_name="eu-west-1",
        aws_access_key_id="111111111111", aws_secret_access_key="test",
    )  # fmt: skip
    assert [each.rpartition("/")[2] for each in other.list_queues()["QueueUrls"]] == ["ledger.fifo"]
    assert s3.get_bucket_location(Bucket="photos")["LocationConstraint"] == "eu-west-1"
    assert s3.get_bucket_versioning(Bucket="photos")["Status"] == "Enabled"
    assert s3.get_bucket_tagging(Bucket="photos")["TagSet"] == [{"Key": "team", "Value": "shop"}]
    sqs.send_message(QueueUrl=url, MessageBody="kept")
    revision = json.loads(cloudlet_command("status", "--json", "--data", data).stdout)["revision"]

    assert cloudlet_command("down", "--data", data).returncode == 0
    again = up(data, "--init", file)
    assert again["revision"] == revision
    assert client(again, "sqs").receive_message(QueueUrl=url)["Messages"][0]["Body"] == "kept"


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("= 60", "= 61", ["[[queues]] 1 (orders)", "VisibilityTimeout"]),
        ("_count = 3", "_count = 4", ["[[queues]] 1 (orders)", "RedrivePolicy"]),
        ('team = "shop" }\n\n[[queues]]', 'team = "till" }\n\n[[queues]]', ["[[queues]] 1 (orders)", "tags"]),
        ("versioning = true", "versioning = false", ["[[buckets]] 1 (photos)", "versioning"]),
        ('region = "eu-west-1"\ntags', 'region = "us-east-1"\ntags', ["[[buckets]] 1 (photos)", "region"]),
    ],
)
def test_what_is_there_and_differs_is_an_error_that_says_where(data, file, old, new, named):
    up(data, "--init", file)
    assert cloudlet_command("down", "--data", data).returncode == 0
    assert FILE.count(old) == 1
    file.write_text(FILE.replace(old, new))
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", data, "--init", file)
    assert done.returncode == 7, done.stderr
    for text in (str(file), *named):
        assert text in done.stderr


def test_a_file_that_cannot_be_read_is_a_usage_error_of_up_and_run(tmp_path, data):
    file = tmp_path / "shop.toml"
    file.write_text("[[topic]]\nname = 'orders'\n")
    for words in (("up", "-d", "--ports", "auto", "--data", data), ("run",)):
        tail = ("--", "true") if words == ("run",) else ()
        done = cloudlet_command(*words, "--init", file, *tail)
        assert done.returncode == 2, done.stderr
        assert f"{file}: topic: there is no such table" in done.stderr
    assert cloudlet_command("run", "--init", tmp_path / "none.toml", "--", "true").returncode == 2


def test_what_an_operation_refuses_ends_the_start(data, file):
    file.write_text('[[queues]]\nname = "a"\nattributes = { DelaySeconds = 901 }\n')
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", data, "--init", file)
    assert done.returncode == 7
    assert f"{file}: [[queues]] 1 (a): InvalidAttributeValue" in done.stderr


def test_run_gives_its_command_what_the_file_asks_for(file):
    script = "import boto3; print(len(boto3.client('sqs').list_queues()['QueueUrls']))"
    done = cloudlet_command("run", "--init", file, "--", sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("2")


def test_a_running_cloud_takes_a_file_over_its_control_verb(file):
    script = f"""
import json, os, urllib.request
def init(text):
    body = json.dumps({{"text": text, "name": "shop.toml"}}).encode()
    headers = {{"x-cloudlet-token": os.environ["CLOUDLET_TOKEN"]}}
    request = urllib.request.Request(os.environ["CLOUDLET_URL"] + "/_cloudlet/init", body, headers)
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]
text = open({str(file)!r}).read()
print(init(text), init(text), init(text.replace("= 60", "= 61")), init("[[topics]]"))
"""
    done = cloudlet_command("run", "--", sys.executable, "-c", script)
    assert done.returncode == 0, done.stderr
    assert "{'made': 4} {'made': 0} (409, 'shop.toml: [[queues]] 1 (orders): QueueNameExists" in done.stdout
    assert "(400, 'shop.toml: [[topics]] 1: name is missing" in done.stdout


def test_a_port_can_be_named(tmp_path):
    script = "import os; print(os.environ['AWS_ENDPOINT_URL'])"
    free = python("import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
    port = free.stdout.strip()
    done = cloudlet_command("run", "--ports", f"aws={port}", "--", sys.executable, "-c", script)
    assert done.stdout.strip() == f"http://127.0.0.1:{port}"
    assert cloudlet_command("run", "--ports", "consul=1", "--", "true").returncode == 2


TOPICS = """
[[topics]]
name = "events"
partitions = 3
configs = { "retention.ms" = 3600000 }

[[topics]]
name = "plain"
"""


def test_topics_are_there_before_a_client_is(data, file):
    file.write_text(TOPICS)
    for _ in range(2):
        started = cloudlet_command(
            "up", "-d", "--ports", "auto", "--data", data, "--init", file, "--only", "kafka"
        )
        assert started.returncode == 0, started.stderr
        rows = json.loads(cloudlet_command("kafka", "topics", "--json", "--data", data).stdout)
        assert {row["topic"]: row["partitions"] for row in rows} == {"events": 3, "plain": 1}
        shown = cloudlet_command("kafka", "configs", "events", "--json", "--data", data).stdout
        assert "3600000" in shown
        assert cloudlet_command("down", "--data", data).returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TOPICS.replace("partitions = 3", "partitions = 4"), "1 (events): partitions: it is there with 3"),
        (TOPICS.replace("3600000", "7"), "1 (events): configs.retention.ms: it is there with '3600000'"),
        ('[[topics]]\nname = "a b"', "1 (a b): INVALID_TOPIC_EXCEPTION: Topic name is invalid"),
        (
            '[[topics]]\nname = "a"\nconfigs = { "retention.days" = 3 }',
            "1 (a): INVALID_CONFIG: Unknown topic config name: retention.days",
        ),
    ],
)
def test_topics_that_differ_or_cannot_be_end_the_start(data, file, text, said):
    words = ("up", "-d", "--ports", "auto", "--data", data, "--init", file)
    file.write_text(TOPICS)
    assert cloudlet_command(*words, "--only", "kafka").returncode == 0
    assert cloudlet_command("down", "--data", data).returncode == 0
    file.write_text(text)
    done = cloudlet_command(*words, "--only", "kafka")
    assert (done.returncode, f"{file}: [[topics]] {said}" in done.stderr) == (7, True), done.stderr


def test_topics_need_a_broker(data, file):
    file.write_text(TOPICS)
    done = cloudlet_command("up", "-d", "--ports", "auto", "--data", data, "--init", file, "--only", "aws")
    assert (done.returncode, "this cloud has no Kafka broker" in done.stderr) == (7, True), done.stderr
