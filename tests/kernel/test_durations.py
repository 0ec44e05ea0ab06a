"""Durations and instants as people write them."""

import pytest
from hypothesis import given, strategies

from cloudlet.kernel.durations import Unreadable, parse_duration, parse_instant, spell_duration, spell_instant


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [
        ("90s", 90_000), ("15m", 900_000), ("36h", 129_600_000), ("8d", 691_200_000),
        ("1d12h", 129_600_000), ("1.5h", 5_400_000), ("250ms", 250), ("2w", 1_209_600_000),
        (" 1H30M ", 5_400_000), ("0s", 0),
    ],
)  # fmt: skip
def test_durations(text, duration_ms):
    assert parse_duration(text) == duration_ms


@pytest.mark.parametrize("text", ["", "8", "d", "8 d", "8x", "1d-2h", "1e9s", "P8D", "eight days"])
def test_what_is_no_duration_is_told_what_one_looks_like(text):
    with pytest.raises(Unreadable, match="1d12h"):
        parse_duration(text)


def test_a_duration_is_not_negative():
    with pytest.raises(Unreadable, match="not negative"):
        parse_duration("-8d")


@given(strategies.integers(0, 10**12))
def test_what_is_spelled_is_read_back(duration_ms):
    assert parse_duration(spell_duration(duration_ms)) == duration_ms


def test_spelling():
    assert [spell_duration(each) for each in (0, 691_200_000, -185_000, 129_600_001)] == [
        "0s", "8d", "-3m5s", "1d12h1ms",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["2023-11-14T22:13:20Z", "2023-11-14T22:13:20", "2023-11-14T23:13:20+01:00", "20231114T221320.000Z"],
)
def test_instants(text):
    assert parse_instant(text) == 1_700_000_000_000


def test_instants_are_spelled_in_utc():
    assert spell_instant(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"
    assert parse_instant(spell_instant(253_402_300_799_999)) == 253_402_300_799_999
    with pytest.raises(Unreadable, match="ISO 8601"):
        parse_instant("tomorrow")
