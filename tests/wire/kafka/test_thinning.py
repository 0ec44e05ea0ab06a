"""Batches from which compaction took records: what stays is what it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.kafka.compressing import pack, packing
from cloudlet.kafka.record_reader import read_records
from cloudlet.kafka.turns import whole as done
from cloudlet.kernel.batches import checked_size, header
from cloudlet.wire.kafka.records import LOG_APPEND_TIME, TRANSACTIONAL, Producer, Record, encode, seal
from cloudlet.wire.kafka.thinning import DELETE_HORIZON, thinned

NOW_MS = 1_700_000_000_000
HORIZON_MS = NOW_MS + 86_400_000

records_of = st.lists(
    st.builds(
        Record,
        st.none() | st.binary(max_size=200),
        st.binary(max_size=20),
        st.integers(NOW_MS - 10**10, NOW_MS + 10**10),
        st.sampled_from([(), (("h", b"v"), ("n", None))]),
    ),
    min_size=1,
    max_size=12,
)


@given(
    records=records_of,
    picks=st.sets(st.integers(0, 11)),
    horizon=st.booleans(),
    attributes=st.sampled_from([0, TRANSACTIONAL]),
)
def test_what_stays_is_what_it_was(records, picks, horizon, attributes):
    whole = encode(records, producer=Producer(7, 2, 5), attributes=attributes)
    batch = header(whole)
    kept = [view for number, view in enumerate(read_records(whole)) if number in picks]
    times = [view.timestamp_ms for view in kept]
    raw = done(
        thinned(batch, [view.encoded for view in kept], times, HORIZON_MS if horizon else None, packing)
    )
    assert checked_size(raw) == len(raw)
    found = header(raw)
    assert (found.base_offset, found.next_offset) == (batch.base_offset, batch.next_offset)
    assert (found.producer_id, found.producer_epoch, found.base_sequence) == (7, 2, 5)
    assert found.records_count == len(kept)
    again = list(read_records(raw))
    assert [view[:4] for view in again] == [view[:4] for view in kept]
    if kept:
        assert found.max_timestamp_ms == max(times)
        assert bool(found.attributes & DELETE_HORIZON) == horizon
        if horizon:
            assert found.base_timestamp_ms == HORIZON_MS
        else:
            assert [view.encoded for view in again] == [view.encoded for view in kept]
    else:
        assert not found.attributes & DELETE_HORIZON
        assert found.max_timestamp_ms == batch.max_timestamp_ms
    assert bool(found.attributes & TRANSACTIONAL) == bool(attributes)


@pytest.mark.parametrize("codec", [1, 2, 3, 4])
def test_the_codec_stays(codec):
    plain = encode([Record(b"v%d" % number, b"k", NOW_MS) for number in range(3)])
    batch = header(seal(pack(codec, plain[61:]), 3, NOW_MS, NOW_MS, attributes=codec))
    views = list(read_records(plain))[1:]
    raw = done(thinned(batch, [view.encoded for view in views], [NOW_MS] * 2, None, packing))
    assert header(raw).attributes == codec
    assert [view.value for view in read_records(raw)] == [b"v1", b"v2"]
    emptied = done(thinned(batch, [], [], None, packing))
    assert (header(emptied).attributes, len(emptied)) == (0, 61)


def test_the_time_of_an_append_stays():
    whole = encode([Record(None, b"k", NOW_MS)], attributes=LOG_APPEND_TIME)
    (view,) = read_records(whole)
    raw = done(thinned(header(whole), [view.encoded], [view.timestamp_ms], HORIZON_MS, packing))
    assert [again.timestamp_ms for again in read_records(raw)] == [NOW_MS]
