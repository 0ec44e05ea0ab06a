"""Access control rules: what a rule says, which rules a filter finds, and whether a request is allowed.

State   none
Source  Apache Kafka 4.3, "Authorization and ACLs", StandardAuthorizer; KIP-11, KIP-290 (prefixed patterns)
Absent  host ranges (KIP-252 was never built: a host is one address or "*")

Theory of operation
    A rule joins a resource pattern, a principal, a host, an operation and a permission. For one request, the
    rules that match resource, principal and host are looked at: one DENY of the operation decides against it,
    one ALLOW of it, or of an operation that implies it, decides for it; without any, it is denied, or allowed
    if `allow.everyone.if.no.acl.found` and no rule names the resource at all. Super users are never asked.

        wanted                   allowed by a rule for
        DESCRIBE                 DESCRIBE, READ, WRITE, DELETE, ALTER, ALL
        DESCRIBE_CONFIGS         DESCRIBE_CONFIGS, ALTER_CONFIGS, ALL
        any other                itself, ALL

    A DENY counts for the operation that it names, or for all with ALL: nothing is implied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple


class ResourceType(IntEnum):
    """What a rule protects, by its number on the wire."""

    UNKNOWN = 0
    ANY = 1
    TOPIC = 2
    GROUP = 3
    CLUSTER = 4
    TRANSACTIONAL_ID = 5
    DELEGATION_TOKEN = 6
    USER = 7


class PatternType(IntEnum):
    """How the name of a rule, or of a filter, is compared."""

    UNKNOWN = 0
    ANY = 1
    MATCH = 2
    LITERAL = 3
    PREFIXED = 4


class Operation(IntEnum):
    """What is done to a resource."""

    UNKNOWN = 0
    ANY = 1
    ALL = 2
    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    CLUSTER_ACTION = 9
    DESCRIBE_CONFIGS = 10
    ALTER_CONFIGS = 11
    IDEMPOTENT_WRITE = 12
    CREATE_TOKENS = 13
    DESCRIBE_TOKENS = 14
    TWO_PHASE_COMMIT = 15


class Permission(IntEnum):
    """Which way a rule decides."""

    UNKNOWN = 0
    ANY = 1
    DENY = 2
    ALLOW = 3


WILDCARD = "*"
ANYONE = "User:*"
CLUSTER_NAME = "kafka-cluster"

_IMPLIED_BY = {
    Operation.DESCRIBE: frozenset({Operation.READ, Operation.WRITE, Operation.DELETE, Operation.ALTER}),
    Operation.DESCRIBE_CONFIGS: frozenset({Operation.ALTER_CONFIGS}),
}
_NONE: frozenset[Operation] = frozenset()

_OPERATIONS = {
    ResourceType.TOPIC: "READ WRITE CREATE DELETE ALTER DESCRIBE DESCRIBE_CONFIGS ALTER_CONFIGS",
    ResourceType.GROUP: "READ DELETE DESCRIBE DESCRIBE_CONFIGS ALTER_CONFIGS",
    ResourceType.CLUSTER: (
        "CREATE CLUSTER_ACTION DESCRIBE_CONFIGS ALTER_CONFIGS IDEMPOTENT_WRITE ALTER DESCRIBE"
    ),
    ResourceType.TRANSACTIONAL_ID: "WRITE DESCRIBE TWO_PHASE_COMMIT",
    ResourceType.DELEGATION_TOKEN: "DESCRIBE",
    ResourceType.USER: "CREATE_TOKENS DESCRIBE_TOKENS",
}


def operations_of(kind: ResourceType) -> list[Operation]:
    """What can be done to a resource of a kind, beside ALL."""
    return [Operation[name] for name in _OPERATIONS[kind].split()]


class Rule(NamedTuple):
    """One access control entry, bound to a resource pattern."""

    resource_type: ResourceType
    name: str
    pattern: PatternType  # LITERAL or PREFIXED
    principal: str  # "User:alice", "User:*"
    host: str  # an address, "*"
    operation: Operation
    permission: Permission  # DENY or ALLOW


class Filter(NamedTuple):
    """Which rules are meant: None and ANY stand for whatever there is."""

    resource_type: ResourceType = ResourceType.ANY
    name: str | None = None
    pattern: PatternType = PatternType.ANY
    principal: str | None = None
    host: str | None = None
    operation: Operation = Operation.ANY
    permission: Permission = Permission.ANY


class Asked(NamedTuple):
    """Who wants to do what to which resource."""

    principal: str
    host: str
    operation: Operation
    resource_type: ResourceType
    name: str


def refusal(rule: Rule) -> str | None:
    """Why a rule cannot be made; None for a proper one."""
    if rule.resource_type in (ResourceType.UNKNOWN, ResourceType.ANY):
        return f"Invalid resourceType {rule.resource_type.name}"
    if rule.pattern not in (PatternType.LITERAL, PatternType.PREFIXED):
        return f"Invalid patternType {rule.pattern.name}"
    if rule.operation in (Operation.UNKNOWN, Operation.ANY):
        return f"Invalid operation {rule.operation.name}"
    if rule.permission not in (Permission.DENY, Permission.ALLOW):
        return f"Invalid permissionType {rule.permission.name}"
    if not rule.name:
        return "Resource name should not be empty"
    if rule.resource_type is ResourceType.CLUSTER and rule.name != CLUSTER_NAME:
        return f"The only valid name for the CLUSTER resource is {CLUSTER_NAME}"
    if ":" not in rule.principal:
        return f"Invalid principal `{rule.principal}`: a principal is TYPE:NAME, such as User:alice"
    return None


def selected(filter_: Filter, rule: Rule) -> bool:
    """Whether a filter means a rule."""
    if filter_.resource_type not in (ResourceType.ANY, rule.resource_type):
        return False
    if filter_.operation not in (Operation.ANY, rule.operation):
        return False
    if filter_.permission not in (Permission.ANY, rule.permission):
        return False
    if filter_.principal not in (None, rule.principal) or filter_.host not in (None, rule.host):
        return False
    return _pattern_selected(filter_, rule)


def _pattern_selected(filter_: Filter, rule: Rule) -> bool:
    """KIP-290: MATCH finds every rule that would be looked at for a resource of the filter's name."""
    if filter_.pattern not in (PatternType.ANY, PatternType.MATCH, rule.pattern):
        return False
    if filter_.name is None:
        return True
    if filter_.pattern is PatternType.MATCH:
        return covers(rule, filter_.name)
    return filter_.name == rule.name


