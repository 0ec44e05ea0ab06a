"""kill -9 amid saves and restores: the next start shows one state or the other, never a mixture."""

import http.client
import random
import threading
import time

import pytest
from tests.services.sqs.test_kill import Victim
from tests.shell.test_checkpoints import bodies, filled, queue_names
from tests.shell.whole_cloud import client_of, told

MESSAGES = 20
KILLS_DIVISOR = 2  # a round starts a whole cloud again


def tell_until_killed(data, path, answers, **body):
    try:
        answers.append(told(data, "POST", path, **body)[0])
    except (OSError, http.client.HTTPException, ValueError):
        pass


def state_of(sqs):
    """Queues by name, with the texts of their messages; nothing is left hidden."""
    found = {}
    for name in queue_names(sqs):
        queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
        found[name] = []
        while messages := sqs.receive_message(
            QueueUrl=queue, MaxNumberOfMessages=10, VisibilityTimeout=600
        ).get("Messages"):
            for message in messages:
                found[name].append(message["Body"])
    return {name: sorted(texts) for name, texts in found.items()}


def kill_while(victim, delay_s, path, **body):
    """Whether the verb was answered before the kill; it is awaited where no delay is said."""
    answers = []
    thread = threading.Thread(target=tell_until_killed, args=(victim.folder, path, answers), kwargs=body)
    thread.start()
    if delay_s is None:
        thread.join(60)
    else:
        time.sleep(delay_s)  # the random instant
    victim.kill()
    thread.join(60)
    victim.start()
    return answers == [200]


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_restore_is_finished_or_never_began(tmp_path, kills, seed, record_property):
    chance = random.Random(seed)
    victim = Victim(tmp_path / "data").start()
    sqs = client_of(victim.url, "sqs")
    old = {}
    for name in ("a", "b", "c"):
        old[name] = sorted(f"{name}{number}" for number in range(MESSAGES))
        filled(sqs, name, old[name])
    told(victim.folder, "POST", "/checkpoints/save", name="old")
    revision, outcomes, took_s = 0, set(), None
    for number in range(max(kills // KILLS_DIVISOR // 2, 3)):
        sqs = client_of(victim.url, "sqs")
        for name in queue_names(sqs):
            sqs.delete_queue(QueueUrl=sqs.get_queue_url(QueueName=name)["QueueUrl"])
        new = {f"new{number}": ["x", "y"], f"other{number}": []}
        for name, texts in new.items():
            filled(sqs, name, texts)
        delay_s = None if took_s is None else took_s * 1.2 * chance.random()
        was_answered = kill_while(victim, delay_s, "/checkpoints/restore", name="old")
        found = state_of(client_of(victim.url, "sqs"))
        assert found in (old, new), "a mixture"
        assert found == old or not was_answered
        outcomes.add(found == old)
        head = told(victim.folder, "GET", "/status")[1]["revision"]
        assert head > revision
        revision = head
        # What is there can be saved and restored as ever.
        began = time.perf_counter()
        assert told(victim.folder, "POST", "/checkpoints/restore", name="old")[0] == 200
        took_s = time.perf_counter() - began
        assert state_of(client_of(victim.url, "sqs")) == old
    victim.kill()
    assert True in outcomes
    record_property("kills", number + 1)
    record_property("checked", number + 1)


@pytest.mark.parametrize("seed", [3])
def test_a_killed_save_is_whole_or_not_there(tmp_path, kills, seed, record_property):
    chance = random.Random(seed)
    victim = Victim(tmp_path / "data").start()
    queue = filled(client_of(victim.url, "sqs"), "q", ["0"])
    saved = {}
    for number in range(max(kills // KILLS_DIVISOR // 2, 3)):
        name = f"c{number}"
        expected = sorted(str(each) for each in range(number + 1))
        was_answered = kill_while(victim, 0.02 * chance.random(), "/checkpoints/save", name=name)
        listed = [each["name"] for each in told(victim.folder, "GET", "/checkpoints")[1]["checkpoints"]]
        assert name in listed or not was_answered
        assert set(listed) - {name} == set(saved)
        on_disk = tmp_path / "data/checkpoints"
        assert {found.name for found in on_disk.iterdir()} == set(listed) if on_disk.exists() else not listed
        if name in listed:
            saved[name] = expected
        sqs = client_of(victim.url, "sqs")
        sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="q")["QueueUrl"], MessageBody=str(number + 1))
    for name, expected in saved.items():
        assert told(victim.folder, "POST", "/checkpoints/restore", name=name)[0] == 200
        sqs = client_of(victim.url, "sqs")
        queue = sqs.get_queue_url(QueueName="q")["QueueUrl"]
        assert bodies(sqs, queue) == expected
    victim.kill()
    record_property("kills", number + 1)
    record_property("checked", len(saved))
