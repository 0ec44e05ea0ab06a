"""The types of the Protocol Buffers messages are those of the tables."""

import pytest
from tools.protobuf_stubs import MODULES, WIRE, stub


@pytest.mark.parametrize("name", MODULES)
def test_the_stubs_are_current(name):
    assert (WIRE / f"{name}.pyi").read_text(encoding="utf-8") == stub(MODULES[name]), (
        "run python -m tools.protobuf_stubs"
    )
