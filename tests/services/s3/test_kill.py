"""S3 under kill -9: every acknowledged object is there and whole, every other one is an old or a new one.

Writers overwrite a few keys with bodies that say who wrote them, readers read them meanwhile; the cloud is
killed at a random instant and started again on the same folder.
"""

import hashlib
import random
import threading
import time

import botocore.exceptions
from tests.cloud import running
from tests.services.s3.test_collected import blobs_kept, collected
from tests.services.sqs.test_kill import GONE, SECONDS, Victim, rounds_of

from cloudlet.kernel.clock import ManualClock, SystemClock

KEYS = 4
LARGE = 1 << 20
BROKEN = (*GONE, botocore.exceptions.ResponseStreamingError, botocore.exceptions.IncompleteReadError)


def body_of(key, number):
    """A body that tells itself; every third one is large, so that it is on its way when the kill comes."""
    start = f"{key}:{number}:".encode()
    size = LARGE if number % 3 == 0 else 100
    return start + bytes([number % 251]) * (size - len(start))


def number_in(body):
    """The number of a body, which must be whole."""
    key, number, _ = body.split(b":", 2)
    assert body == body_of(key.decode(), int(number)), "torn"
    return int(number)


class Writer(threading.Thread):
    """Overwrites one key with rising numbers until the cloud is gone."""

    def __init__(self, victim, key, number):
        super().__init__()
        self.client = victim.client("s3")
        self.key = key
        self.acknowledged = number
        self.asked = number
        self.torn = []

    def run(self):
        try:
            while True:
                self.asked += 1
                body = body_of(self.key, self.asked)
                said = self.client.put_object(Bucket="bucket", Key=self.key, Body=body)
                assert said["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
                self.acknowledged = self.asked
                if (
                    number_in(self.client.get_object(Bucket="bucket", Key=self.key)["Body"].read())
                    != self.asked
                ):
                    self.torn.append(self.asked)
        except BROKEN:
            pass


def test_what_was_acknowledged_is_there_and_whole(tmp_path, kills, record_property):
    chance = random.Random(3)
    victim = Victim(tmp_path / "data").start()
    client = victim.client("s3")
    client.create_bucket(Bucket="bucket")
    numbers = {}
    for number in range(KEYS):
        client.put_object(Bucket="bucket", Key=f"k{number}", Body=body_of(f"k{number}", 0))
        numbers[f"k{number}"] = 0
    for _ in range(rounds_of(kills)):
        writers = [Writer(victim, key, number) for key, number in numbers.items()]
        for writer in writers:
            writer.start()
        time.sleep(chance.uniform(0.05, 0.5))  # the random instant
        victim.kill()
        for writer in writers:
            writer.join(SECONDS)
        victim.start()
        client = victim.client("s3")
        for writer in writers:
            found = number_in(client.get_object(Bucket="bucket", Key=writer.key)["Body"].read())
            assert writer.acknowledged <= found <= writer.asked, "lost, or never written"
            assert writer.torn == []
            numbers[writer.key] = found
    victim.kill()
    nothing_is_left_behind(tmp_path / "data", numbers)
    record_property("kills", rounds_of(kills))
    record_property("checked", sum(numbers.values()))


def nothing_is_left_behind(folder, numbers):
    """Once the collector has been there each object has its one body, and there is no other."""
    clock = ManualClock(SystemClock().wall_ms())
    with running(engine="disk", folder=folder, clock=clock) as cloud:
        collected(cloud, clock)
        s3 = cloud.client("s3", key="AKIAUNKNOWN")  # a signature would be too old by now
        for key, number in numbers.items():
            assert number_in(s3.get_object(Bucket="bucket", Key=key)["Body"].read()) == number
        assert len(blobs_kept(cloud)) == len(numbers)
