"""Checkpoints of a whole cloud: what comes back, what stays, and what clients see meanwhile."""

import asyncio
import http.client
import json
import threading
import urllib.parse

import botocore.exceptions
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.shell.whole_cloud import WholeCloud, client_of, whole_cloud

from cloudlet.engines.disk_pins import DiskPins
from cloudlet.kernel.fault import NoSpace


def bodies(sqs, queue):
    """Every message of a queue; all are hidden afterwards."""
    found = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600).get(
        "Messages"
    ):
        found += [message["Body"] for message in messages]
    return sorted(found)


def queue_names(sqs):
    return [url.rpartition("/")[2] for url in sqs.list_queues().get("QueueUrls", [])]


def filled(sqs, name, texts):
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    for text in texts:
        sqs.send_message(QueueUrl=queue, MessageBody=text)
    return queue


@pytest.mark.parametrize("sync", [False, True])
def test_what_was_saved_comes_back_again_and_again_and_after_a_restart(tmp_path, sync):
    with whole_cloud(tmp_path / "data", sync=sync) as cloud:
        sqs = cloud.client("sqs")
        queue = filled(sqs, "q", ["a", "b", "c"])
        empty = sqs.create_queue(QueueName="empty")["QueueUrl"]
        saved = cloud.done("/checkpoints/save", name="first")
        assert (saved["keys"], saved["logs"]) == (2, 1)
        for number in range(3):
            sqs.delete_queue(QueueUrl=empty)
            filled(sqs, "later", ["x"])
            sqs.send_message(QueueUrl=queue, MessageBody=f"d{number}")
            assert cloud.done("/checkpoints/restore", name="first")["revision"] > saved["revision"]
            assert queue_names(sqs) == ["empty", "q"]
            assert bodies(sqs, queue) == ["a", "b", "c"]
        sqs.delete_queue(QueueUrl=queue)
        cloud.done("/checkpoints/save", name="second")
    with whole_cloud(tmp_path / "data") as cloud:
        sqs = cloud.client("sqs")
        assert queue_names(sqs) == ["empty"]
        cloud.done("/checkpoints/restore", name="first")
        assert queue_names(sqs) == ["empty", "q"]
        queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        assert bodies(sqs, queue) == ["a", "b", "c"]
        cloud.done("/checkpoints/restore", name="second")
        assert queue_names(sqs) == ["empty"]


def test_a_hidden_message_is_hidden_again_and_a_later_receipt_is_void(tmp_path):
    with whole_cloud(tmp_path / "data", ephemeral=True) as cloud:
        sqs = cloud.client("sqs")
        queue = filled(sqs, "q", ["a", "b"])
        first = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=600)["Messages"][0]
        cloud.done("/checkpoints/save", name="c")
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"])
        cloud.done("/checkpoints/restore", name="c")
        assert len(bodies(sqs, queue)) == 1
        sqs.change_message_visibility(
            QueueUrl=queue, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0
        )
        assert bodies(sqs, queue) == [first["Body"]]


def test_reset_empties_the_cloud_and_leaves_checkpoints_clock_and_events(tmp_path):
    with whole_cloud(tmp_path / "data") as cloud:
        sqs = cloud.client("sqs")
        queue = filled(sqs, "q", ["a"])
        cloud.done("/clock/advance", by="1d")
        cloud.done("/checkpoints/save", name="c")
        before = cloud.tell("GET", "/status")[1]["revision"]
        clock = cloud.tell("GET", "/clock")[1]
        cloud.done("/reset")
        assert queue_names(sqs) == []
        assert cloud.tell("GET", "/status")[1]["revision"] > before
        assert cloud.tell("GET", "/clock")[1]["ahead_ms"] == clock["ahead_ms"]
        assert (tmp_path / "data/logs/aws/events").is_dir()
        cloud.done("/checkpoints/restore", name="c")
        assert bodies(sqs, queue) == ["a"]
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(cloud.url).netloc)
        connection.request("POST", "/moto-api/reset")  # its own connection is not closed
        assert connection.getresponse().status == 200
        connection.close()
        assert queue_names(sqs) == []


def test_a_checkpoint_that_is_dropped_leaves_nothing(tmp_path):
    with whole_cloud(tmp_path / "data") as cloud:
        filled(cloud.client("sqs"), "q", ["a"])
        cloud.done("/checkpoints/save", name="c")
        assert cloud.tell("POST", "/checkpoints/save", name="c")[0] == 409
        assert cloud.tell("POST", "/checkpoints/save", name="../c")[0] == 400
        cloud.done("/checkpoints/drop", name="c")
        for verb in ("drop", "restore", "diff"):
            status, answer = cloud.tell("POST", f"/checkpoints/{verb}", name="c")
            assert (status, answer) == (404, {"error": "there is no checkpoint 'c'"})
        assert cloud.tell("GET", "/checkpoints")[1] == {"checkpoints": []}
        assert list((tmp_path / "data/checkpoints").iterdir()) == []
        assert list((tmp_path / "data/logs/~pins").iterdir()) == []


