"""SQS and STS with the AWS CLI, as a person types it."""

import json
import os
import pathlib
import subprocess
import sys

from tests.cloud import running

AWS = pathlib.Path(sys.executable).parent / "aws"
SECONDS = 60


def aws(cloud, *words, is_json=True):
    # Version 1 of the CLI has SQS endpoints of its own: --endpoint-url changes them, its variable does not.
    command = [
        sys.executable,
        AWS,
        "--endpoint-url",
        cloud.url,
        "--region",
        "us-east-1",
        "--output",
        "json",
        *words,
    ]
    variables = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_PAGER": ""}
    done = subprocess.run(
        command, env={**os.environ, **variables}, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if is_json and done.stdout.strip() else {}


def test_a_queue_from_the_command_line():
    with running() as cloud:
        assert aws(cloud, "sts", "get-caller-identity")["Account"] == "000000000000"
        queue = aws(
            cloud, "sqs", "create-queue", "--queue-name", "q", "--attributes", "VisibilityTimeout=60"
        )["QueueUrl"]
        aws(cloud, "sqs", "send-message", "--queue-url", queue, "--message-body", "héllo")
        (message,) = aws(cloud, "sqs", "receive-message", "--queue-url", queue)["Messages"]
        assert message["Body"] == "héllo"
        aws(
            cloud, "sqs", "delete-message", "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"]
        )
        found = aws(cloud, "sqs", "get-queue-attributes", "--queue-url", queue, "--attribute-names", "All")
        assert found["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "0"
        assert found["Attributes"]["VisibilityTimeout"] == "60"
