"""What ZooKeeper has properties for and means something here too, spelled as ZooKeeper spells it.

State   none
Source  ZooKeeper 3.9, "Administrator's Guide": zoo.cfg, Java's properties, the JAAS section Server
Absent  every property of ensembles, folders, ports and logs, providers of one's own: refused by name

    --zookeeper tickTime=1000
    --zookeeper user_alice=secret           a user of SASL DIGEST-MD5, as in the JAAS section
    --zookeeper enforce.auth.enabled=true --zookeeper enforce.auth.schemes=digest,sasl
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
    address_clients_max: int = 0  # maxClientCnxns: connections of one address; 0: any number, as of the next
    clients_max: int = 0  # maxCnxns
    sessionless_ms_max: int = 10_000  # how long a connection may be without a session
    words: frozenset[str] | None = None  # 4lw.commands.whitelist; None: all
    skips_acl: bool = False
    has_digest: bool = True  # DigestAuthenticationProvider.enabled
    digest_hash: str = "sha1"  # DigestAuthenticationProvider.digestAlg, as hashlib names it
    super_digest: str = ""  # "super:" and the digest of "super:password"
    x509_super: str = ""  # the name in a certificate whose holder may do everything
    sasl_users: Mapping[str, str] = {}
    sasl_supers: frozenset[str] = frozenset()  # the SASL users who may do everything
    sasl_anyone: str = ""  # letAnySaslUserDoX: every SASL user may do what this one may
    keeps_failed_sasl: bool = False  # allowSaslFailedClients
    schemes_required: frozenset[str] = frozenset()  # a client must have proven who it is in one of them
    ensembles: frozenset[str] | None = None  # names that scheme ensemble lets pass, all of them where there
    # are none; None: there is no such scheme
    enforces_quotas: bool = False
    has_reconfig: bool = False  # reconfigEnabled
    has_ttl_nodes: bool = True  # extendedTypesEnabled, which ZooKeeper leaves off
    sweep_ms: int = SWEEP_MS
    unused_ms_max: int = 0  # of a container that never had a child; 0: it stays

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


def number(text: str) -> int:
    """A number, or 0; ValueError."""
    return 0 if text == "0" else whole(text)


def names(text: str) -> frozenset[str]:
    """What is between commas."""
    return frozenset(name.strip() for name in text.split(",") if name.strip())


def words(text: str) -> frozenset[str] | None:
    """The four-letter words that are answered; srvr always is, as zkServer.sh depends on it."""
    listed = names(text)
    return None if "*" in listed else listed | {"srvr"}


def hash_of(text: str) -> str:
    """An algorithm as Java names it (SHA1, SHA-256, SHA3-256, SHA-512/256), by hashlib's name; ValueError."""
    name = text.upper()
    if name in ("SHA", "SHA1"):
        name = "SHA-1"
    found = _HASHES.get(name)
    if found is None:
        raise ValueError(f"this is one of {', '.join(_HASHES)}")
    return found


_HASHES: Mapping[str, str] = {
    "MD5": "md5", "SHA-1": "sha1", "SHA-224": "sha224", "SHA-256": "sha256", "SHA-384": "sha384",
    "SHA-512": "sha512", "SHA3-224": "sha3_224", "SHA3-256": "sha3_256", "SHA3-384": "sha3_384",
    "SHA3-512": "sha3_512",
}  # fmt: skip

