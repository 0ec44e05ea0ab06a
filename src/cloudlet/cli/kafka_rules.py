"""What the commands about access control rules and users ask of the broker, and print.

State   none
Source  docs/cli.md, "Kafka"; docs/kafka-security.md
Absent  none
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from cloudlet.cli.kafka_client import KafkaClient, check
from cloudlet.cli.kafka_commands import RuleWords
from cloudlet.cli.kafka_security import client_properties
from cloudlet.cli.running import NotRunning, VerbRefused, folder
from cloudlet.kafka.security.rules import (
    CLUSTER_NAME,
    Operation,
    PatternType,
    Permission,
    ResourceType,
)
from cloudlet.kafka.security.scram import (
    ITERATIONS_MIN,
    NUMBERS,
    SALT_BYTES,
    salted_password,
)
from cloudlet.shell.folder import running
from cloudlet.wire.kafka import messages

ANY = 1


def show_all(data: Path | None, *, as_json: bool) -> None:
    """Print the rules, a line each."""
    with KafkaClient(folder(data)) as client:
        reply = client.ask(
            messages.DescribeAclsRequest(
                ResourceTypeFilter=ANY, ResourceNameFilter=None, PatternTypeFilter=ANY, PrincipalFilter=None,
                HostFilter=None, Operation=ANY, PermissionType=ANY,
            )
        )  # fmt: skip
    check(reply.ErrorCode, reply.ErrorMessage)
    rows = [
        {
            "principal": rule.Principal,
            "permission": Permission(rule.PermissionType).name.lower(),
            "operation": Operation(rule.Operation).name.lower(),
            "resource": f"{ResourceType(resource.ResourceType).name.lower()}:{resource.ResourceName}",
            "prefix": resource.PatternType == PatternType.PREFIXED,
            "host": rule.Host,
        }
        for resource in reply.Resources
        for rule in resource.Acls
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    for row in rows:
        prefix = "*" if row["prefix"] else ""
        host = "" if row["host"] == "*" else f" from {row['host']}"
        click.echo(
            f"{row['principal']} {row['permission']} {row['operation']} {row['resource']}{prefix}{host}"
        )


def change(data: Path | None, rule: RuleWords, *, is_added: bool) -> None:
    """Add or remove a rule."""
    kind, _, name = rule["resource"].partition(":")
    try:
        kind_number = ResourceType[kind.upper().replace("-", "_")]
        operation_number = Operation[rule["operation"].upper().replace("-", "_")]
    except KeyError as error:
        raise click.UsageError(f"{error.args[0].lower()} is no kind of resource, or no operation.") from None
    if kind_number is ResourceType.CLUSTER:
        name = CLUSTER_NAME
    pattern = PatternType.PREFIXED if rule["is_prefixed"] else PatternType.LITERAL
    permission = Permission.DENY if rule["is_denied"] else Permission.ALLOW
    principal, host = rule["principal"], rule["host"]
    who = principal if ":" in principal else f"User:{principal}"
    with KafkaClient(folder(data)) as client:
        if is_added:
            creation = messages.CreateAclsRequest.AclCreation(
                ResourceType=kind_number, ResourceName=name, ResourcePatternType=pattern, Principal=who,
                Host=host, Operation=operation_number, PermissionType=permission,
            )  # fmt: skip
            (row,) = client.ask(messages.CreateAclsRequest(Creations=[creation])).Results
            check(row.ErrorCode, row.ErrorMessage)
            return
        chosen = messages.DeleteAclsRequest.DeleteAclsFilter(
            ResourceTypeFilter=kind_number, ResourceNameFilter=name, PatternTypeFilter=pattern,
            PrincipalFilter=who, HostFilter=host, Operation=operation_number, PermissionType=permission,
        )  # fmt: skip
        (found,) = client.ask(messages.DeleteAclsRequest(Filters=[chosen])).FilterResults
    check(found.ErrorCode, found.ErrorMessage)
    if not found.MatchingAcls:
        raise VerbRefused("there is no such rule")


def make_user(data: Path | None, name: str, password: str) -> None:
    """Make a user for every SCRAM mechanism, and PLAIN."""
    cls = messages.AlterUserScramCredentialsRequest
    rows = []
    for mechanism, number in NUMBERS.items():
        salt = os.urandom(SALT_BYTES)
        rows.append(
            cls.ScramCredentialUpsertion(
                Name=name, Mechanism=number, Iterations=ITERATIONS_MIN, Salt=salt,
                SaltedPassword=salted_password(mechanism, password, salt, ITERATIONS_MIN),
            )
        )  # fmt: skip
    with KafkaClient(folder(data)) as client:
        (found,) = client.ask(cls(Upsertions=rows)).Results
    check(found.ErrorCode, found.ErrorMessage)
    click.echo(f"User:{name} can authenticate")


def show_properties(data: Path | None) -> None:
    """Print the clients' properties."""
    where = folder(data)
    said = running(where)
    if said is None or "kafka" not in said.endpoints:
        raise NotRunning(f"no Kafka broker runs on {where}")
    with KafkaClient(where) as client:
        if not client.is_secured:
            raise VerbRefused("the broker is not secured: start it with --kafka-security")
    click.echo(client_properties(where, said.endpoints["kafka"]))
