"""A create's request is read in the short way as in the long one, whole and cut anywhere."""

import pytest

from cloudlet.wire.jute import Broken, codec
from cloudlet.wire.zookeeper import ACL, CreateRequest, Id, read_create

ANYONE = ACL(31, Id("world", "anyone"))
LISTS = (
    [ANYONE],
    [],
    [ANYONE, ANYONE],
    [ACL(1, Id("world", "anyone"))],
    [ACL(31, Id("world", "anyone2"))],
    [ACL(31, Id("auth", ""))],
)


@pytest.mark.parametrize("acl", LISTS, ids=len)
@pytest.mark.parametrize("data", [None, b"", b"value"])
def test_a_create_is_read_as_its_record_says(acl, data):
    request = CreateRequest("/path", data, acl, 3)
    whole = b"head" + codec(CreateRequest).encode(request)
    assert read_create(whole + b"behind", 4) == (request, len(whole))
    for stop in range(4, len(whole)):
        with pytest.raises(Broken):
            read_create(whole[:stop], 4)


def test_lists_are_not_shared():
    body = codec(CreateRequest).encode(CreateRequest("/a", b"", [ANYONE], 0))
    read_create(body, 0)[0].acl.clear()
    assert read_create(body, 0)[0].acl == [ANYONE]
