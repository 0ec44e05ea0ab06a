"""What ZooKeeper has properties for and means something here too, spelled as ZooKeeper spells it.

State   none
Source  ZooKeeper 3.9, "Administrator's Guide": zoo.cfg, Java's properties, the JAAS section Server
Absent  every property of ensembles, folders, ports and logs: refused by name

    --zookeeper tickTime=1000
    --zookeeper user_alice=secret           a user of SASL DIGEST-MD5, as in the JAAS section
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

import msgspec

from cloudlet.wire.zookeeper import BUFFER_BYTES_MAX

SWEEP_MS = 60_000
USER = "user_"


class KeeperSettings(msgspec.Struct, frozen=True):
    """How the ZooKeeper face is run."""

    tick_ms: int = 2_000
    timeout_ms_min: int = 0  # 0: 2 ticks
    timeout_ms_max: int = 0  # 0: 20 ticks
    buffer_bytes_max: int = BUFFER_BYTES_MAX
    super_digest: str = ""  # "super:" and the digest of "super:password"
    sasl_users: Mapping[str, str] = {}
    sasl_super: str = ""  # the SASL user who may do everything
    requires_sasl: bool = False
    enforces_quotas: bool = False
    has_reconfig: bool = False  # reconfigEnabled
    has_ttl_nodes: bool = True  # extendedTypesEnabled, which ZooKeeper leaves off
    sweep_ms: int = SWEEP_MS

    @property
    def least_ms(self) -> int:
        """The shortest session timeout."""
        return self.timeout_ms_min or 2 * self.tick_ms

    @property
    def most_ms(self) -> int:
        """The longest session timeout: never below the shortest."""
        return max(self.timeout_ms_max or 20 * self.tick_ms, self.least_ms)


def whole(text: str) -> int:
    """A number above 0; ValueError."""
    if not re.fullmatch(r"[1-9]\d{0,8}", text):
        raise ValueError("this is a whole number above 0")
    return int(text)


def flag(text: str) -> bool:
    """true or false; ValueError."""
    if text not in ("true", "false"):
        raise ValueError("this is true or false")
    return text == "true"


PROPERTIES: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "tickTime": ("tick_ms", whole),
    "minSessionTimeout": ("timeout_ms_min", whole),
    "maxSessionTimeout": ("timeout_ms_max", whole),
    "jute.maxbuffer": ("buffer_bytes_max", whole),
    "DigestAuthenticationProvider.superDigest": ("super_digest", str),
    "superUser": ("sasl_super", str),
    "sessionRequireClientSASLAuth": ("requires_sasl", flag),
    "enforceQuota": ("enforces_quotas", flag),
    "reconfigEnabled": ("has_reconfig", flag),
    "extendedTypesEnabled": ("has_ttl_nodes", flag),
    "znode.container.checkIntervalMs": ("sweep_ms", whole),
}


def settings_of(pairs: Iterable[tuple[str, str]]) -> KeeperSettings:
    """What properties say, with or without ZooKeeper's prefix `zookeeper.`; ValueError for a property that
    there is not, or a value that it does not take."""
    found: dict[str, object] = {}
    users: dict[str, str] = {}
    for said, text in pairs:
        name = said.removeprefix("zookeeper.")
        if name.startswith(USER):
            users[name.removeprefix(USER)] = text
        elif name in PROPERTIES:
            member, read = PROPERTIES[name]
            found[member] = read(text)
        else:
            raise ValueError(f"there is no such property here; there is: {', '.join(PROPERTIES)}, user_NAME")
    return KeeperSettings(sasl_users=users, **found)  # type: ignore[arg-type]
