"""Regular expressions of consumer groups: what they match, what is refused, and that none takes long."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.groups.regexes import compiled
from cloudlet.wire.kafka.error_codes import ErrorCode


@pytest.mark.parametrize(
    ("pattern", "names", "others"),
    [
        ("orders", ["orders"], ["orders2", "my-orders", ""]),
        ("orders.*", ["orders", "orders.eu"], ["order"]),
        ("^topic-[0-9]+$", ["topic-7", "topic-10"], ["topic-", "topic-x"]),
        (r"a\.b\d{2,3}", ["a.b12", "a.b123"], ["a.b1", "axb12", "a.b1234"]),
        ("(a|bc)+d?", ["a", "bcbca", "ad"], ["", "bd", "add"]),
        ("(?:x|)y", ["xy", "y"], ["x"]),
        ("[^a-c_.]+", ["xyz", "-"], ["ax", "x_"]),
        ("[]a]", ["]", "a"], ["b"]),
        ("[a-]", ["a", "-"], ["b"]),
        ("a{2}", ["aa"], ["a", "aaa"]),
        ("a{,2}", ["a{,2}"], ["a", "aa"]),
        ("a*?b", ["b", "aab"], ["a"]),
        ("(?P<n>t)-(?<m>u)", ["t-u"], ["tu"]),
        (r"\At\z", ["t"], ["tt"]),
        ("", [""], ["a"]),
        ("a||b", ["", "a", "b"], ["ab"]),
        (r"[\w.]+", ["a.b_c"], ["a-b"]),
    ],
)
def test_matches(pattern, names, others):
    matches = compiled(pattern)
    assert [name for name in names if not matches(name)] == []
    assert [name for name in others if matches(name)] == []


@pytest.mark.parametrize(
    "pattern",
    ["(", ")", "a)", "*", "a**", "[", "[b-a]", "[[:alpha:]]", r"\1", r"(a)\1", "(?=a)", "(?!a)", "(?<=a)b",
     "(?i)a", "\\", "a{1001}", "a{3,2}", "(" * 200, "x" * 1001, "((a{100}){100}){100}", r"\pN"],
)  # fmt: skip
def test_refused(pattern):
    with pytest.raises(KafkaFault) as caught:
        compiled(pattern)
    assert caught.value.code == ErrorCode.INVALID_REGULAR_EXPRESSION


def test_what_backtracks_for_ever_elsewhere_ends_at_once():
    assert not compiled("(a+)+b")("a" * 249)
    assert not compiled(".*.*.*.*.*.*.*x")("a" * 249)


PATTERNS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", r"\d", "c-"]),
    lambda parts: st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map("(?:%s|%s)".__mod__),
        st.tuples(parts, st.sampled_from(["*", "+", "?", "{2}", "{1,}", "{0,2}"])).map(
            lambda both: f"(?:{both[0]}){both[1]}"
        ),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("abc-1", max_size=8))
def test_agrees_with_re(pattern, name):
    assert compiled(pattern)(name) == (re.fullmatch(pattern, name) is not None)
