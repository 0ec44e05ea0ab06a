"""Packs: small bodies that share files, across reopens, drops and torn ends."""

import asyncio
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudlet.engines import disk_pack_file, disk_packs, disk_window
from cloudlet.engines.disk_blobs import DiskBlobs
from cloudlet.engines.disk_pack_file import place_of
from cloudlet.engines.disk_packs import BODY_BYTES_MAX, Packs
from cloudlet.kernel.blob_ids import BlobIds
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import NoSuchBlob
from cloudlet.kernel.ids import Ids


@pytest.fixture
def small_packs(monkeypatch):
    monkeypatch.setattr(disk_packs, "PACK_BYTES", 1000)
    monkeypatch.setattr(disk_pack_file, "SCANNED_BYTES", 100)
    monkeypatch.setattr(disk_packs, "OPEN_MAX", 3)


@pytest.fixture
def compacts(monkeypatch):
    monkeypatch.setattr(disk_packs, "COMPACTED_BYTES_MIN", 0)


def opened(folder):
    return Packs(folder, BlobIds(ManualClock(), Ids()))


def read(packs, blob):
    return packs.read(blob, place_of(blob))


def drop(packs, blob):
    asyncio.run(packs.drop(blob, place_of(blob)))


def listed(packs, after=None, limit=1000):
    return sorted(each.id for each in asyncio.run(packs.listed(after, limit)))


def test_an_id_says_where_its_body_is(tmp_path):
    packs = opened(tmp_path)
    sizes = [0, 1, 1000, BODY_BYTES_MAX]
    made = [packs.put(os.urandom(size)) for size in sizes]
    assert [place_of(blob).size_bytes for blob in made] == sizes
    assert [place_of(blob).position for blob in made] == [0, 32, 65, 1097]
    assert place_of(BlobIds(ManualClock(), Ids()).fresh()) is None


def test_every_pack_is_read_whatever_is_open(tmp_path, small_packs):
    packs = opened(tmp_path)
    made = {packs.put(b"%d" % number * 30): b"%d" % number * 30 for number in range(200)}
    assert len(list(tmp_path.iterdir())) > 10
    order = list(made)
    random.Random(1).shuffle(order)
    for each in (packs, opened(tmp_path)):
        assert all(read(each, blob) == made[blob] for blob in order)
    assert listed(opened(tmp_path)) == list(made)


def test_a_pack_goes_with_its_last_body(tmp_path, small_packs):
    packs = opened(tmp_path)
    made = [packs.put(bytes(100)) for _ in range(30)]
    by_pack = {}
    for blob in made:
        by_pack.setdefault(place_of(blob).pack, []).append(blob)
    first, second, *_, last = by_pack.values()
    for blob in first:
        drop(packs, blob)
    packs.close()
    packs = opened(tmp_path)
    for blob in [*second, *last]:
        drop(packs, blob)
        drop(packs, blob)
    left = [blob for blob in made if blob not in {*first, *second, *last}]
    assert listed(packs) == left
    assert len(list(tmp_path.iterdir())) == len(by_pack) - 3
    assert all(read(packs, blob) is None for blob in [*first, *second, *last])


def test_the_active_pack_goes_once_it_is_full(tmp_path, small_packs):
    packs = opened(tmp_path)
    for _ in range(50):
        drop(packs, packs.put(bytes(100)))
    assert len(list(tmp_path.iterdir())) == 1


def test_pages_follow_each_other(tmp_path, small_packs):
    packs = opened(tmp_path)
    made = [packs.put(bytes(100)) for _ in range(60)]
    packs.close()
    packs = opened(tmp_path)
    made += [packs.put(bytes(100)) for _ in range(60)]
    found, after = [], None
    while page := listed(packs, after, 7)[:7]:
        found += page
        after = page[-1]
    assert found == sorted(made)


@pytest.mark.parametrize("cut", [1, 31, 32, 40, 131])
def test_a_torn_end_hides_nothing_before_it_and_nothing_after(tmp_path, cut):
    packs = opened(tmp_path)
    kept, torn = packs.put(b"k" * 100), packs.put(b"t" * 100)
    packs.close()
    (pack,) = tmp_path.iterdir()
    os.truncate(pack, pack.stat().st_size - cut)
    again = opened(tmp_path)
    assert (read(again, kept), read(again, torn)) == (b"k" * 100, None)
    later = again.put(b"later")
    assert listed(again) == sorted([kept, later])
    assert read(again, later) == b"later"


def test_a_refused_write_leaves_no_trace(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_window, "IS_COHERENT", False)
    packs = opened(tmp_path)
    before = packs.put(b"before")

    def full(file, data, position):
        real(file, data[:10], position)
        raise OSError(28, "No space left on device")

    real = os.pwrite
    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(OSError, match="No space"):
        packs.put(b"refused")
    monkeypatch.undo()
    after = packs.put(b"after")
    assert listed(packs) == [before, after]
    assert [read(packs, each) for each in (before, after)] == [b"before", b"after"]


