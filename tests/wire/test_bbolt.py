"""A bbolt file is read back page by page: every page is reached once, keys are in order, values are whole.

etcd's own programs read such files in tests/interop/test_etcd_snapshot.py.
"""

import struct

import pytest

from cloudlet.wire.bbolt import PAGE_BYTES, BboltFile, Pairs, fnv

BRANCH, LEAF, META, FREELIST = 1, 2, 4, 16


class File:
    """A reader after bbolt's description of its file."""

    def __init__(self, data):
        self.data = data
        self.seen = set()

    def head(self, page):
        number, kind, count, more = struct.unpack_from("<QHHI", self.data, page * PAGE_BYTES)
        assert number == page
        pages = set(range(page, page + more + 1))
        assert not pages & self.seen
        self.seen |= pages
        return kind, count

    def meta(self, page):
        kind, _ = self.head(page)
        assert kind == META
        at = page * PAGE_BYTES + 16
        fields = struct.unpack_from("<IIIIQQQQQQ", self.data, at)
        assert fields[:4] == (0xED0CDAED, 2, PAGE_BYTES, 0)
        assert fields[9] == fnv(self.data[at : at + 56])
        root, _, freelist, stop, transaction = fields[4:9]
        assert transaction == page
        assert stop * PAGE_BYTES == len(self.data)
        return root, freelist

    def items(self, page):
        """(flags, key, value) under a page."""
        kind, count = self.head(page)
        at = page * PAGE_BYTES + 16
        if kind == BRANCH:
            assert count
            for number in range(count):
                place = at + 16 * number
                start, size, child = struct.unpack_from("<IIQ", self.data, place)
                key = self.data[place + start : place + start + size]
                found = list(self.items(child))
                assert found[0][1] == key
                yield from found
            return
        assert kind == LEAF
        for number in range(count):
            place = at + 16 * number
            flags, start, key_size, size = struct.unpack_from("<IIII", self.data, place)
            begin = place + start
            value = self.data[begin + key_size : begin + key_size + size]
            yield flags, self.data[begin : begin + key_size], value

    def buckets(self):
        root, freelist = self.meta(1)
        assert self.meta(0) == (root, freelist)
        assert self.head(freelist) == (FREELIST, 0)
        found = {}
        for flags, name, value in self.items(root):
            assert flags == 1
            page, sequence = struct.unpack("<QQ", value)
            assert sequence == 0
            rows = list(self.items(page))
            assert all(flags == 0 for flags, _, _ in rows)
            keys = [key for _, key, _ in rows]
            assert keys == sorted(set(keys))
            found[name] = {key: value for _, key, value in rows}
        assert list(found) == sorted(found)
        assert self.seen == set(range(len(self.data) // PAGE_BYTES))
        return found


def written(buckets):
    file = BboltFile([(name, Pairs(list(rows.items()))) for name, rows in buckets.items()])
    for _ in file.measured():
        pass
    data = b"".join(file.written())
    assert len(data) == file.size_bytes
    return data


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {b"k": b""},
        {b"k": bytes(PAGE_BYTES - 33)},  # fills its page to the last byte
        {b"k": bytes(PAGE_BYTES - 32), b"l": b"1"},
        {b"k": bytes(100_000), b"l": b"1", b"m": bytes(5_000)},
        {b"%05d" % number: b"%d" % number for number in range(300)},
        {b"%05d" % number: bytes(number % 700) for number in range(6_000)},  # three levels
        {b"%05d" % number + bytes(3000): b"" for number in range(40)},  # two children to a branch
        {b"%05d" % number + bytes(9000): b"" for number in range(5)},  # branches longer than a page
    ],
    ids=["none", "one", "full", "over", "large", "some", "many", "wide", "wider"],
)
def test_what_is_written_is_read(rows):
    buckets = {b"b": rows, b"a": {b"x": b"y"}, b"c": {}}
    assert File(written(buckets)).buckets() == buckets


def test_there_is_a_turn_while_it_is_measured():
    file = BboltFile([(b"b", Pairs([(b"%05d" % number, b"") for number in range(10_000)]))])
    assert len(list(file.measured())) >= 5
    assert max(len(piece) for piece in file.written()) < 300_000


def test_the_sum():
    assert fnv(b"") == 0xCBF29CE484222325
    assert fnv(b"foobar") == 0x85944171F73967E8
