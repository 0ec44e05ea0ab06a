"""Generated pages are current."""

from tools import pages


def test_generated_pages_are_current():
    names = [path.name for path in pages.stale()]
    assert names == [], "run `make docs`"


def test_a_gap_is_read_to_its_end(tmp_path):
    module = tmp_path / "module.py"
    module.write_text('"""Sentence.\n\nState   none\nAbsent  this, and\n        that\n\nMore.\n"""\n')
    assert pages.absent(module) == "this, and that"
    module.write_text('"""Sentence.\n\nAbsent  none\n"""\n')
    assert pages.absent(module) == ""
