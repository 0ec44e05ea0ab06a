"""Paths of znodes: which are valid, and the keys they are kept under.

State   ETCD + "/zk/" + depth + path: the key of a znode, its data the value
Source  ZooKeeper 3.9, PathUtils.validatePath, Quotas, DataTree.isSpecialPath
Absent  none

The depth in front makes the children of a znode one range, without its grandchildren:

    /        e/zk/0/             the children of /      [e/zk/1/,   e/zk/10)
    /a       e/zk/1/a            the children of /a     [e/zk/2/a/, e/zk/2/a0)
    /a/b     e/zk/2/a/b
"""

from __future__ import annotations

import re
from functools import lru_cache

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.kernel.spaces import ETCD
from cloudlet.wire.zookeeper import Code

ZNODES = ETCD + b"/zk/"
ZNODES_STOP = ETCD + b"/zk0"
"""The range of all znodes; "0" is the character behind "/"."""

ROOT = "/"
ROOT_KEY = ZNODES + b"0/"
ZOOKEEPER = "/zookeeper"
CONFIG = "/zookeeper/config"
QUOTA = "/zookeeper/quota"
SPECIAL = frozenset((ROOT, ZOOKEEPER, CONFIG, QUOTA))
"""Znodes that are always there and cannot be deleted."""

LIMITS_NAME = "zookeeper_limits"
STATS_NAME = "zookeeper_stats"

PLACES_MAX = 4096  # of the paths asked for last: a megabyte or two, and half a microsecond for each request
PLACE_CHARACTERS_MAX = 256  # of one that is kept: a client may ask for thousands of a megabyte each
DEPTH_DIGITS_MAX = 6  # a path of a mebibyte has fewer slashes than seven digits can count
_INVALID = re.compile("//|/[.]{1,2}(?=/|\\Z)|[\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]")

_NAME = re.compile("(?![.]{1,2}\\Z)[^/\x00-\x1f\x7f-\x9f\ud800-\uf8ff\ufff0-\uffff]+\\Z")


def is_valid(path: str) -> bool:
    """Whether a znode may have this path."""
    if path == ROOT:
        return True
    return path[:1] == ROOT and path[-1] != "/" and _INVALID.search(path) is None


def check_path(path: str) -> None:
    """BADARGUMENTS for what is no path of a znode."""
    if (path[:1] != ROOT or path[-1] == "/" or _INVALID.search(path) is not None) and path != ROOT:
        raise KeeperFault(Code.BADARGUMENTS, path)


def key_of(path: str) -> bytes:
    """Where a znode is kept."""
    return _known_key(path) if len(path) <= PLACE_CHARACTERS_MAX else _key(path)


def _key(path: str) -> bytes:
    if path == ROOT:
        return ROOT_KEY
    return b"%b%d%b" % (ZNODES, path.count("/"), path.encode())


def place_of(path: str) -> bytes | None:
    """Where a znode is kept; None for what is no path of a znode."""
    return _known_place(path) if len(path) <= PLACE_CHARACTERS_MAX else _place(path)


def _place(path: str) -> bytes | None:
    return key_of(path) if is_valid(path) else None


_known_key = lru_cache(maxsize=PLACES_MAX)(_key)
_known_place = lru_cache(maxsize=PLACES_MAX)(_place)


def path_of(key: bytes) -> str | None:
    """The path of the znode that is kept under a key; None for a key that no znode has."""
    at = key.find(b"/", len(ZNODES))
    digits = key[len(ZNODES) : at]
    if not (0 < len(digits) <= DEPTH_DIGITS_MAX and digits.isdigit()) or at < 0:
        return None
    try:
        path = key[at:].decode()
    except UnicodeDecodeError:
        return None
    if path == ROOT:
        return path if digits == b"0" else None
    is_key = digits[:1] != b"0" and path.count("/") == int(digits)
    return path if is_key and path[-1] != "/" and _INVALID.search(path) is None else None


def name_of(raw: bytes) -> str | None:
    """The name of a znode that a key ends with, behind its parent's path; None where no znode has it."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return None
    return name if _NAME.match(name) is not None else None


def parent_of(path: str) -> str:
    """The path one step up; of the root, the root."""
    return path[: path.rfind("/")] or ROOT


def below(path: str) -> str:
    """What the path of every descendant begins with."""
    return ROOT if path == ROOT else path + "/"


def children_range(path: str) -> tuple[bytes, bytes]:
    """The keys of a znode's children: (start, stop)."""
    if path == ROOT:
        return ZNODES + b"1/", ZNODES + b"10"
    stem = b"%b%d%b" % (ZNODES, path.count("/") + 1, path.encode())
    return stem + b"/", stem + b"0"


def descendants_range(path: str, depth: int) -> tuple[bytes, bytes]:
    """The keys of a znode's descendants at one depth of the tree: (start, stop)."""
    stem = b"%b%d%b" % (ZNODES, depth, b"" if path == ROOT else path.encode())
    return stem + b"/", stem + b"0"
