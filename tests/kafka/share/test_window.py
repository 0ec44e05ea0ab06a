"""The window of offsets, against a dictionary that says the same."""

import random

from cloudlet.kafka.share.window import Window

SEED = 2026


def said(window):
    """offset -> value, and that neighbouring runs differ and touch."""
    found, before = {}, None
    place = window.start
    for first, stop, value in window.runs():
        assert first == place < stop
        assert value != before
        before, place = value, stop
        found.update(dict.fromkeys(range(first, stop), value))
    assert place == window.stop
    return found


def test_it_says_what_a_dictionary_says():
    rng = random.Random(SEED)
    for _ in range(200):
        window = Window(rng.randrange(5))
        start, model = window.start, {}
        for _ in range(60):
            first = rng.randrange(window.start - 3, window.stop + 3)
            stop = first + rng.randrange(8)
            value = rng.choice("abc")
            match rng.randrange(5):
                case 0:
                    model.update(dict.fromkeys(range(window.stop, stop), value))
                    window.extend(stop, value)
                case 1 if rng.random() < 0.3:
                    window.drop_to(first)
                    start = max(start, first)
                    model = {offset: each for offset, each in model.items() if offset >= start}
                case _:
                    window.put(first, stop, value)
                    model.update({offset: value for offset in range(first, stop) if offset in model})
            assert said(window) == model
            assert window.start == start
            assert len(window) == len(model)


def test_runs_are_clipped():
    window = Window(10)
    window.extend(20, "a")
    window.put(13, 15, "b")
    assert list(window.runs(12, 14)) == [(12, 13, "a"), (13, 14, "b")]
    assert list(window.runs(0, 11)) == [(10, 11, "a")]
    assert list(window.runs(15, 15)) == list(window.runs(30)) == []


def test_a_copy_goes_its_own_way():
    window = Window(0)
    window.extend(4, "a")
    twin = window.copy()
    twin.put(0, 2, "b")
    twin.drop_to(1)
    assert said(window) == dict.fromkeys(range(4), "a")
    assert said(twin) == {1: "b", 2: "a", 3: "a"}


def test_behind_its_stop_it_is_empty():
    window = Window(0)
    window.extend(4, "a")
    window.drop_to(9)
    assert (window.start, window.stop, said(window)) == (9, 9, {})
