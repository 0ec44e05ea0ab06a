"""The listeners of a broker: which there are, what they speak, and what their clients are told.

State   none
Source  Apache Kafka 4.3: KafkaConfig (listeners, advertised.listeners), SecurityProtocol, KIP-103, KIP-291,
        their errors
Absent  listeners that speak TLS or take SASL without --kafka-security, which makes certificates and users;
        listeners of controllers; properties of single listeners ("listener.name.…")

    protocol          TLS    SASL    its clients are
    PLAINTEXT         no     no      User:ANONYMOUS
    SSL               yes    no      the name in their certificate, User:ANONYMOUS without one
    SASL_PLAINTEXT    no     yes     who they show to be
    SASL_SSL          yes    yes     who they show to be
    EITHER            maybe  yes     the same, or the name in their certificate

The last one is no protocol of Kafka's: the one port of --kafka-security speaks it, where the properties
name no listeners.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from cloudlet.kafka.configs import InvalidConfig, broker_definitions, split_list
from cloudlet.kernel.listeners import Listener, parse_listeners

LISTENERS, ADVERTISED = "listeners", "advertised.listeners"
PROTOCOLS, BETWEEN = "listener.security.protocol.map", "inter.broker.listener.name"
CONTROLLERS = "controller.listener.names"
PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL = "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"
EITHER = "SASL_SSL or SASL_PLAINTEXT"
SECURED = frozenset({PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL})
EVERYWHERE = ("0.0.0.0", "::")


class Door(NamedTuple):
    """By what a client comes: the name of a listener, and what is spoken there."""

    name: str
    protocol: str

    @property
    def has_tls(self) -> bool:
        """Whether clients may speak TLS."""
        return self.protocol in (SSL, SASL_SSL, EITHER)

    @property
    def takes_sasl(self) -> bool:
        return self.protocol not in (PLAINTEXT, SSL)

    @property
    def takes_certificates(self) -> bool:
        """Whether a client's certificate says who it is."""
        return self.protocol in (SSL, EITHER)

    def seen_from(self, *, is_tls: bool) -> Door | None:
        """The listener as a client has come by it; None where it may not speak so."""
        if self.protocol == EITHER:
            protocol = SASL_SSL if is_tls else SASL_PLAINTEXT
            return self._replace(name=protocol)
        return self if is_tls == self.has_tls else None


class Listeners(NamedTuple):
    """What is served, the first one at the face's own port; what each speaks; the addresses that are told by
    a name of a listener. Nothing is `named` where the properties do not say where to listen."""

    named: tuple[Listener, ...]
    doors: tuple[Door, ...]
    advertised: Mapping[str, Listener]


def listeners_of(properties: Mapping[str, str], *, is_secured: bool) -> Listeners:
    """The listeners that properties ask for; InvalidConfig for what Kafka refuses, and what is not served."""
    named = _parsed(properties, LISTENERS)
    advertised = _parsed(properties, ADVERTISED)
    for each in advertised:
        if each.host in EVERYWHERE:
            raise InvalidConfig(
                f"{ADVERTISED} cannot use the nonroutable meta-address {each.host}. Use a routable IP "
                "address."
            )
    advertised = tuple(each for each in advertised if each.host)  # the others' clients know how they came
    if not named:
        if len(advertised) > 1:
            raise InvalidConfig(f"{ADVERTISED} names several listeners, and {LISTENERS} none")
        door = Door(SASL_SSL, EITHER) if is_secured else Door(PLAINTEXT, PLAINTEXT)
        return Listeners((), (door,), {each.name: each for each in advertised})
    _check_different(named)
    protocols = _protocols(properties)
    doors = tuple(_door(each, protocols, properties, is_secured=is_secured) for each in named)
    names = [each.name for each in named]
    strange = [each.name for each in advertised if each.name not in names]
    if strange:
        raise InvalidConfig(
            f"{ADVERTISED} listener names must be equal to or a subset of the ones defined in {LISTENERS}. "
            f"Found {','.join(strange)}. The valid options based on the current configuration are "
            f"{','.join(names)}"
        )
    between = properties.get(BETWEEN, names[0]).upper()
    if between not in names:
        raise InvalidConfig(
            f"{BETWEEN} must be a listener name defined in {ADVERTISED}. The valid options based on "
            f"currently configured listeners are {','.join(names)}"
        )
    return Listeners(named, doors, {each.name: each for each in advertised})


def _parsed(properties: Mapping[str, str], name: str) -> tuple[Listener, ...]:
    try:
        return parse_listeners(properties.get(name, ""))
    except ValueError as error:
        raise InvalidConfig(f"Error creating broker listeners from '{properties[name]}': {error}") from None


def _check_different(named: tuple[Listener, ...]) -> None:
    if len({each.name for each in named}) < len(named):
        raise InvalidConfig("Each listener must have a different name")
    ports = [(each.host, each.port) for each in named if each.port]
    if len(set(ports)) < len(ports):
        raise InvalidConfig("Each listener must have a different port")


def _protocols(properties: Mapping[str, str]) -> dict[str, str]:
    text = properties.get(PROTOCOLS) or broker_definitions()[PROTOCOLS].default or ""
    found: dict[str, str] = {}
    for part in split_list(text):
        name, colon, protocol = part.partition(":")
        if not colon or protocol.strip().upper() not in SECURED:
            raise InvalidConfig(f"{PROTOCOLS}: {part} is no NAME:PROTOCOL")
        found[name.strip().upper()] = protocol.strip().upper()
    return found


def _door(
    listener: Listener, protocols: Mapping[str, str], properties: Mapping[str, str], *, is_secured: bool
) -> Door:
    name = listener.name
    controllers = split_list(properties.get(CONTROLLERS, "CONTROLLER"))
    if name in (each.upper() for each in controllers):
        raise InvalidConfig(f"{LISTENERS}: {name} is a controller's, and the controller here listens nowhere")
    protocol = protocols.get(name)
    if protocol is None:
        raise InvalidConfig(
            f"Error creating broker listeners from '{properties[LISTENERS]}': No security protocol defined "
            f"for listener {name}"
        )
    if protocol != PLAINTEXT and not is_secured:
        raise InvalidConfig(f"{LISTENERS}: {name} speaks {protocol}, which takes --kafka-security")
    return Door(name, protocol)