def covers(rule: Rule, name: str) -> bool:
    """Whether a rule speaks of the resource of a name."""
    if rule.pattern is PatternType.PREFIXED:
        return name.startswith(rule.name)
    return rule.name in (name, WILDCARD)


class Rules:
    """Every rule, found by resource type and then by pattern, so that a request looks at few."""

    __slots__ = ("_literal", "_prefixed", "_size")

    def __init__(self, rules: Iterable[Rule] = ()) -> None:
        self._literal: dict[tuple[ResourceType, str], set[Rule]] = {}
        # By length, since a name has one prefix of each: rules of a hundred lengths cost a hundred look-ups.
        self._prefixed: dict[ResourceType, dict[int, dict[str, set[Rule]]]] = {}
        self._size = 0
        for rule in rules:
            self.add(rule)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Rule]:
        for rules in self._literal.values():
            yield from rules
        for lengths in self._prefixed.values():
            for names in lengths.values():
                for rules in names.values():
                    yield from rules

    def add(self, rule: Rule) -> None:
        """Take a rule in; one that is there already changes nothing."""
        held = self._bucket(rule)
        self._size += rule not in held
        held.add(rule)

    def remove(self, rule: Rule) -> None:
        """Let a rule go, if it is there."""
        held = self._bucket(rule)
        self._size -= rule in held
        held.discard(rule)
        if not held:
            self._forget(rule)

    def _bucket(self, rule: Rule) -> set[Rule]:
        if rule.pattern is PatternType.PREFIXED:
            lengths = self._prefixed.setdefault(rule.resource_type, {})
            return lengths.setdefault(len(rule.name), {}).setdefault(rule.name, set())
        return self._literal.setdefault((rule.resource_type, rule.name), set())

    def _forget(self, rule: Rule) -> None:
        if rule.pattern is not PatternType.PREFIXED:
            del self._literal[rule.resource_type, rule.name]
            return
        lengths = self._prefixed[rule.resource_type]
        del lengths[len(rule.name)][rule.name]
        if not lengths[len(rule.name)]:
            del lengths[len(rule.name)]

    def about(self, kind: ResourceType, name: str) -> Iterator[Rule]:
        """The rules that speak of one resource."""
        yield from self._literal.get((kind, name), ())
        if name != WILDCARD:
            yield from self._literal.get((kind, WILDCARD), ())
        for length, names in self._prefixed.get(kind, {}).items():
            yield from names.get(name[:length], ())

    def decide(self, asked: Asked, *, is_open: bool = False) -> bool:
        """Whether the request is allowed; `is_open` allows what no rule speaks of."""
        implied = _IMPLIED_BY.get(asked.operation, _NONE)
        is_allowed, is_spoken_of = False, False
        for rule in self.about(asked.resource_type, asked.name):
            is_spoken_of = True
            if rule.principal not in (asked.principal, ANYONE) or rule.host not in (asked.host, WILDCARD):
                continue
            is_named = rule.operation in (asked.operation, Operation.ALL)
            if rule.permission is Permission.DENY:
                if is_named:
                    return False
            elif is_named or rule.operation in implied:
                is_allowed = True
        return is_allowed or (is_open and not is_spoken_of)

    def decide_any(self, principal: str, host: str, operation: Operation, kind: ResourceType) -> bool:
        """Whether there may be a resource of the kind to which this is allowed (Kafka's
        authorizeByResourceType): an ALLOW that no DENY covers whole."""
        mine = [
            rule
            for rule in self
            if rule.resource_type is kind
            and rule.principal in (principal, ANYONE)
            and rule.host in (host, WILDCARD)
            and rule.operation in (operation, Operation.ALL)
        ]
        denied = [rule for rule in mine if rule.permission is Permission.DENY]
        return any(
            rule.permission is Permission.ALLOW and not any(_covers_whole(no, rule) for no in denied)
            for rule in mine
        )


def _covers_whole(no: Rule, yes: Rule) -> bool:
    """Whether every resource that `yes` speaks of is spoken of by `no`."""
    if no.pattern is PatternType.PREFIXED:
        return yes.name.startswith(no.name) and (yes.pattern, yes.name) != (PatternType.LITERAL, WILDCARD)
    if no.name == WILDCARD:
        return True
    return yes.pattern is PatternType.LITERAL and yes.name == no.name