def test_a_full_disk_is_met_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_packs, "WINDOW_BYTES", 300)
    packs = opened(tmp_path)
    made = [packs.put(b"a" * 100), packs.put(b"b" * 100)]
    real, room = os.posix_fallocate, 600

    def nearly_full(file, start, size):
        if start + size > room:
            raise OSError(28, "No space left on device")
        real(file, start, size)

    monkeypatch.setattr("os.posix_fallocate", nearly_full)
    made += [packs.put(b"c" * 100), packs.put(b"d" * 100)]  # the rest of the room, to the byte
    for _ in range(2):
        with pytest.raises(OSError, match="No space"):
            packs.put(b"refused" * 20)
    made.append(packs.put(b"e" * 10))
    room = 1 << 20
    made.append(packs.put(b"f" * 100))
    assert listed(packs) == sorted(made)
    sizes = [100, 100, 100, 100, 10, 100]
    assert [read(packs, each) for each in made] == [
        b"%c" % letter * size for letter, size in zip(b"abcdef", sizes, strict=True)
    ]


def test_what_was_reserved_is_given_back(tmp_path, small_packs):
    packs = opened(tmp_path)
    for _ in range(20):
        packs.put(bytes(100))
    sizes = {each.name: each.stat().st_size for each in tmp_path.iterdir()}
    assert sizes == {"000001": 924, "000002": 924, "000003": 1000}  # the last one is written into
    packs.close()
    assert (tmp_path / "000003").stat().st_size == 792


def test_what_was_reserved_when_a_crash_came_is_no_damage(tmp_path, compacts):
    packs = opened(tmp_path)
    kept, gone = packs.put(b"kept"), packs.put(b"gone")
    again = opened(tmp_path)  # the first is not closed, as by a kill
    assert (tmp_path / "000001").stat().st_size > 10_000
    assert listed(again) == sorted([kept, gone])
    drop(again, gone)
    assert (tmp_path / "000001").stat().st_size < 200  # compacted
    assert read(again, kept) == b"kept"
    drop(again, kept)
    assert list(tmp_path.iterdir()) == []


def test_a_write_that_comes_in_parts_is_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(disk_window, "IS_COHERENT", False)
    packs = opened(tmp_path)
    real = os.pwrite
    monkeypatch.setattr("os.pwrite", lambda file, data, position: real(file, data[:7], position))
    blob = packs.put(b"0123456789" * 10)
    monkeypatch.undo()
    assert read(packs, blob) == b"0123456789" * 10


def test_a_file_from_before_there_were_packs_is_found(tmp_path):
    async def scenario():
        blobs = DiskBlobs.open_folder(tmp_path, ManualClock(), Ids())
        old = "v" * 26
        (tmp_path / "vv").mkdir()
        (tmp_path / "vv" / old).write_bytes(b"old")
        assert [facts.id for facts in await blobs.ids()] == [old]
        reader = await blobs.open(old)
        assert reader.size_bytes == 3
        reader.close()
        await blobs.drop(old)
        with pytest.raises(NoSuchBlob):
            await blobs.open(old)

    asyncio.run(scenario())


def test_a_pack_whose_bodies_went_in_an_earlier_opening_goes_with_a_listing(tmp_path):
    packs = opened(tmp_path)
    blob = packs.put(b"x")
    drop(packs, blob)
    packs.close()
    again = opened(tmp_path)
    assert listed(again) == []
    assert list(tmp_path.iterdir()) == []


def test_nothing_behind_a_damaged_entry_is_given_up(tmp_path):
    packs = opened(tmp_path)
    first, damaged, behind = (packs.put(b"x" * 100) for _ in range(3))
    packs.close()
    (pack,) = tmp_path.iterdir()
    with pack.open("r+b") as file:
        file.seek(place_of(damaged).position)
        file.write(bytes(32))
    again = opened(tmp_path)
    drop(again, first)
    assert listed(again) == []
    assert read(again, damaged) is None
    assert read(again, behind) == b"x" * 100


def test_a_name_is_synced_although_its_pack_is_full_by_then(tmp_path, small_packs, monkeypatch):
    synced = []
    monkeypatch.setattr(disk_packs, "sync_folder", synced.append)
    packs = opened(tmp_path / "packs")
    first = packs.put(bytes(900))
    packs.put(bytes(900))
    asyncio.run(packs.sync(first))
    asyncio.run(packs.sync(first))
    assert synced == [tmp_path / "packs", tmp_path]


def test_what_is_no_pack_is_left_alone(tmp_path):
    (tmp_path / ".hidden").write_text("x")
    packs = opened(tmp_path)
    blob = packs.put(b"x")
    assert listed(packs) == [blob]
    assert (tmp_path / ".hidden").exists()


