"""A secured Kafka broker: its certificates, its first user, what its listeners demand.

State   DATA/tls (local_ca.py); the user `admin`, whose password is the data folder's token
Source  docs/kafka-security.md
Absent  key stores of one's own
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from ssl import CERT_NONE, SSLContext

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
    "ssl.client.auth": "requested",
}
"""What a secured broker is given unless `--kafka` says otherwise."""


class KafkaSecurity:
    """What `--kafka-security` turns on."""

    def __init__(self, data: Path, names: Sequence[str], password: str, *, account: str) -> None:
        self._data = data
        self._names = names
        self._password = password
        self._account = account

    def context(self, clock: Clock, client_auth: str) -> SSLContext:
        """How TLS is spoken; clients may show a certificate of the cloud's own authority, have to, or are not
        asked: `client_auth` is Kafka's ssl.client.auth."""
        authority = LocalAuthority(self._data, clock.wall_ms())
        context = authority.server_context(self._names, wants_clients=client_auth == "required")
        if client_auth == "none":
            context.verify_mode = CERT_NONE
        return context

    async def secure(self, broker: Broker, keys: Keys, clock: Clock, ids: Ids) -> None:
        """Make the first user, and demand from now on that clients authenticate."""
        users = broker.part(Users)
        await users.ensure(ADMIN, self._password)
        identities = Identities(keys, clock, account=self._account)
        mechanisms = Mechanisms(users.find, identities, clock, lambda: ids.token(NONCE_BYTES).hex())
        broker.authenticator = Authenticator(mechanisms, clock)
