"""A secured Kafka broker: its certificates, its first user, what its listener demands.

State   DATA/tls (local_ca.py); the user `admin`, whose password is the data folder's token
Source  docs/kafka-security.md
Absent  listeners that differ from each other: every port takes SASL over TLS and over plain connections
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from ssl import SSLContext

from cloudlet.aws.identity import Identities
from cloudlet.kafka.broker import Broker
from cloudlet.kafka.security.authentication import Authenticator
from cloudlet.kafka.security.sasl import Mechanisms
from cloudlet.kafka.security.users import Users
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Keys
from cloudlet.shell.local_ca import LocalAuthority

ADMIN = "admin"
NONCE_BYTES = 18
PROPERTIES: Mapping[str, str] = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{ADMIN}",
}
"""What a secured broker is given unless `--kafka` says otherwise."""


class KafkaSecurity:
    """What `--kafka-security` turns on."""

    def __init__(self, data: Path, names: Sequence[str], password: str, *, account: str) -> None:
        self._data = data
        self._names = names
        self._password = password
        self._account = account

    def context(self, clock: Clock) -> SSLContext:
        """How TLS is spoken; clients may show a certificate of the cloud's own authority."""
        return LocalAuthority(self._data, clock.wall_ms()).server_context(self._names)

    async def secure(self, broker: Broker, keys: Keys, clock: Clock, ids: Ids) -> None:
        """Make the first user, and demand from now on that clients authenticate."""
        users = broker.part(Users)
        await users.ensure(ADMIN, self._password)
        identities = Identities(keys, clock, account=self._account)
        mechanisms = Mechanisms(users.find, identities, clock, lambda: ids.token(NONCE_BYTES).hex())
        broker.authenticator = Authenticator(mechanisms, clock)
