"""Ranges, conditions and version ids, by themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.fault import Fault
from cloudlet.services.s3.reading import Conditions, Span, cut, names_etag, part_span, parts_of, span_asked
from cloudlet.services.s3.state import Object, Piece, ordinal_of, version_id_of

NOW_S = 1_700_000_000


def object_of(*sizes, etag="abc-2"):
    pieces = tuple(Piece(f"{number:026}", size) for number, size in enumerate(sizes))
    return Object(1, "null", NOW_S * 1000 + 700, sum(sizes), etag, pieces)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.integers(0, 260), st.integers(0, 260))
def test_a_span_is_cut_out_of_the_pieces(sizes, start, length):
    found = object_of(*sizes)
    whole = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    span = Span(min(start, len(whole)), min(start + length, len(whole)))
    got = b"".join(
        bytes([int(piece.blob)]) * (stop - start) for piece, start, stop in cut(found.pieces, span)
    )
    assert got == whole[span.start : span.stop]


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_ranges_are_those_of_the_rfc(size, first, last):
    body = bytes(range(size))
    for header, wanted in (
        (f"bytes={first}-", body[first:]), (f"bytes={first}-{last}", body[first : last + 1]),
        (f"bytes=-{last}", body[max(0, size - last) :]),
    ):  # fmt: skip
        if header == f"bytes={first}-{last}" and last < first:
            assert span_asked(header, size) is None
        elif not wanted:
            with pytest.raises(Fault, match="InvalidRange") as refused:
                span_asked(header, size)
            assert refused.value.status == 416
            assert refused.value.headers == (("content-range", f"bytes */{size}"),)
        else:
            span = span_asked(header, size)
            assert body[span.start : span.stop] == wanted


def test_parts():
    found = object_of(5, 7)
    assert [part_span(found, number) for number in (1, 2)] == [Span(0, 5), Span(5, 12)]
    assert parts_of(found) == 2
    for number in (0, 3):
        with pytest.raises(Fault, match="InvalidPartNumber"):
            part_span(found, number)
    assert part_span(object_of(5, etag="abc"), 1) == Span(0, 5)


@pytest.mark.parametrize(
    ("condition", "is_named"),
    [('"abc-2"', True), ("abc-2", True), ('W/"abc-2"', True), ('"x", "abc-2"', True), ("*", True),
     ('"abc"', False)],
)  # fmt: skip
def test_entity_tags(condition, is_named):
    assert names_etag(condition, "abc-2") is is_named


@pytest.mark.parametrize(
    ("conditions", "broken", "unchanged"),
    [
        (Conditions(None, None, None, None), None, None),
        (Conditions("x", None, None, None), "If-Match", None),
        (Conditions("abc-2", None, None, NOW_S - 1), None, None),
        (Conditions(None, None, None, NOW_S), None, None),
        (Conditions(None, None, None, NOW_S - 1), "If-Unmodified-Since", None),
        (Conditions(None, "abc-2", NOW_S - 1, None), None, "If-None-Match"),
        (Conditions(None, "x", NOW_S, None), None, None),
        (Conditions(None, None, NOW_S, None), None, "If-Modified-Since"),
        (Conditions(None, None, NOW_S + 1, None), None, None),
    ],
)
def test_conditions_together(conditions, broken, unchanged):
    found = object_of(5, 7)
    assert (conditions.broken(found), conditions.unchanged(found, NOW_S * 1000)) == (broken, unchanged)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 2**62), st.binary(min_size=16, max_size=16))
def test_a_version_id_carries_its_ordinal(ordinal, token):
    version_id = version_id_of(ordinal, token)
    assert len(version_id) == 32
    assert ordinal_of(version_id) == ordinal


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=40))
def test_other_text_is_no_version_id(text):
    assert ordinal_of(text) is None or len(text) == 32