@given(
    st.lists(st.tuples(st.sampled_from(["put", "drop", "reopen", "list"]), st.integers(0, 400)), max_size=60),
    st.sampled_from([0, 1 << 20]),
)
@settings(deadline=None, max_examples=120)
def test_packs_hold_what_a_dictionary_would(tmp_path_factory, steps, smallest):
    folder = tmp_path_factory.mktemp("packs")
    clock, ids = ManualClock(), Ids()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(disk_packs, "PACK_BYTES", 700)
        patched.setattr(disk_packs, "COMPACTED_BYTES_MIN", smallest)
        packs, model = Packs(folder, BlobIds(clock, ids)), {}
        for verb, number in steps:
            if verb == "put":
                body = os.urandom(number)
                model[packs.put(body)] = body
            elif verb == "drop" and model:
                blob = sorted(model)[number % len(model)]
                drop(packs, blob)
                del model[blob]
            elif verb == "reopen":
                packs.close()
                clock.pass_ms(1)
                packs = Packs(folder, BlobIds(clock, ids))
            elif verb == "list":
                limit = number % 5 + 1
                assert listed(packs, None, limit)[:limit] == sorted(model)[:limit]
        assert listed(packs) == sorted(model)
        assert all(read(packs, blob) == body for blob, body in model.items())
        packs.close()


def test_a_sparse_pack_gives_its_room_back_and_keeps_its_ids(tmp_path, small_packs, compacts):
    packs = opened(tmp_path)
    made = {packs.put(bytes([number]) * 50): bytes([number]) * 50 for number in range(30)}
    first = [blob for blob in made if place_of(blob).pack == place_of(next(iter(made))).pack]
    path = tmp_path / f"{place_of(first[0]).pack:06x}"
    before = path.stat().st_size
    kept = [first[1], first[-1]]
    for blob in first:
        if blob not in kept:
            drop(packs, blob)
    assert path.stat().st_size < before / 2
    assert [name for name in os.listdir(tmp_path) if name.endswith(".new")] == []
    for _ in range(2):
        assert [read(packs, blob) for blob in first] == [
            made[blob] if blob in kept else None for blob in first
        ]
        assert listed(packs) == sorted([blob for blob in made if blob not in first] + kept)
        assert listed(packs, kept[0], 1)[:1] == [kept[1]]
        packs.close()
        packs = opened(tmp_path)
    drop(packs, kept[0])
    assert read(packs, kept[0]) is None
    assert read(packs, kept[1]) == made[kept[1]]
    drop(packs, kept[1])
    assert not path.exists()


def test_what_is_dropped_while_its_pack_is_compacted_is_gone(tmp_path, small_packs, compacts, monkeypatch):
    packs = opened(tmp_path)
    made = [packs.put(bytes([number]) * 50) for number in range(30)]
    first = [blob for blob in made if place_of(blob).pack == place_of(made[0]).pack]
    compacted = disk_pack_file.compacted
    victims = [first[-1], first[-2]]

    async def scenario():
        loop = asyncio.get_running_loop()

        def slowly(source, pack, path):
            found = compacted(source, pack, path)
            for victim in victims[:1]:
                asyncio.run_coroutine_threadsafe(packs.drop(victim, place_of(victim)), loop).result()
            return found

        monkeypatch.setattr(disk_packs, "compacted", slowly)
        for blob in first[: len(first) // 2 + 1]:
            await packs.drop(blob, place_of(blob))

    asyncio.run(scenario())
    left = [blob for blob in first[len(first) // 2 + 1 :] if blob != victims[0]]
    assert [blob for blob in first if read(packs, blob) is not None] == left
    packs.close()
    packs = opened(tmp_path)
    assert listed(packs) == sorted([*left, *(blob for blob in made if blob not in first)])


def test_a_compaction_without_room_and_one_cut_off_leave_the_pack_as_it_was(
    tmp_path, small_packs, compacts, monkeypatch
):
    packs = opened(tmp_path)
    made = [packs.put(bytes([number]) * 50) for number in range(30)]
    first = [blob for blob in made if place_of(blob).pack == place_of(made[0]).pack]
    tried = []

    def no_room(source, pack, path):
        tried.append(pack)
        path.write_bytes(b"half of it")
        raise OSError(28, "no space left")

    monkeypatch.setattr(disk_packs, "compacted", no_room)
    for blob in first[1:]:
        drop(packs, blob)
    assert tried == [place_of(first[0]).pack]
    assert read(packs, first[0]) == bytes([0]) * 50
    packs.close()
    assert [name for name in os.listdir(tmp_path) if name.endswith(".new")] != []
    packs = opened(tmp_path)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".new")] == []
    assert listed(packs) == sorted([first[0], *(blob for blob in made if blob not in first)])
