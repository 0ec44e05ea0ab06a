"""MD5 digests of messages and attributes, against values recorded from AWS."""

from cloudlet.services.sqs.digests import attributes_md5, body_md5
from cloudlet.services.sqs.records import Attribute

# Recorded from AWS by others: docs/sources/sqs.md.
HELLO = Attribute("Hello", "String", "There")
HELP_ME = Attribute("Help.Me", "String", "Me")
GENERAL = Attribute("General", "String", "Kenobi")


def test_bodies():
    assert body_md5(b"msg") == "6e2baaf3b97dbeef01c0043275f9a0e7"
    assert body_md5(b"message") == "78e731027d8fd50ed642340b7c9a63b3"


def test_text_attributes():
    assert attributes_md5([GENERAL, HELLO, HELP_ME]) == "4c360f3fdafd970e05fae2f149d997f5"
    assert attributes_md5([GENERAL, HELLO]) == "fca026605781cb4126a1e9044df24232"
    assert attributes_md5([HELLO]) == "a311262e065454b75da111d535b8dacd"
    assert attributes_md5([HELLO, HELP_ME]) == "83fee93c1bcd8b9a5a923ffacdc636c7"
    assert (
        attributes_md5([Attribute("MyAttribute", "String", "foobar")]) == "adb59cd4678ea5a855436b949cd07ab6"
    )


def test_binary_attributes():
    value = b"traceparent\x1e00-774062d6c37081a5a0b9b5b88e30627c-2d2482211f6489da-01"
    assert attributes_md5([Attribute("attr1", "Binary", None, value)]) == "8cbe4db156db8a94db8b801b7addb984"
