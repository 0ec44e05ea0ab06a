"""Who may do what: ZooKeeper's access control lists and authentication schemes.

State   none
Source  ZooKeeper 3.9: ZooKeeperServer.checkACL, PrepRequestProcessor.fixupACL, the providers in server.auth
Absent  GSSAPI (Kerberos) names in sasl; schemes of one's own

A list is kept as jute writes it, and as nothing where it is world:anyone with every permission, as nearly
every znode's is. An identity is a (scheme, name) pair; a connection has ("ip", address) from the start.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from cloudlet.coord.zookeeper.faults import KeeperFault
from cloudlet.wire.jute import codec
from cloudlet.wire.zookeeper import ACL, OPEN_LIST, PERMS_ALL, ACLs, Code, Id, Perms

Identity = tuple[str, str]
SUPER: Identity = ("super", "")
SKIPS: Identity = ("", "")
"""Of a client whose requests no list is asked about (skipACL). An identity of scheme "" is a right without
being anybody: ("", NAME) is to be let do what SASL's user NAME may (letAnySaslUserDoX)."""
OPEN = b""
"""A list as it is kept: world:anyone may do all."""

_AUTHENTICATES = ("digest", "sasl", "x509")  # schemes whose identities "auth" stands for
_PRINCIPAL = re.compile(r"[^/@]*(/[^/@]*)?@[^/@]*")  # of Kerberos: service/host@REALM
_MASK = re.compile(r":.*", re.DOTALL)
_codec = codec(ACLs)


@lru_cache(maxsize=4096)
def rows(kept: bytes) -> tuple[tuple[int, str, str], ...]:
    """(perms, scheme, name) of a kept list."""
    if not kept:
        return ((PERMS_ALL, "world", "anyone"),)
    return tuple((one.perms, one.id.scheme, one.id.id) for one in _codec.decode(kept, 0)[0].acl)


def listed(kept: bytes) -> list[ACL]:
    """A kept list as clients see it."""
    return [ACL(perms, Id(scheme, name)) for perms, scheme, name in rows(kept)]


def keep(acl: Sequence[ACL]) -> bytes:
    """How a list is kept."""
    return OPEN if tuple(acl) == OPEN_LIST else _codec.encode(ACLs(list(acl)))


READ_ONLY = keep([ACL(Perms.READ, Id("world", "anyone"))])


def allows(kept: bytes, perms: int, identities: Iterable[Identity]) -> bool:
    """Whether a list grants one of `perms` to one of the identities."""
    if not kept:
        return True
    listed = rows(kept)
    if not listed or any(scheme == "super" or (scheme, who) == SKIPS for scheme, who in identities):
        return True
    for granted, scheme, name in listed:
        if not granted & perms:
            continue
        if scheme == "world" and name == "anyone":
            return True
        if any(_matches(mine, who, scheme, name) for mine, who in identities):
            return True
    return False


def check(kept: bytes, perms: int, identities: Iterable[Identity]) -> None:
    """NOAUTH unless the list allows it."""
    if kept and not allows(kept, perms, identities):
        raise KeeperFault(Code.NOAUTH)


def resolve(acl: Sequence[ACL], identities: Sequence[Identity], *, has_digest: bool = True) -> bytes:
    """The list that a client asks for, "auth" replaced by who the client is; as it is kept. INVALIDACL."""
    if len(acl) == 1 and (acl[0] is OPEN_LIST[0] or acl[0] == OPEN_LIST[0]):
        return OPEN
    if not acl:
        raise KeeperFault(Code.INVALIDACL)
    found: list[ACL] = []
    for one in acl:
        scheme, name = one.id.scheme, one.id.id
        if scheme == "world" and name == "anyone":
            found.append(one)
        elif scheme == "auth":
            mine = [Id(*who) for who in identities if who[0] in _AUTHENTICATES]
            if not mine:
                raise KeeperFault(Code.INVALIDACL)
            found += [ACL(one.perms, who) for who in mine]
        elif (has_digest or scheme != "digest") and _is_name(scheme, name):
            found.append(one)
        else:
            raise KeeperFault(Code.INVALIDACL)
    return keep([one for at, one in enumerate(found) if one not in found[:at]])


def masked(kept: bytes) -> list[ACL]:
    """The list as somebody without ADMIN sees it: no digests."""
    return [
        ACL(one.perms, Id(one.id.scheme, _MASK.sub(":x", one.id.id))) if one.id.scheme == "digest" else one
        for one in listed(kept)
    ]


def digest_of(user_and_password: bytes, hash_name: str) -> str:
    """The name in the digest scheme of "user:password"; `hash_name` is hashlib's."""
    user = user_and_password.decode("utf-8", "replace").split(":", 1)[0]
    sum_ = base64.b64encode(hashlib.new(hash_name, user_and_password, usedforsecurity=False).digest())
    return f"{user}:{sum_.decode()}"


def user_of(identity: Identity) -> str:
    """The user that an identity names, as whoAmI tells."""
    scheme, name = identity
    return name.split(":", 1)[0] if scheme == "digest" else name


def _is_name(scheme: str, name: str) -> bool:
    """Whether a name may stand in a list."""
    if scheme == "digest":
        return len([part for part in name.split(":") if part]) == 2 and name.count(":") == 1
    if scheme == "ip":
        return _network(name) is not None
    if scheme == "x509":
        return all("=" in part for part in name.split(",")) and bool(name)
    return scheme == "sasl" and ("@" not in name or _PRINCIPAL.fullmatch(name) is not None)


def _matches(mine: str, who: str, scheme: str, name: str) -> bool:
    """Whether an identity is the one that a list names."""
    if mine != scheme:
        return not mine and scheme == "sasl" and who == name
    if scheme != "ip":
        return who == name or (scheme == "sasl" and who == "super")
    network = _network(name)
    try:
        return network is not None and ip_address(who.partition("%")[0]) in network
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _network(name: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(name, strict=False)
    except ValueError:
        return None