def test_a_diff_names_what_has_changed(tmp_path):
    with whole_cloud(tmp_path / "data", ephemeral=True) as cloud:
        sqs = cloud.client("sqs")
        queue = filled(sqs, "kept", ["a"])
        gone = filled(sqs, "gone", ["a"])
        cloud.done("/checkpoints/save", name="c")
        filled(sqs, "new", [])
        sqs.delete_queue(QueueUrl=gone)
        sqs.set_queue_attributes(QueueUrl=queue, Attributes={"DelaySeconds": "1"})
        sqs.send_message(QueueUrl=queue, MessageBody="b")
        cloud.done("/checkpoints/save", name="d")
        now = cloud.done("/checkpoints/diff", name="c")
        keys = [
            (row["key"].rpartition("/")[2], row["change"]) for row in now["keys"] if "/queue/" in row["key"]
        ]
        assert keys == [("gone", "dropped"), ("kept", "changed"), ("new", "put")]
        logs = [(row["log"].split("/")[3], row["change"], row["from"], row["to"]) for row in now["logs"]]
        assert logs == [("gone", "dropped", [0, 1], None), ("kept", "changed", [0, 1], [0, 2])]
        between = cloud.done("/checkpoints/diff", name="c", other="d")
        assert [between[part] for part in ("counts", "keys", "logs")] == [
            now[part] for part in ("counts", "keys", "logs")
        ]
        backward = cloud.done("/checkpoints/diff", name="d", other="c")
        assert backward["counts"] == {
            "put": now["counts"]["dropped"],
            "changed": 1,
            "dropped": now["counts"]["put"],
        }
        assert cloud.done("/checkpoints/diff", name="d")["keys"] == []


CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, http.client.NotConnected)


def signed(url, body):
    headers = {"x-amz-target": "AmazonSQS.SendMessage", "content-type": "application/x-amz-json-1.0"}
    request = AWSRequest("POST", f"{url}/", headers, body)
    SigV4Auth(Credentials("test", "test"), "sqs", "us-east-1").add_auth(request)
    return dict(request.headers)


