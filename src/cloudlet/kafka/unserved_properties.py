"""Properties of Kafka's broker that ask for what this broker has not, or has in its own way.

State   none
Source  Apache Kafka 4.3, "Broker Configs"
Absent  Java classes of one's own (policies, principal builders, reporters, callbacks, config providers),
        folders by Kafka's names, key stores of one's own: refused when a broker is started

A property of speed (threads, buffers, intervals of replication) changes nothing that a client could be told:
it is taken. One of these would be a promise that is not kept: a policy that nobody asks keeps nobody out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from cloudlet.kafka.configs import InvalidConfig, broker_definitions

AUTHORIZER = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"

CLASSES = "classes of Java's are not loaded"
FOLDERS = "what the broker keeps lies in the data folder, --data"
KEYS = "certificates are those of the cloud's authority, TLS is 1.2 or 1.3: --kafka-security"
MECHANISMS = "the mechanisms are those of --kafka-security"
ONE = "there is one broker, number 1, which is the controller too"

UNSERVED: tuple[tuple[re.Pattern[str], str, frozenset[str]], ...] = tuple(
    (re.compile(pattern), why, frozenset(accepted))
    for pattern, why, accepted in (
        (r"authorizer\.class\.name", CLASSES, (AUTHORIZER,)),
        (r"(create\.topic|alter\.config)\.policy\.class\.name", CLASSES, ()),
        (r"(replica\.selector|principal\.builder|client\.quota\.callback)\.class", CLASSES, ()),
        (r"metric\.reporters|config\.providers|security\.providers", CLASSES, ()),
        (r"sasl\..*(callback\.handler\.class|login\.class)", CLASSES, ()),
        (r"security\.inter\.broker\.protocol|early\.start\.listeners", ONE, ()),
        (r"log\.dirs?|metadata\.log\.dir", FOLDERS, ()),
        (r"ssl\.(key|trust)(store|manager|\.).*", KEYS, ()),
        (r"ssl\.(cipher\.suites|enabled\.protocols|protocol)", KEYS, ()),
        (r"sasl\.enabled\.mechanisms|sasl\.jaas\.config|sasl\.kerberos\..*", MECHANISMS, ()),
        (r"broker\.id|node\.id", ONE, ("1",)),
        (r"process\.roles", ONE, ("broker,controller", "controller,broker")),
        (r"controller\.quorum\.(voters|bootstrap\.servers)", ONE, ()),
        (r"remote\.log\.storage\.system\.enable", "there is no tiered storage", ()),
        (r"delegation\.token\.secret\.key", "there are no delegation tokens", ()),
    )
)
"""Names, why they are not served, and the values that say what is so anyway, beside Kafka's default."""


def refuse_unserved(properties: Mapping[str, str]) -> None:
    """Raise InvalidConfig for a property that would be a promise that nobody keeps."""
    for name, text in properties.items():
        for pattern, why, accepted in UNSERVED:
            said = re.sub(r"\s", "", text)
            if pattern.fullmatch(name) and said not in accepted and said != (default_of(name) or ""):
                raise InvalidConfig(f"{name} is not served: {why}")


def default_of(name: str) -> str | None:
    """Kafka's default of a property."""
    known = broker_definitions().get(name)
    return None if known is None else known.default
