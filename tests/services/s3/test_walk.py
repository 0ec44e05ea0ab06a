"""The walk against a plain model: every page of every listing, whatever the keys, prefix and delimiter."""

from bisect import bisect_left

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.kernel.keys import NO_LEASE, Entry, Revision
from cloudlet.kernel.tuples import pack
from cloudlet.services.s3.walk import Merged, Span, behind, behind_key, group_of, take

TEXT = st.text(alphabet="ab/\0é\U0001f600", max_size=4)
KEYS = st.lists(TEXT, max_size=40)
DELIMITERS = st.sampled_from(["", "/", "a", "b/", "//", "é", "\0"])
SPACE = ("s3", "object", "bucket")
OTHERS = ("s3", "version", "bucket")


class Store:
    """A sorted list of entries, and how many of them have been read."""

    def __init__(self, tuples):
        one = Revision(1)
        self.entries = [Entry(key, b"", b"", one, one, 1, NO_LEASE) for key in sorted(map(pack, tuples))]
        self.keys = [entry.key for entry in self.entries]
        self.read = 0

    def __call__(self, start, stop, limit):
        low = bisect_left(self.keys, start)
        found = self.entries[low : min(bisect_left(self.keys, stop), low + limit)]
        self.read += len(found)
        return found


def expected(keys, prefix, delimiter):
    """Every key (under its order in UTF-8) or common prefix that the whole listing shows, in order."""
    shown = []
    for key in sorted(keys, key=str.encode):
        if key.startswith(prefix):
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                common = prefix + rest.split(delimiter)[0] + delimiter
                if ("prefix", common) not in shown:
                    shown.append(("prefix", common))
            else:
                shown.append(("key", key))
    return shown


def shown(page):
    found = [("key", row.key) for row in page.rows] + [("prefix", prefix) for prefix in page.prefixes]
    return sorted(found, key=lambda item: item[1].encode())


@given(KEYS.map(set), TEXT, DELIMITERS, st.integers(1, 8))
@settings(deadline=None, max_examples=300)
def test_pages_put_together_are_the_whole_listing(keys, prefix, delimiter, limit):
    store = Store([*((*SPACE, key) for key in keys), (*SPACE[:2], "bucket\0"), ("s3", "object", "c", "a")])
    want = expected(keys, prefix, delimiter)
    found, start = [], b""
    while True:
        page = take(Span(store, SPACE, prefix, start), prefix, delimiter, limit)
        assert len(shown(page)) <= limit
        found += shown(page)
        if not page.is_truncated:
            break
        assert len(shown(page)) == limit
        assert page.last == shown(page)[-1][1]
        start = behind(SPACE, page.last, prefix, delimiter)
    assert found == want


@given(KEYS.map(set), TEXT, DELIMITERS, TEXT)
@settings(deadline=None, max_examples=300)
def test_a_marker_is_passed_with_the_common_prefix_it_is_in(keys, prefix, delimiter, marker):
    store = Store((*SPACE, key) for key in keys)
    page = take(Span(store, SPACE, prefix, behind(SPACE, marker, prefix, delimiter)), prefix, delimiter, 1000)
    group = group_of(marker, prefix, delimiter)
    rest = {key for key in keys if key > marker and not (group and key.startswith(group))}
    assert shown(page) == expected(rest, prefix, delimiter)
    assert not page.is_truncated


@given(
    st.dictionaries(TEXT, st.tuples(st.booleans(), st.integers(0, 3)), max_size=20), TEXT, DELIMITERS,
    st.integers(1, 5),
)  # fmt: skip
@settings(deadline=None, max_examples=300)
def test_two_spans_merge_in_key_order_the_first_one_first(stacks, prefix, delimiter, limit):
    current = [(*SPACE, key) for key, (there, _) in stacks.items() if there]
    older = [(*OTHERS, key, rank) for key, (_, count) in stacks.items() for rank in range(count)]
    store = Store([*current, *older])
    found, starts = [], (b"", b"")
    while True:
        merged = Merged(Span(store, SPACE, prefix, starts[0]), Span(store, OTHERS, prefix, starts[1]))
        page = take(merged, prefix, delimiter, limit)
        found += [("prefix", common) for common in page.prefixes]
        found += [("key", row.key, *row.rest) for row in page.rows]
        if not page.is_truncated:
            break
        last = page.rows[-1] if page.rows and page.rows[-1].key == page.last else None
        second = behind(OTHERS, page.last, prefix, delimiter)
        if last is not None:
            second = pack((*OTHERS, page.last, *(last.rest or (-1,)))) + b"\0"
        starts = (behind(SPACE, page.last, prefix, delimiter), second)
    want = []
    for kind, name in expected(
        [key for key, (there, count) in stacks.items() if there or count], prefix, delimiter
    ):
        if kind == "prefix":
            want.append((kind, name))
        else:
            there, count = stacks[name]
            want += [(kind, name)] if there else []
            want += [(kind, name, rank) for rank in range(count)]
    assert sorted(found) == sorted(want)


def test_a_common_prefix_costs_a_seek_not_a_walk():
    store = Store((*SPACE, f"{first}/{number:05}") for first in range(10) for number in range(5000))
    page = take(Span(store, SPACE, ""), "", "/", 1000)
    assert page.prefixes == [f"{first}/" for first in range(10)]
    assert store.read <= 100


def test_plain_keys_are_read_about_once():
    store = Store((*SPACE, f"{number:05}") for number in range(5000))
    assert len(take(Span(store, SPACE, ""), "", "/", 1000).rows) == 1000
    assert store.read <= 1600


def test_a_page_of_nothing_is_not_truncated():
    store = Store([(*SPACE, "a")])
    assert take(Span(store, SPACE, ""), "", "", 0) == ([], [], "", False)


def test_behind_a_key_is_before_the_next_one_that_has_a_nul():
    assert pack((*OTHERS, "a", 2**62)) < behind_key(OTHERS, "a") < pack((*OTHERS, "a\0"))