def send_until_closed(url, queue, name, told, begun):
    """Send over one connection until it is closed; an answer that is not whole fails the thread."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=30)
    connection.connect()
    connection.auto_open = 0
    number = 0
    try:
        while True:
            body = json.dumps({"QueueUrl": queue, "MessageBody": f"{name}-{number}"})
            connection.request("POST", "/", body, signed(url, body))
            response = connection.getresponse()
            answer = json.loads(response.read())
            assert response.status == 200, answer
            assert answer["MessageId"]
            number += 1
            begun.set()
    except CLOSED:
        told.append(number)
    finally:
        connection.close()


def work_on(url, queue, stop, failures):
    """A client that comes back whenever its connection was closed."""
    sqs = client_of(url, "sqs")
    while not stop.is_set():
        try:
            sqs.send_message(QueueUrl=queue, MessageBody="m")
            found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
            for message in found.get("Messages", []):
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        except (botocore.exceptions.ConnectionClosedError, botocore.exceptions.EndpointConnectionError):
            continue
        except botocore.exceptions.HTTPClientError as error:
            if "reset" not in str(error).lower():
                failures.append(error)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "ReceiptHandleIsInvalid":
                failures.append(error)
        except Exception as error:  # noqa: BLE001 - any other is what the test looks for
            failures.append(error)


@pytest.mark.parametrize("sync", [False, True])
def test_a_restore_under_load_tears_no_answer_and_brings_back_exactly_the_old(tmp_path, sync):
    with whole_cloud(tmp_path / "data", sync=sync) as cloud:
        sqs = cloud.client("sqs")
        queue = filled(sqs, "q", ["old"])
        noise = filled(sqs, "noise", [])
        stop, failures, told = threading.Event(), [], []
        workers = [
            threading.Thread(target=work_on, args=(cloud.url, noise, stop, failures)) for _ in range(2)
        ]
        for worker in workers:
            worker.start()
        revision = cloud.done("/checkpoints/save", name="c")["revision"]
        senders = 0
        for number in range(4):
            begun = [threading.Event() for _ in range(3)]
            threads = [
                threading.Thread(
                    target=send_until_closed, args=(cloud.url, queue, f"{number}-{each}", told, begun[each])
                )
                for each in range(3)
            ]
            for thread in threads:
                thread.start()
            assert all(event.wait(30) for event in begun)
            restored = cloud.done("/checkpoints/restore", name="c")["revision"]
            assert restored > revision
            revision = restored
            for thread in threads:
                thread.join(30)
            senders += len(threads)
            assert bodies(sqs, queue) == ["old"]
        stop.set()
        for worker in workers:
            worker.join(30)
        assert failures == []
        assert len(told) == senders, "a sender saw a torn answer or was not disconnected"
        assert sum(told) > senders


def test_a_save_under_load_is_one_cut(tmp_path):
    """A sender sends 0, 1, 2, … one after the other: whatever is saved is a beginning of that."""
    with whole_cloud(tmp_path / "data") as cloud:
        sqs = cloud.client("sqs")
        queue = filled(sqs, "q", [])
        told, begun = [], threading.Event()
        sender = threading.Thread(target=send_until_closed, args=(cloud.url, queue, "m", told, begun))
        sender.start()
        assert begun.wait(30)
        for number in range(5):
            cloud.done("/checkpoints/save", name=f"c{number}")
        cloud.done("/reset")
        sender.join(30)
        seen = 0
        for number in range(5):
            cloud.done("/checkpoints/restore", name=f"c{number}")
            found = sorted(int(body.removeprefix("m-")) for body in bodies(sqs, queue))
            assert found == list(range(len(found)))
            assert seen <= len(found) <= told[0] + 1
            seen = len(found)
        assert seen > 0


def test_a_restore_without_room_ends_the_cloud_and_the_next_start_finishes_it(tmp_path, monkeypatch):
    data = tmp_path / "data"
    cloud = WholeCloud(data).start()
    sqs = cloud.client("sqs")
    filled(sqs, "q", ["a"])
    filled(sqs, "r", ["b"])
    cloud.done("/checkpoints/save", name="c")
    cloud.done("/reset")
    revision = cloud.tell("GET", "/status")[1]["revision"]
    bring_back = DiskPins.bring_back

    async def full(pins, label, pinned, epoch):
        if pinned.name.split("/")[3] == "r":
            raise NoSpace("full")
        await bring_back(pins, label, pinned, epoch)

    monkeypatch.setattr(DiskPins, "bring_back", full)
    assert cloud.tell("POST", "/checkpoints/restore", name="c")[0] == 503
    cloud.join()
    monkeypatch.undo()
    with whole_cloud(data) as cloud:
        sqs = cloud.client("sqs")
        assert queue_names(sqs) == ["q", "r"]
        assert bodies(sqs, sqs.get_queue_url(QueueName="r")["QueueUrl"]) == ["b"]
        assert cloud.tell("GET", "/status")[1]["revision"] > revision


def collect(cloud):
    """One pass of the collector; how many bodies it dropped."""
    return asyncio.run_coroutine_threadsafe(cloud.cloud._face.collector.collect(), cloud.loop).result(30)


def test_objects_come_back_with_their_bodies_which_nothing_else_holds(tmp_path, monkeypatch):
    monkeypatch.setattr("cloudlet.kernel.collect.UNREFERENCED_MS", 0)
    body = b"0123456789" * 50_000
    with whole_cloud(tmp_path / "data") as cloud:
        s3 = cloud.client("s3")
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="large", Body=body)
        s3.put_object(Bucket="bucket", Key="small", Body=b"old")
        cloud.done("/checkpoints/save", name="c")
        s3.put_object(Bucket="bucket", Key="small", Body=b"new")
        s3.delete_object(Bucket="bucket", Key="large")
        s3.put_object(Bucket="bucket", Key="later", Body=body)
        cloud.done("/checkpoints/save", name="d")
        cloud.done("/reset")
    with whole_cloud(tmp_path / "data") as cloud:  # where no service has anything in keys
        for _ in range(3):
            collect(cloud)
        s3 = cloud.client("s3")
        reading = None
        for name, small in (("c", b"old"), ("d", b"new"), ("c", b"old")):
            cloud.done("/checkpoints/restore", name=name)
            assert s3.get_object(Bucket="bucket", Key="small")["Body"].read() == small
            if reading is not None:
                assert reading.read() == body  # begun before the restore, it came whole
            key = "large" if name == "c" else "later"
            reading = s3.get_object(Bucket="bucket", Key=key)["Body"]
        assert reading.read() == body
        for name in ("c", "d"):
            cloud.done("/checkpoints/drop", name=name)
        cloud.done("/reset")
        assert sum(collect(cloud) for _ in range(20)) == 4
        assert collect(cloud) == 0
