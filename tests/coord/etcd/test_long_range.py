"""A range that takes several turns is answered like one that takes one, whatever happens in between."""

import asyncio
import itertools
import random

import pytest
from tests.coord.etcd.running import run

from cloudlet.coord.etcd import long_range as module
from cloudlet.coord.etcd.kv import Kv
from cloudlet.coord.etcd.long_range import Turns, is_long, long_range
from cloudlet.coord.etcd.replies import Replies
from cloudlet.engines import disk_keys, disk_keys_past
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.kernel.keys import Author, Commit, Drop, Put
from cloudlet.kernel.spaces import ETCD
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import GrpcStatus
from cloudlet.wire.protobuf import decode

ANNA = Author("etcd", "anna")
KEYS = 60
ALL = {"key": b"\0", "range_end": b"\0"}
SORTS = list(itertools.product((0, 1, 2), (0, 1, 2, 3, 4)))


@pytest.fixture(autouse=True)
def short_turns(monkeypatch):
    monkeypatch.setattr(module, "KEYS_MAX", 7)
    monkeypatch.setattr(disk_keys, "SCAN_KEYS", 5)
    monkeypatch.setattr(disk_keys_past, "SCAN_KEYS", 5)


def change(keys, pick):
    """One random commit."""
    name = ETCD + b"k%02d" % pick.randrange(KEYS)
    if pick.random() < 0.3:
        keys.commit_now(Commit(ANNA, drop=[Drop(name, name + b"5")]))
    else:
        keys.commit_now(Commit(ANNA, put=[Put(name, b"%d" % pick.randrange(5))]))


async def filled(folder, pick):
    keys = await DiskKeys.open(folder, lambda: 0.0)
    for number in range(KEYS):
        keys.commit_now(Commit(ANNA, put=[Put(ETCD + b"k%02d" % number, b"%d" % pick.randrange(5))]))
    for _ in range(40):
        change(keys, pick)
    return keys


def requests(keys, pick):
    for order, target in SORTS:
        fields = dict(ALL, sort_order=order, sort_target=target, limit=pick.choice((0, 0, 1, 9, 30, 1000)))
        if pick.random() < 0.4:
            fields["min_mod_revision"] = pick.randrange(1, keys.head)
        if pick.random() < 0.3:
            fields["max_create_revision"] = pick.randrange(1, keys.head)
        fields["keys_only"] = pick.random() < 0.3
        yield fields


@pytest.mark.parametrize("seed", range(4))
def test_it_is_what_one_turn_answers(tmp_path, seed):
    async def main():
        pick = random.Random(seed)
        keys = await filled(tmp_path, pick)
        kv, replies = Kv(keys), Replies(keys)
        for fields in requests(keys, pick):
            if not is_long(keys, pb.RangeRequest(**fields)):
                continue
            wanted, revision = kv.range(pb.RangeRequest(**fields))
            asked = asyncio.create_task(long_range(keys, replies, Turns(), pb.RangeRequest(**fields)))
            await asyncio.sleep(0)
            while not asked.done():
                change(keys, pick)
                await asyncio.sleep(0)
            found = decode(pb.RangeResponse, asked.result())
            assert found.header.revision == revision
            found.header = wanted.header
            assert found == wanted, fields
        replies.close()
        await keys.close()

    run(main)


def test_a_past_revision_is_read_while_the_present_moves(tmp_path):
    async def main():
        pick = random.Random(5)
        keys = await filled(tmp_path, pick)
        replies = Replies(keys)
        revision = keys.head
        wanted, _ = Kv(keys).range(pb.RangeRequest(**ALL))
        for _ in range(10):
            change(keys, pick)
        asked = asyncio.create_task(
            long_range(keys, replies, Turns(), pb.RangeRequest(**ALL, revision=revision))
        )
        while not asked.done():
            change(keys, pick)
            await asyncio.sleep(0)
        found = decode(pb.RangeResponse, asked.result())
        assert (found.kvs, found.count) == (wanted.kvs, wanted.count)
        with pytest.raises(GrpcStatus, match="future revision"):
            await long_range(keys, replies, Turns(), pb.RangeRequest(**ALL, revision=keys.head + 1))
        await keys.compact(keys.head)
        with pytest.raises(GrpcStatus, match="compacted"):
            await long_range(keys, replies, Turns(), pb.RangeRequest(**ALL, revision=revision))
        replies.close()
        await keys.close()

    run(main)