PROPERTIES: Mapping[str, tuple[str, Callable[[str], object]]] = {
    "tickTime": ("tick_ms", whole),
    "minSessionTimeout": ("timeout_ms_min", whole),
    "maxSessionTimeout": ("timeout_ms_max", whole),
    "maxClientCnxns": ("address_clients_max", number),
    "maxCnxns": ("clients_max", number),
    "nio.sessionlessCnxnTimeout": ("sessionless_ms_max", whole),
    "4lw.commands.whitelist": ("words", words),
    "jute.maxbuffer": ("buffer_bytes_max", whole),
    "skipACL": ("skips_acl", lambda text: text == "yes"),  # anything else is no
    "DigestAuthenticationProvider.enabled": ("has_digest", flag),
    "DigestAuthenticationProvider.digestAlg": ("digest_hash", hash_of),
    "DigestAuthenticationProvider.superDigest": ("super_digest", str),
    "X509AuthenticationProvider.superUser": ("x509_super", str),
    "letAnySaslUserDoX": ("sasl_anyone", str),
    "allowSaslFailedClients": ("keeps_failed_sasl", flag),
    "enforceQuota": ("enforces_quotas", flag),
    "reconfigEnabled": ("has_reconfig", flag),
    "extendedTypesEnabled": ("has_ttl_nodes", flag),
    "znode.container.checkIntervalMs": ("sweep_ms", whole),
    "znode.container.maxNeverUsedIntervalMs": ("unused_ms_max", number),
}
"""Those that set one member each; `settings_of` knows the others."""

OTHERS = (
    "superUser", "superUser.N", "sessionRequireClientSASLAuth", "enforce.auth.enabled",
    "enforce.auth.schemes", "ensembleAuthName", "authProvider.N", "readonlymode.enabled", "user_NAME",
)  # fmt: skip

PROVIDERS = ("SASLAuthenticationProvider", "X509AuthenticationProvider", "EnsembleAuthenticationProvider")
_PROVIDER = re.compile(r"org\.apache\.zookeeper\.server\.auth\.(\w+)")
_SCHEMES = ("ip", "digest", "sasl", "x509", "ensemble")


def settings_of(pairs: Iterable[tuple[str, str]]) -> KeeperSettings:
    """What properties say, with or without ZooKeeper's prefix `zookeeper.`; ValueError for a property that
    there is not, or a value that it does not take."""
    found: dict[str, object] = {}
    rest: dict[str, str] = {}
    users: dict[str, str] = {}
    supers: set[str] = set()
    for said, text in pairs:
        name = said.removeprefix("zookeeper.")
        if name.startswith(USER):
            users[name.removeprefix(USER)] = text
        elif name == "superUser" or name.startswith("superUser."):
            supers.add(text)
        elif name in PROPERTIES:
            member, read = PROPERTIES[name]
            found[member] = read(text)
        elif name in OTHERS or name.startswith("authProvider."):
            rest[name] = text
        else:
            known = ", ".join((*PROPERTIES, *OTHERS))
            raise ValueError(f"there is no such property here; there is: {known}")
    listed = found.get("words")
    if isinstance(listed, frozenset) and flag(rest.get("readonlymode.enabled", "false")):
        found["words"] = listed | {"isro"}  # by which clients look for a server that may write
    has_ensembles = "EnsembleAuthenticationProvider" in _providers(rest)
    if has_ensembles:
        found["ensembles"] = names(rest.get("ensembleAuthName", ""))
    found["schemes_required"] = _required(rest)
    return KeeperSettings(sasl_users=users, sasl_supers=frozenset(supers), **found)  # type: ignore[arg-type]


def _providers(said: Mapping[str, str]) -> set[str]:
    """The classes of `authProvider.N`, all of which are here anyway but for ensembles'; ValueError."""
    found: set[str] = set()
    for name, text in said.items():
        if name.startswith("authProvider."):
            match = _PROVIDER.fullmatch(text)
            if match is None or match[1] not in PROVIDERS:
                raise ValueError(f"no such provider is here; there is: {', '.join(PROVIDERS)}")
            found.add(match[1])
    return found


def _required(said: Mapping[str, str]) -> frozenset[str]:
    """The schemes of which a client must have one; ValueError."""
    if flag(said.get("sessionRequireClientSASLAuth", "false")):
        return frozenset({"sasl"})
    schemes = names(said.get("enforce.auth.schemes", ""))
    if not flag(said.get("enforce.auth.enabled", "false")):
        return frozenset()
    if not schemes:
        raise ValueError("enforce.auth.enabled wants enforce.auth.schemes")
    for scheme in schemes:
        if scheme not in _SCHEMES:
            raise ValueError(f"there is no authentication scheme {scheme}")
    return schemes
