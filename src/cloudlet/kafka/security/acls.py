"""Access control lists: kept in the keys, asked for every request of a secured broker.

State   ("kafka", "acl", …the seven fields of a rule) -> nothing: the key says it all
        in memory: all rules, indexed (rules.py)
Source  Apache Kafka 4.3, StandardAuthorizer, AclControlManager; KIP-11, KIP-290
Absent  rules written by another broker while this one runs
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.security.rules import (
    Asked,
    Filter,
    Operation,
    PatternType,
    Permission,
    ResourceType,
    Rule,
    Rules,
    refusal,
    selected,
)
from cloudlet.kernel.keys import Commit, Drop, Durability, Put
from cloudlet.kernel.tuples import pack, prefix_range, unpack
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.error_codes import ErrorCode

RULES_PER_COMMIT = 100
DISABLED = "No Authorizer is configured."


def place(rule: Rule) -> bytes:
    return pack(("kafka", "acl", *(int(part) if isinstance(part, int) else part for part in rule)))


class Acls:
    """All rules; a part of a broker. Without an authorizer everything is allowed."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self.rules = Rules()

    def start(self) -> None:
        """Take in what the keys hold."""
        for entry in self._broker.keys.scan(*prefix_range(("kafka", "acl"))):
            _, _, kind, name, pattern, principal, host, operation, permission = unpack(entry.key)
            self.rules.add(
                Rule(
                    ResourceType(int(kind)), str(name), PatternType(int(pattern)), str(principal), str(host),
                    Operation(int(operation)), Permission(int(permission)),
                )
            )  # fmt: skip

    async def close(self) -> None:
        """Nothing to stop."""

    @property
    def is_on(self) -> bool:
        """Whether requests are checked at all."""
        return bool(self._broker.configs.text("authorizer.class.name"))

    def allows(self, principal: str, host: str, operation: Operation, kind: ResourceType, name: str) -> bool:
        """Whether somebody may do something to a resource."""
        if not self.is_on or self._is_super(principal):
            return True
        is_open = self._broker.configs.given.get("allow.everyone.if.no.acl.found", "") == "true"
        return self.rules.decide(Asked(principal, host, operation, kind, name), is_open=is_open)

    def allows_some(self, principal: str, host: str, operation: Operation, kind: ResourceType) -> bool:
        """Whether there may be a resource of the kind to which somebody may do something."""
        if not self.is_on or self._is_super(principal):
            return True
        return self.rules.decide_any(principal, host, operation, kind)

    def _is_super(self, principal: str) -> bool:
        names = self._broker.configs.given.get("super.users", "")
        return any(principal == name.strip() for name in names.split(";"))

    async def change(self, added: Iterable[Rule], removed: Iterable[Rule]) -> None:
        """Write rules, then let them count."""
        keys, author = self._broker.keys, self._broker.author("acls")
        changes = [(rule, True) for rule in added] + [(rule, False) for rule in removed]
        revision = keys.head
        for start in range(0, len(changes), RULES_PER_COMMIT):
            some = changes[start : start + RULES_PER_COMMIT]
            puts = [Put(place(rule), b"") for rule, is_added in some if is_added]
            drops = [Drop(place(rule)) for rule, is_added in some if not is_added]
            revision = await keys.commit(Commit(author, (), puts, drops, Durability.SYNC))
            for rule, is_added in some:
                (self.rules.add if is_added else self.rules.remove)(rule)
        await keys.settle(revision)


def allowed(call: Call, operation: Operation, kind: ResourceType, name: str) -> bool:
    """Whether the client of a request may do something to a resource."""
    acls = call.broker.part(Acls)
    return acls.allows(call.principal, call.host.removeprefix("/"), operation, kind, name)


def may_read(call: Call, topic: str) -> bool:
    """Whether the client may read a topic, of a broker with rules or without."""
    return not call.broker.part(Acls).is_on or allowed(call, Operation.READ, ResourceType.TOPIC, topic)


def may_describe(call: Call, topic: str) -> bool:
    """The same for its description."""
    return not call.broker.part(Acls).is_on or allowed(call, Operation.DESCRIBE, ResourceType.TOPIC, topic)


def allowed_some(call: Call, operation: Operation, kind: ResourceType) -> bool:
    """Whether the client may do it to some resource of the kind."""
    acls = call.broker.part(Acls)
    return acls.allows_some(call.principal, call.host.removeprefix("/"), operation, kind)


