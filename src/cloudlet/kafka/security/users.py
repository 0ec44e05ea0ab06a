"""The users of SCRAM (and, by the same credentials, of PLAIN).

State   ("kafka", "scram", mechanism, user) -> Credential
Source  Apache Kafka 4.3, ScramControlManager (the order of its checks); KIP-554
Absent  none

A client that makes a user sends the salted password, never the password: it is kept as the keys derived from
it.
"""

from __future__ import annotations

import hashlib
from hmac import digest as hmac_digest

from cloudlet.aws.record import decoder, encode
from cloudlet.kafka.broker import Broker
from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.security.scram import (
    HASHES,
    ITERATIONS_MAX,
    ITERATIONS_MIN,
    NUMBERS,
    SALT_BYTES,
    Credential,
    credential_of,
    salted_password,
)
from cloudlet.kernel.keys import Commit, Drop, Durability, Keys, Put
from cloudlet.kernel.tuples import pack, prefix_range, unpack
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

MECHANISMS = {number: name for name, number in NUMBERS.items()}


def place(mechanism: str, user: str) -> bytes:
    return pack(("kafka", "scram", mechanism, user))


class Users:
    """The credentials in the keys; a part of a broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def start(self) -> None:
        """Nothing is kept in memory."""

    async def close(self) -> None:
        """Nothing to stop."""

    @property
    def _keys(self) -> Keys:
        return self._broker.keys

    def find(self, mechanism: str, user: str) -> Credential | None:
        """A user's credential."""
        entry = self._keys.get(place(mechanism, user))
        return None if entry is None else decoder(Credential).decode(entry.value)

    def every(self) -> dict[str, list[tuple[str, Credential]]]:
        """User -> the mechanisms that it has credentials for."""
        found: dict[str, list[tuple[str, Credential]]] = {}
        for entry in self._keys.scan(*prefix_range(("kafka", "scram"))):
            _, _, mechanism, user = unpack(entry.key)
            credential = decoder(Credential).decode(entry.value)
            found.setdefault(str(user), []).append((str(mechanism), credential))
        return found

    async def put(self, credentials: dict[tuple[str, str], Credential], gone: list[tuple[str, str]]) -> None:
        """Write and delete credentials, each by (mechanism, user), as one change."""
        puts = [Put(place(*who), encode(credential)) for who, credential in credentials.items()]
        drops = [Drop(place(*who)) for who in gone]
        if puts or drops:
            author = self._broker.author("scram")
            revision = await self._keys.commit(Commit(author, (), puts, drops, Durability.SYNC))
            await self._keys.settle(revision)

    async def ensure(self, user: str, password: str) -> None:
        """See to it that a user exists, with this password under every mechanism."""
        missing = {}
        for mechanism in HASHES:
            known = self.find(mechanism, user)
            salt = known.salt if known is not None else self._broker.ids.token(SALT_BYTES)
            salted = salted_password(mechanism, password, salt, ITERATIONS_MIN)
            made = credential_of(mechanism, salted, salt, ITERATIONS_MIN)
            if made != known:
                missing[mechanism, user] = made
        await self.put(missing, [])


async def describe_credentials(
    call: Call, request: messages.DescribeUserScramCredentialsRequest
) -> messages.DescribeUserScramCredentialsResponse:
    """Which mechanisms users have credentials for; of all users where none is named."""
    response = messages.DescribeUserScramCredentialsResponse
    known = call.broker.part(Users).every()
    names = [user.Name for user in request.Users] if request.Users else sorted(known)
    rows = []
    for name in dict.fromkeys(names):
        row = response.DescribeUserScramCredentialsResult(User=name)
        rows.append(row)
        if names.count(name) > 1:
            row.ErrorCode = ErrorCode.DUPLICATE_RESOURCE
            row.ErrorMessage = (
                f"Cannot describe SCRAM credentials for the same user twice in a single request: {name}"
            )
        elif name not in known:
            row.ErrorCode = ErrorCode.RESOURCE_NOT_FOUND
            row.ErrorMessage = f"Attempt to describe a user credential that does not exist: {name}"
        else:
            row.CredentialInfos = [
                response.CredentialInfo(Mechanism=NUMBERS[mechanism], Iterations=credential.iterations)
                for mechanism, credential in known[name]
            ]
    return response(Results=rows)


async def alter_credentials(
    call: Call, request: messages.AlterUserScramCredentialsRequest
) -> messages.AlterUserScramCredentialsResponse:
    """Make, change and delete credentials: all of a user's, or none of them."""
    response = messages.AlterUserScramCredentialsResponse
    users = call.broker.part(Users)
    asked: dict[str, list[int]] = {}
    errors: dict[str, tuple[ErrorCode, str]] = {}
    credentials: dict[tuple[str, str], Credential] = {}
    gone: list[tuple[str, str]] = []
    named = [(each.Name, each.Mechanism) for each in request.Deletions]
    named += [(each.Name, each.Mechanism) for each in request.Upsertions]
    for name, number in named:
        if number in asked.setdefault(name, []):
            errors[name] = (
                ErrorCode.DUPLICATE_RESOURCE,
                "A user credential cannot be altered twice in the same request",
            )
        asked[name].append(number)
        if not name:
            errors[name] = (ErrorCode.UNACCEPTABLE_CREDENTIAL, "Username must not be empty")
        elif number not in MECHANISMS:
            errors[name] = (ErrorCode.UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism")
    for deletion in request.Deletions:
        if deletion.Name not in errors:
            mechanism = MECHANISMS[deletion.Mechanism]
            if users.find(mechanism, deletion.Name) is None:
                errors[deletion.Name] = (
                    ErrorCode.RESOURCE_NOT_FOUND,
                    "Attempt to delete a user credential that does not exist",
                )
            gone.append((mechanism, deletion.Name))
    for upsertion in request.Upsertions:
        if upsertion.Name in errors:
            continue
        if not ITERATIONS_MIN <= upsertion.Iterations <= ITERATIONS_MAX:
            word = "few" if upsertion.Iterations < ITERATIONS_MIN else "many"
            errors[upsertion.Name] = (ErrorCode.UNACCEPTABLE_CREDENTIAL, f"Too {word} iterations")
            continue
        mechanism = MECHANISMS[upsertion.Mechanism]
        credentials[mechanism, upsertion.Name] = _credential(mechanism, upsertion)
    await users.put(
        {who: made for who, made in credentials.items() if who[1] not in errors},
        [who for who in gone if who[1] not in errors],
    )
    return response(
        Results=[
            response.AlterUserScramCredentialsResult(
                User=user, ErrorCode=errors[user][0] if user in errors else 0,
                ErrorMessage=errors[user][1] if user in errors else None,
            )
            for user in asked
        ]
    )  # fmt: skip


def _credential(
    mechanism: str, upsertion: messages.AlterUserScramCredentialsRequest.ScramCredentialUpsertion
) -> Credential:
    name = HASHES[mechanism]
    client_key = hmac_digest(upsertion.SaltedPassword, b"Client Key", name)
    return Credential(
        upsertion.Salt,
        hashlib.new(name, client_key).digest(),
        hmac_digest(upsertion.SaltedPassword, b"Server Key", name),
        upsertion.Iterations,
    )


HANDLERS: dict[int, Handler] = {50: describe_credentials, 51: alter_credentials}
