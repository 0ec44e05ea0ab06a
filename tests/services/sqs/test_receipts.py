"""Receipt handles say what was put in, and nothing else passes."""

import base64

import hypothesis.strategies as st
from hypothesis import given, settings

from cloudlet.services.sqs.receipts import Receipt, seal, unseal

QUEUE = b"12345678"


@given(st.binary(min_size=8, max_size=8), st.integers(0, 2**63), st.integers(1, 2**31))
@settings(deadline=None)
def test_a_handle_says_what_was_put_in(queue, sequence, receive):
    assert unseal(seal(queue, sequence, receive)) == Receipt(queue, sequence, receive)


def test_a_handle_looks_like_one_of_amazon():
    assert seal(QUEUE, 1, 1).startswith("AQEB")


@given(st.integers(0, 32), st.integers(1, 255))
@settings(deadline=None)
def test_a_changed_byte_is_noticed(position, change):
    raw = bytearray(base64.b64decode(seal(QUEUE, 7, 3)))
    raw[position % len(raw)] ^= change
    assert unseal(base64.b64encode(raw).decode()) is None


@given(st.text())
@settings(deadline=None)
def test_other_text_is_no_handle(text):
    assert unseal(text) is None