def _filter(
    kind: int,
    name: str | None,
    pattern: int,
    principal: str | None,
    host: str | None,
    op: int,
    permission: int,
) -> Filter | str:
    """A filter of a request, or what is wrong with it."""
    try:
        found = Filter(
            ResourceType(kind),
            name,
            PatternType(pattern),
            principal,
            host,
            Operation(op),
            Permission(permission),
        )
    except ValueError as error:
        return f"The filter has an unknown element: {error}"
    for part in (found.resource_type, found.pattern, found.operation, found.permission):
        if part == 0:
            return "The filter contained UNKNOWN elements"
    return found


async def describe_acls(call: Call, request: messages.DescribeAclsRequest) -> messages.DescribeAclsResponse:
    """The rules that a filter means, by resource."""
    response = messages.DescribeAclsResponse
    acls = call.broker.part(Acls)
    if not acls.is_on:
        return response(ErrorCode=ErrorCode.SECURITY_DISABLED, ErrorMessage=DISABLED)
    found = _filter(
        request.ResourceTypeFilter, request.ResourceNameFilter, request.PatternTypeFilter,
        request.PrincipalFilter, request.HostFilter, request.Operation, request.PermissionType,
    )  # fmt: skip
    if isinstance(found, str):
        return response(ErrorCode=ErrorCode.INVALID_REQUEST, ErrorMessage=found)
    resources: dict[tuple[int, str, int], list[messages.DescribeAclsResponse.AclDescription]] = {}
    for rule in sorted(acls.rules):
        if selected(found, rule):
            resources.setdefault((rule.resource_type, rule.name, rule.pattern), []).append(
                response.AclDescription(
                    Principal=rule.principal,
                    Host=rule.host,
                    Operation=rule.operation,
                    PermissionType=rule.permission,
                )
            )
    rows = [
        response.DescribeAclsResource(ResourceType=kind, ResourceName=name, PatternType=pattern, Acls=rules)
        for (kind, name, pattern), rules in resources.items()
    ]
    return response(Resources=rows)


async def create_acls(call: Call, request: messages.CreateAclsRequest) -> messages.CreateAclsResponse:
    """Make rules; one that is none does not hinder the others."""
    response = messages.CreateAclsResponse
    acls = call.broker.part(Acls)
    results = [response.AclCreationResult() for _ in request.Creations]
    if not acls.is_on:
        for row in results:
            row.ErrorCode, row.ErrorMessage = ErrorCode.SECURITY_DISABLED, DISABLED
        return response(Results=results)
    added = []
    for row, each in zip(results, request.Creations, strict=True):
        try:
            rule = Rule(
                ResourceType(each.ResourceType), each.ResourceName, PatternType(each.ResourcePatternType),
                each.Principal, each.Host, Operation(each.Operation), Permission(each.PermissionType),
            )  # fmt: skip
            reason = refusal(rule)
        except ValueError as error:
            reason = str(error)
        if reason is None:
            added.append(rule)
        else:
            row.ErrorCode, row.ErrorMessage = ErrorCode.INVALID_REQUEST, reason
    await acls.change(added, ())
    return response(Results=results)


async def delete_acls(call: Call, request: messages.DeleteAclsRequest) -> messages.DeleteAclsResponse:
    """Delete the rules that filters mean, and say which they were."""
    response = messages.DeleteAclsResponse
    acls = call.broker.part(Acls)
    results = []
    gone: list[Rule] = []
    for each in request.Filters:
        row = response.DeleteAclsFilterResult()
        results.append(row)
        found = _filter(
            each.ResourceTypeFilter, each.ResourceNameFilter, each.PatternTypeFilter, each.PrincipalFilter,
            each.HostFilter, each.Operation, each.PermissionType,
        )  # fmt: skip
        if not acls.is_on:
            row.ErrorCode, row.ErrorMessage = ErrorCode.SECURITY_DISABLED, DISABLED
        elif isinstance(found, str):
            row.ErrorCode, row.ErrorMessage = ErrorCode.INVALID_REQUEST, found
        else:
            meant = [rule for rule in sorted(acls.rules) if selected(found, rule)]
            gone += meant
            row.MatchingAcls = [
                response.DeleteAclsMatchingAcl(
                    ResourceType=rule.resource_type, ResourceName=rule.name, PatternType=rule.pattern,
                    Principal=rule.principal, Host=rule.host, Operation=rule.operation,
                    PermissionType=rule.permission,
                )
                for rule in meant
            ]  # fmt: skip
    await acls.change((), dict.fromkeys(gone))
    return response(FilterResults=results)


HANDLERS: dict[int, Handler] = {29: describe_acls, 30: create_acls, 31: delete_acls}
