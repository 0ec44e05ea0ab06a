"""Consumers of librdkafka are served at the rate that they read."""

import pytest
from tests.kafka.partition_world import batch

from cloudlet.kafka.pacing import (
    DELAY_MS_MAX,
    HEAVY,
    RATE,
    RATE_LEAST,
    REST_MS,
    SLACK_MS,
    Pace,
    count_records,
    is_paced,
)

ANSWER = 10_000
BYTES = 1_000_000


def serve(pace, now_ms, until_ms, read_ms=0.0):
    """Answers one behind the other, each asked for as soon as the last one was read; (time, records)."""
    given = 0
    while now_ms < until_ms:
        pace.asked(now_ms)
        now_ms += pace.delay_ms(now_ms, ANSWER, BYTES, has_more=True) + read_ms
        given += ANSWER
    return now_ms, given


@pytest.mark.parametrize(
    ("name", "told"),
    [("librdkafka", True), ("confluent-kafka-python", True), ("apache-kafka-java", False), ("", False)],
)
def test_who_is_paced(name, told):
    assert is_paced(name) is told


def test_records_are_counted_by_their_batches():
    some = bytes(batch("a", "b", "c")) + bytes(batch("d"))
    assert count_records(some) == 4
    assert count_records(memoryview(some + b"\0" * 30)) == 4
    assert count_records(b"") == 0


def test_whoever_is_quick_gets_the_first_rate():
    now_ms, given = serve(Pace(0.0), 0.0, 1_000.0)
    assert 0.9 * RATE <= given / now_ms <= 1.5 * RATE


def test_whoever_is_slower_than_that_never_waits():
    pace = Pace(0.0)
    now_ms, given = serve(pace, 0.0, 1_000.0, read_ms=20.0)
    assert now_ms == 20.0 * given / ANSWER


def test_a_rest_tells_the_rate_from_there_on():
    pace = Pace(0.0)
    stop_ms, given = serve(pace, 0.0, 300.0)
    read = (given - 100_000) / stop_ms  # the rest of it waits in the client
    begin_ms = stop_ms + 1_000.0
    end_ms, more = serve(pace, begin_ms, begin_ms + 1_000.0)
    assert 0.8 * read <= more / (end_ms - begin_ms) <= 1.15 * read


def test_silence_at_the_end_is_no_rest():
    pace = Pace(0.0)
    pace.asked(0.0)
    pace.delay_ms(0.0, ANSWER, BYTES, has_more=False)
    pace.asked(REST_MS * 10)
    assert pace._rate >= RATE


def test_few_records_are_never_late():
    pace = Pace(0.0)
    serve(pace, 0.0, 300.0)
    assert pace.delay_ms(300.0, HEAVY - 1, 1_000, has_more=False) == 0.0


def test_a_wait_has_its_bound_whatever_was_learnt():
    pace = Pace(0.0)
    now_ms = 0.0
    for _ in range(20):
        pace.asked(now_ms)
        assert pace.delay_ms(now_ms, 1_000_000, BYTES, has_more=True) <= DELAY_MS_MAX
        now_ms += REST_MS * 2
    assert pace._rate >= RATE_LEAST
    assert SLACK_MS < DELAY_MS_MAX < REST_MS
