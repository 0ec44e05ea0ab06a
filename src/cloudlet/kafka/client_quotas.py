"""DescribeClientQuotas and AlterClientQuotas.

State   quotas.py
Source  Apache Kafka 4.3: ClientQuotaControlManager, ClientQuotasImage, their errors and texts; KIP-546
Absent  host names as the entity of an "ip": addresses alone
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.quotas import (
    CLIENT_ID,
    CONNECTIONS,
    FETCH,
    IP,
    MUTATIONS,
    PRODUCE,
    REQUEST,
    USER,
    Entity,
    Quotas,
)
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

EXACT, DEFAULT, ANY = 0, 1, 2
CLIENT_KEYS = {PRODUCE: "LONG", FETCH: "LONG", REQUEST: "DOUBLE", MUTATIONS: "DOUBLE"}
IP_KEYS = {CONNECTIONS: "INT"}
HIGHEST = {"LONG": (1 << 63) - 1, "INT": (1 << 31) - 1}
FRACTION_MAX = 1e-6

Component = messages.DescribeClientQuotasRequest.ComponentData


def _refuse(message: str) -> KafkaFault:
    return KafkaFault(ErrorCode.INVALID_REQUEST, message)


def describe_client_quotas(
    call: Call, request: messages.DescribeClientQuotasRequest
) -> messages.DescribeClientQuotasResponse:
    """The quotas of the entities that a filter finds; a strict one wants exactly its types."""
    cls = messages.DescribeClientQuotasResponse
    try:
        _check_filter(request.Components)
    except KafkaFault as fault:
        return cls(ErrorCode=fault.code, ErrorMessage=fault.message, Entries=None)
    entries: list[messages.DescribeClientQuotasResponse.EntryData] = []
    for entity, values in call.broker.part(Quotas):
        if not _is_wanted(entity, request.Components, is_strict=request.Strict):
            continue
        entries.append(
            cls.EntryData(
                Entity=[cls.EntityData(EntityType=kind, EntityName=name) for kind, name in sorted_of(entity)],
                Values=[cls.ValueData(Key=key, Value=value) for key, value in values.items()],
            )
        )
    return cls(ErrorMessage=None, Entries=entries)


def sorted_of(entity: Entity) -> list[tuple[str, str | None]]:
    """An entity's pairs, by type."""
    return sorted(entity, key=lambda pair: pair[0])


def _check_filter(components: Sequence[Component]) -> None:
    seen: set[str] = set()
    for one in components:
        if not one.EntityType:
            raise _refuse("Invalid empty entity type.")
        if one.EntityType in seen:
            raise _refuse(f"Entity type {one.EntityType} cannot appear more than once in the filter.")
        seen.add(one.EntityType)
        if one.EntityType not in (USER, CLIENT_ID, IP):
            raise KafkaFault(
                ErrorCode.UNSUPPORTED_VERSION, f"Custom entity type '{one.EntityType}' not supported"
            )
        if one.MatchType not in (EXACT, DEFAULT, ANY):
            raise _refuse(f"Unknown match type {one.MatchType}")
        if one.MatchType == EXACT and one.Match is None:
            raise _refuse("Request specified MATCH_TYPE_EXACT, but set match string to null.")
        if one.MatchType != EXACT and one.Match is not None:
            name = "MATCH_TYPE_DEFAULT" if one.MatchType == DEFAULT else "MATCH_TYPE_SPECIFIED"
            raise _refuse(f"Request specified {name}, but also specified a match string.")
    if IP in seen and len(seen) > 1:
        raise _refuse(
            "Invalid entity filter component combination, IP filter component should not be used with user "
            "or clientId filter component."
        )


def _is_wanted(entity: Entity, components: Sequence[Component], *, is_strict: bool) -> bool:
    names = dict(entity)
    for one in components:
        if one.EntityType not in names:
            return False
        name = names[one.EntityType]
        if one.MatchType == EXACT and name != one.Match:
            return False
        if one.MatchType == DEFAULT and name is not None:
            return False
    return not is_strict or len(names) == len(components)


async def alter_client_quotas(
    call: Call, request: messages.AlterClientQuotasRequest
) -> messages.AlterClientQuotasResponse:
    """Change some quotas of each entity, each by itself."""
    cls = messages.AlterClientQuotasResponse
    entries: list[messages.AlterClientQuotasResponse.EntryData] = []
    seen: set[Entity] = set()
    for entry in request.Entries:
        row = cls.EntryData(
            ErrorMessage=None,
            Entity=[
                cls.EntityData(EntityType=one.EntityType, EntityName=one.EntityName) for one in entry.Entity
            ],
        )
        entries.append(row)
        try:
            await _alter(call, entry, seen, is_dry=request.ValidateOnly)
        except KafkaFault as fault:
            row.ErrorCode, row.ErrorMessage = fault.code, fault.message
    return cls(Entries=entries)


async def _alter(
    call: Call, entry: messages.AlterClientQuotasRequest.EntryData, seen: set[Entity], *, is_dry: bool
) -> None:
    entity = _entity(entry)
    if entity in seen:
        raise _refuse(f"Ignoring duplicate entity {dict(entity)}")
    seen.add(entity)
    known = IP_KEYS if any(kind == IP for kind, _ in entity) else CLIENT_KEYS
    quotas = call.broker.part(Quotas)
    values = dict(quotas.of(entity))
    changed: set[str] = set()
    for op in entry.Ops:
        if op.Key in changed:
            raise _refuse(f"Duplicate quota key {op.Key} not updating quota for this entity {dict(entity)}")
        changed.add(op.Key)
        if op.Remove:
            values.pop(op.Key, None)
        else:
            _check_value(known, op.Key, op.Value)
            values[op.Key] = op.Value
    if not is_dry:
        await quotas.put(entity, values)


def _entity(entry: messages.AlterClientQuotasRequest.EntryData) -> Entity:
    names: dict[str, str | None] = {}
    for one in entry.Entity:
        if one.EntityType in names:
            raise _refuse(f"Invalid client quota entity, duplicate entity entry {one.EntityType}")
        if one.EntityType not in (USER, CLIENT_ID, IP):
            raise _refuse(f"Unhandled client quota entity type: {one.EntityType}")
        if one.EntityName == "":
            raise _refuse(f"Empty {one.EntityType} not supported")
        names[one.EntityType] = one.EntityName
    if not names:
        raise _refuse("Invalid empty client quota entity")
    if IP in names:
        if len(names) > 1:
            raise _refuse(
                "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId"
            )
        _check_address(names[IP])
    return frozenset(names.items())


def _check_address(address: str | None) -> None:
    if address is not None:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise _refuse(f"{address} is not a valid IP or resolvable host.") from None


def _check_value(known: dict[str, str], key: str, value: float) -> None:
    kind = known.get(key)
    if kind is None:
        raise _refuse(f"Invalid configuration key {key}")
    if not value > 0:
        raise _refuse(f"Quota {key} must be greater than 0")
    if kind == "DOUBLE":
        return
    if value > HIGHEST[kind]:
        article = "an" if kind == "INT" else "a"
        raise _refuse(f"Proposed value for {key} is too large for {article} {kind}.")
    if abs(value % 1.0) > FRACTION_MAX:
        raise _refuse(f"{key} cannot be a fractional value.")


HANDLERS: dict[int, Handler] = {48: describe_client_quotas, 49: alter_client_quotas}
