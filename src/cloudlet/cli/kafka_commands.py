"""`cloudlet kafka …`: what can be said; what it does is in kafka_topics, kafka_groups and kafka_records.

State   none
Source  docs/cli.md, "Kafka"
Absent  none
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

import click

F = TypeVar("F", bound=Callable[..., object])


def data_option(command: F) -> F:
    """--data, the same on every command."""
    return click.option(
        "--data", envvar="CLOUDLET_DATA", type=click.Path(file_okay=False, path_type=Path), default=None,
        help="The data folder. [default: the platform's user data folder]",
    )(command)  # fmt: skip


def json_option(command: F) -> F:
    """--json, the same on every command that shows something."""
    return click.option("--json", "as_json", is_flag=True, help="For scripts.")(command)


CONFIG = click.option("--config", "configs", multiple=True, metavar="NAME=VALUE", help="A property.")


@click.group()
def kafka() -> None:
    """Topics, groups, records, properties and rules of the Kafka broker."""


@kafka.group(invoke_without_command=True)
@click.pass_context
@data_option
@json_option
@click.option("--internal", is_flag=True, help="Kafka's own topics too.")
def topics(context: click.Context, data: Path | None, *, as_json: bool, internal: bool) -> None:
    """List topics; create, describe and delete them."""
    if context.invoked_subcommand is None:
        from cloudlet.cli import kafka_topics

        kafka_topics.show_all(data, as_json=as_json, with_internal=internal)


@topics.command("create")
@click.argument("name")
@click.option("--partitions", type=int, default=-1, help="[default: the broker's num.partitions]")
@CONFIG
@data_option
def topics_create(name: str, partitions: int, configs: tuple[str, ...], data: Path | None) -> None:
    """Make a topic."""
    from cloudlet.cli import kafka_topics

    kafka_topics.create(data, name, partitions, configs)


@topics.command("describe")
@click.argument("name")
@data_option
@json_option
def topics_describe(name: str, data: Path | None, *, as_json: bool) -> None:
    """The partitions of a topic, with their offsets."""
    from cloudlet.cli import kafka_topics

    kafka_topics.describe(data, name, as_json=as_json)


@topics.command("delete")
@click.argument("names", nargs=-1, required=True)
@data_option
def topics_delete(names: tuple[str, ...], data: Path | None) -> None:
    """Delete topics."""
    from cloudlet.cli import kafka_topics

    kafka_topics.delete(data, names)


@kafka.group(invoke_without_command=True)
@click.pass_context
@data_option
@json_option
def groups(context: click.Context, data: Path | None, *, as_json: bool) -> None:
    """List consumer groups; see their lag, move their offsets, delete them."""
    if context.invoked_subcommand is None:
        from cloudlet.cli import kafka_groups

        kafka_groups.show_all(data, as_json=as_json)


@groups.command("lag")
@click.argument("group")
@click.option("-f", "--follow", is_flag=True, help="Renew the table every second, until Ctrl-C.")
@data_option
@json_option
def groups_lag(group: str, data: Path | None, *, follow: bool, as_json: bool) -> None:
    """How far a group is behind, by partition."""
    from cloudlet.cli import kafka_groups

    kafka_groups.lag(data, group, follow=follow, as_json=as_json)


@groups.command("move")
@click.argument("group")
@click.argument("topic")
@click.option("--to", "place", default="earliest", show_default=True, help="earliest, latest or an offset.")
@click.option("--partition", type=int, default=None, help="[default: all]")
@data_option
def groups_move(group: str, topic: str, place: str, partition: int | None, data: Path | None) -> None:
    """Set a group's offsets in a topic; the group must be empty."""
    from cloudlet.cli import kafka_groups

    kafka_groups.move(data, group, topic, place, partition)


@groups.command("delete")
@click.argument("names", nargs=-1, required=True)
@data_option
def groups_delete(names: tuple[str, ...], data: Path | None) -> None:
    """Delete groups that have no members."""
    from cloudlet.cli import kafka_groups

    kafka_groups.delete(data, names)