def test_a_compaction_in_between_harms_no_read_at_head(tmp_path):
    async def main():
        keys = await filled(tmp_path, random.Random(6))
        replies = Replies(keys)
        asked = asyncio.create_task(long_range(keys, replies, Turns(), pb.RangeRequest(**ALL)))
        await asyncio.sleep(0)
        keys.commit_now(Commit(ANNA, put=[Put(ETCD + b"k00", b"new")]))
        keys.commit_now(Commit(ANNA, put=[Put(ETCD + b"k59", b"new")]))
        await keys.compact(keys.head)
        wanted, revision = Kv(keys).range(pb.RangeRequest(**ALL))
        found = decode(pb.RangeResponse, await asked)
        assert (found.header.revision, found.kvs) == (revision, wanted.kvs)
        replies.close()
        await keys.close()

    run(main)


def test_many_at_once_make_one_slice_in_a_turn(tmp_path, monkeypatch):
    made = []
    encode = module.encode
    monkeypatch.setattr(module, "encode", lambda message: made.append(message) or encode(message))

    async def main():
        keys = await filled(tmp_path, random.Random(8))
        replies, turns = Replies(keys), Turns()
        await keys.settle(keys.head)
        asked = [
            asyncio.create_task(long_range(keys, replies, turns, pb.RangeRequest(**ALL))) for _ in range(9)
        ]
        asked[4].cancel()
        most = 0
        while not all(each.done() for each in asked):
            made.clear()
            await asyncio.sleep(0)
            most = max(most, sum(bool(message.kvs) for message in made))
        assert most == 1
        wanted, _ = Kv(keys).range(pb.RangeRequest(**ALL))
        found = [decode(pb.RangeResponse, each.result()).kvs for each in asked if not each.cancelled()]
        assert found == [wanted.kvs] * 8
        replies.close()
        await keys.close()

    run(main)


def test_of_a_limited_one_no_more_is_read(tmp_path, monkeypatch):
    async def main():
        keys = await filled(tmp_path, random.Random(9))
        limits = []
        scan_at = keys.scan_at

        async def noting(revision, start, stop, *, limit=None):
            limits.append(limit)
            return await scan_at(revision, start, stop, limit=limit)

        monkeypatch.setattr(keys, "scan_at", noting)
        replies, request = Replies(keys), pb.RangeRequest(**ALL, limit=9)
        wanted, _ = Kv(keys).range(request)
        found = decode(pb.RangeResponse, await long_range(keys, replies, Turns(), request))
        assert (found.kvs, found.count, found.more) == (wanted.kvs, wanted.count, True)
        assert limits == [10]
        replies.close()
        await keys.close()

    run(main)


def test_it_is_for_long_ranges_alone(tmp_path):
    async def main():
        keys = await filled(tmp_path, random.Random(7))
        assert is_long(keys, pb.RangeRequest(**ALL))
        assert is_long(keys, pb.RangeRequest(**ALL, limit=5, sort_order=2))
        assert is_long(keys, pb.RangeRequest(**ALL, limit=5, min_mod_revision=2))
        assert not is_long(keys, pb.RangeRequest(**ALL, limit=5))
        assert not is_long(keys, pb.RangeRequest(**ALL, count_only=True))
        assert not is_long(keys, pb.RangeRequest(key=b"k00", range_end=b"k03"))
        assert not is_long(keys, pb.RangeRequest(key=b"k00"))
        await keys.close()

    run(main)
