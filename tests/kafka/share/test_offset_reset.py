"""The values of share.auto.offset.reset."""

import pytest

from cloudlet.kafka.share.offset_reset import OffsetReset, Strategy, parse_offset_reset

HOUR_MS = 3_600_000


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("latest", OffsetReset(Strategy.LATEST)),
        ("earliest", OffsetReset(Strategy.EARLIEST)),
        ("by_duration:PT1H", OffsetReset(Strategy.BY_DURATION, HOUR_MS)),
        ("by_duration:P2DT3H4M5.678S", OffsetReset(Strategy.BY_DURATION, 51 * HOUR_MS + 245_678)),
        ("by_duration:p1d", OffsetReset(Strategy.BY_DURATION, 24 * HOUR_MS)),
        ("by_duration:PT0S", OffsetReset(Strategy.BY_DURATION, 0)),
    ],
)
def test_it_is_understood(text, found):
    assert parse_offset_reset(text) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "none", "LATEST", "latest:", "earliest:PT1H", "by_duration", "by_duration:", "by_duration:P",
        "by_duration:PT", "by_duration:P1DT", "by_duration:1H", "by_duration:-PT1H", "by_duration:PT-1H",
        "by_duration:P1Y", "by_duration:P99999999999999D",
    ],
)  # fmt: skip
def test_it_is_refused(text):
    with pytest.raises(ValueError):
        parse_offset_reset(text)