@kafka.command()
@click.argument("topic")
@click.argument("values", nargs=-1)
@click.option("--key", default=None, help="The key of every record.")
@click.option("--partition", type=int, default=None, help="[default: by the key, else the emptiest]")
@click.option("--separator", default=None, metavar="TEXT", help="Each value is KEY, this text, VALUE.")
@data_option
def produce(
    topic: str,
    values: tuple[str, ...],
    key: str | None,
    partition: int | None,
    separator: str | None,
    data: Path | None,
) -> None:
    """Write VALUES, or the lines of standard input, as records of a topic."""
    from cloudlet.cli import kafka_records

    kafka_records.produce(data, topic, values, key, partition, separator)


@kafka.command()
@click.argument("topic")
@click.option("-f", "--follow", is_flag=True, help="Go on as records come, until Ctrl-C.")
@click.option("--from", "place", default="earliest", show_default=True, help="earliest, latest or an offset.")
@click.option("--partition", type=int, default=None, help="[default: all]")
@click.option("-n", "--count", type=int, default=None, help="Stop after so many.")
@data_option
@json_option
def consume(
    topic: str,
    place: str,
    partition: int | None,
    count: int | None,
    data: Path | None,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the records of a topic, without joining a group."""
    from cloudlet.cli import kafka_records

    kafka_records.consume(data, topic, place, partition, count, follow=follow, as_json=as_json)


@kafka.command()
@click.argument("topic", required=False)
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="Change a property.")
@click.option("--unset", "removals", multiple=True, metavar="NAME", help="Give a property its default again.")
@click.option("--all", "is_whole", is_flag=True, help="Defaults too.")
@data_option
@json_option
def configs(
    topic: str | None,
    changes: tuple[str, ...],
    removals: tuple[str, ...],
    data: Path | None,
    *,
    is_whole: bool,
    as_json: bool,
) -> None:
    """Show and change the properties of a topic, or of the broker."""
    from cloudlet.cli import kafka_topics

    kafka_topics.configure(data, topic, changes, removals, is_whole=is_whole, as_json=as_json)


@kafka.group(invoke_without_command=True)
@click.pass_context
@data_option
@json_option
def acls(context: click.Context, data: Path | None, *, as_json: bool) -> None:
    """List access control rules; add and remove them, and make users."""
    if context.invoked_subcommand is None:
        from cloudlet.cli import kafka_rules

        kafka_rules.show_all(data, as_json=as_json)


class RuleWords(TypedDict):
    """How a rule is said."""

    principal: str
    operation: str
    resource: str
    host: str
    is_prefixed: bool
    is_denied: bool


def rule_options(command: F) -> F:
    """What a rule is made of."""
    for option in (  # the last one applied is the first one said
        click.argument("resource", metavar="KIND:NAME"),
        click.argument("operation"),
        click.argument("principal"),
        click.option("--host", default="*", show_default=True, help="The client's address."),
        click.option("--prefix", "is_prefixed", is_flag=True, help="NAME is how the names begin."),
        click.option("--deny", "is_denied", is_flag=True, help="Deny instead of allowing."),
    ):
        command = option(command)
    return command


@acls.command("add")
@rule_options
@data_option
def acls_add(data: Path | None, **rule: Unpack[RuleWords]) -> None:
    """Let a user do something: acls add alice read topic:orders"""
    from cloudlet.cli import kafka_rules

    kafka_rules.change(data, rule, is_added=True)


@acls.command("remove")
@rule_options
@data_option
def acls_remove(data: Path | None, **rule: Unpack[RuleWords]) -> None:
    """Take a rule back."""
    from cloudlet.cli import kafka_rules

    kafka_rules.change(data, rule, is_added=False)


@acls.command("user")
@click.argument("name")
@click.password_option(help="Asked for where it is not given.")
@data_option
def acls_user(name: str, password: str, data: Path | None) -> None:
    """Make a user who can authenticate, or give one another password."""
    from cloudlet.cli import kafka_rules

    kafka_rules.make_user(data, name, password)


@kafka.command()
@data_option
def security(data: Path | None) -> None:
    """Print what the clients of a secured broker are configured with."""
    from cloudlet.cli import kafka_rules

    kafka_rules.show_properties(data)
