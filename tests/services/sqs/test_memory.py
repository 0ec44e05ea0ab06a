"""What a waiting message costs in memory."""

import tracemalloc

from .scene import Queue

MESSAGES = 100_000
BYTES_EACH_MAX = 300


def test_a_waiting_message_takes_under_300_bytes():
    queue = Queue()
    records = []
    for _ in range(MESSAGES):
        queue.now_ms += 1
        queue.send("x" * 100)
        records.append(queue.log.pop())
    tracemalloc.start()
    try:
        state = queue.replayed()
        for offset, record in records:
            state.apply(int(str(offset)), record)  # an int of its own, as a log hands it out
        used_bytes = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert state.shelf.counts(queue.now_ms).ready == MESSAGES
    assert used_bytes / MESSAGES < BYTES_EACH_MAX
