"""The `cloudlet` command: what can be said, and which exit status says what.

State   none
Source  docs/cli.md
Absent  console comes with its feature

    0  done      2  usage, or a flag that is not available yet      4  a port is taken
    1  not running, or not ready      3  the data folder is held, or of another format
    5  it could not start, or what is printed cannot be written         6  the running cloud refused
    7  what --init asks for cannot be made, or is there and differs
    130, 141  ended by Ctrl-C, or as nobody reads what is printed; as a shell says it of any program
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from cloudlet import __version__
from cloudlet.cli.fault_commands import fault
from cloudlet.cli.kafka_commands import data_option, kafka

NOT_RUNNING = 1
USAGE = 2
HELD = 3
PORT_TAKEN = 4
FAILED = 5
REFUSED = 6
NOT_MADE = 7

PORTS_HELP = (
    "auto: free ones, picked once per data folder and kept; aws=PORT,…: these, and free ones for the others. "
    "[default: default]"
)
ONLY_HELP = "The faces to start, comma-separated. [default: all]"

COOLDOWNS_HELP = "Leave out SQS's waits of 60 s after a deletion and between purges."

INIT_FILE = click.Path(exists=True, dir_okay=False, resolve_path=True)

F = TypeVar("F", bound=Callable[..., object])

NOT_YET = {
    "brokers": "--brokers", "keys": "--keys",
    "logs": "--logs", "blobs": "--blobs",
}  # fmt: skip
"""Flags of faces and engines that are still to come: known, and refused by name."""


class Commands(click.Group):
    """The commands, each of which may be interrupted and may lose its reader."""

    def invoke(self, ctx: click.Context) -> object:
        """Run one; Ctrl-C and a closed pipe end it without a word, as they end other programs."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ENOSPC) or error.filename is not None:
                raise
            # What the stream still holds would fail again when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno == errno.EPIPE:
                sys.exit(128 + signal.SIGPIPE)
            click.echo(f"cloudlet: this cannot be written: {error.strerror}", err=True)
            sys.exit(FAILED)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "CLOUDLET"},
)
@click.version_option(__version__, message="cloudlet %(version)s")
def main() -> None:
    """A small cloud on this machine.

    Every flag can be given as an environment variable too: --data of every command as CLOUDLET_DATA,
    --strict of `up` as CLOUDLET_UP_STRICT.
    """


def start_options(command: F) -> F:
    """The flags of every command that starts a cloud."""
    for option in (
        click.option("--ports", metavar="auto|default|aws=PORT,…", default=None, help=PORTS_HELP),
        click.option("--only", default=None, metavar="FACES", help=ONLY_HELP),
        click.option("--host", default=None, help="The address to listen on. [default: 127.0.0.1 and ::1]"),
        click.option("--advertise", default=None, metavar="NAME", help="The name that clients are told."),
        click.option("--account", default="000000000000", show_default=True, help="The default account."),
        click.option("--region", default="us-east-1", show_default=True, help="For requests that name none."),
        click.option("--strict", is_flag=True, help="Refuse keys that are unknown."),
        click.option("--sync", is_flag=True, help="Sync every write to the disk before it is acknowledged."),
        click.option("--no-cooldowns", is_flag=True, help=COOLDOWNS_HELP),
        click.option("--data-events", is_flag=True, help="Record data events (messages sent, …) too."),
        click.option(
            "--init", default=None, metavar="FILE", type=INIT_FILE,
            help="What is to be there at start: queues, buckets, topics, in TOML.",
        ),
        click.option(
            "--kafka", multiple=True, metavar="NAME=VALUE",
            help="A property of the Kafka broker, as in server.properties; may be repeated.",
        ),
        click.option(
            "--etcd", multiple=True, metavar="NAME=VALUE",
            help="A flag of etcd's, as election-timeout=100; may be repeated.",
        ),
        click.option(
            "--zookeeper", multiple=True, metavar="NAME=VALUE",
            help="A property of ZooKeeper's, as tickTime=1000; may be repeated.",
        ),
        click.option(
            "--kafka-security", is_flag=True,
            help="Kafka's clients must authenticate (SASL, over TLS too); prints what they need.",
        ),
        *(click.option(flag, hidden=True, default=None) for flag in NOT_YET.values()),
    ):  # fmt: skip
        command = option(command)
    return command


@main.command()
@data_option
@start_options
@click.option("--ephemeral", is_flag=True, help="Keep nothing: a folder that goes with the cloud.")
@click.option("-d", "--detach", is_flag=True, help="Return once everything is ready.")
def up(data: Path | None, *, ephemeral: bool, detach: bool, **flags: object) -> None:
    """Start a cloud; in the foreground until Ctrl-C, unless -d."""
    from cloudlet.cli import start

    settings = start.settings(data, ephemeral=ephemeral, **flags)
    sys.exit(start.up_detached(settings) if detach else start.up(settings))


@main.command()
@data_option
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to wait until it is gone.")
def down(data: Path | None, timeout: float) -> None:
    """Stop the cloud, and wait until it is gone."""
    from cloudlet.cli import running

    sys.exit(running.down(running.folder(data), timeout))


@main.command()
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def status(data: Path | None, *, as_json: bool) -> None:
    """What runs, and where it listens."""
    from cloudlet.cli import running

    sys.exit(running.status(running.folder(data), as_json=as_json))


@main.command()
@data_option
@click.option(
    "--only", default="", metavar="FACES",
    help="The faces that must answer, comma-separated. [default: all that the cloud has]",
)  # fmt: skip
def env(data: Path | None, only: str) -> None:
    """Print `export NAME='value'` lines for the running cloud, or none with exit status 1.

    \b
    eval "$(cloudlet env)"
    """
    from cloudlet.cli import running

    sys.exit(running.env(running.folder(data), only))


@main.command(context_settings={"allow_interspersed_args": False})
@start_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **flags: object) -> None:
    """Run a command beside a private cloud: cloudlet run -- pytest

    The cloud is ephemeral, on free ports, and stops when the command ends; its exit status is passed on.
    """
    from cloudlet.cli import start

    if flags.get("ports") is None:
        flags["ports"] = "auto"
    nowhere = Path(os.environ.get("TMPDIR") or "/tmp")  # no home is needed where nothing is kept
    sys.exit(start.run(start.settings(nowhere, ephemeral=True, **flags), command))


@main.command()
@data_option
@click.option("-f", "--follow", is_flag=True, help="Go on as lines come.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=100, show_default=True,
    help="How many to begin with.",
)  # fmt: skip
def logs(data: Path | None, lines: int, *, follow: bool) -> None:
    """Show what a detached cloud has logged."""
    from cloudlet.cli import running

    sys.exit(running.logs(running.folder(data), lines, follow=follow))


@main.group()
def clock() -> None:
    """Show and move cloud time: what delays, retention and expiry run on."""


def clock_options(command: F) -> F:
    """--data and --json, the same on every command of the clock."""
    return data_option(click.option("--json", "as_json", is_flag=True, help="For scripts.")(command))


@clock.command("show")
@clock_options
def clock_show(data: Path | None, *, as_json: bool) -> None:
    """Both times, and whether cloud time runs."""
    from cloudlet.cli import clock

    clock.show(data, as_json=as_json)


@clock.command("advance", context_settings={"ignore_unknown_options": True})
@clock_options
@click.option("--to", "instant", metavar="INSTANT", help="Up to an instant of ISO 8601, instead of DURATION.")
@click.argument("duration", required=False)
def clock_advance(data: Path | None, duration: str | None, instant: str | None, *, as_json: bool) -> None:
    """Move cloud time forward: 90s, 15m, 36h, 8d, 1d12h.

    Frozen time moves too, and stays frozen. Cloud time never goes back.
    """
    from cloudlet.cli import clock

    clock.advance(data, duration, instant, as_json=as_json)


@clock.command("freeze")
@clock_options
def clock_freeze(data: Path | None, *, as_json: bool) -> None:
    """Let cloud time stand still."""
    from cloudlet.cli import clock

    clock.turn(data, "freeze", as_json=as_json)


@clock.command("thaw")
@clock_options
def clock_thaw(data: Path | None, *, as_json: bool) -> None:
    """Let cloud time go on from where it stands."""
    from cloudlet.cli import clock

    clock.turn(data, "thaw", as_json=as_json)


@main.group()
def checkpoint() -> None:
    """Save the whole cloud, look at what has changed since, and bring it back."""


@checkpoint.command("save")
@click.argument("name")
@data_option
def checkpoint_save(name: str, data: Path | None) -> None:
    """Save the cloud as it is now, while it goes on."""
    from cloudlet.cli import checkpoints

    checkpoints.save(data, name)


@checkpoint.command("list")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def checkpoint_list(data: Path | None, *, as_json: bool) -> None:
    """What was saved, and when."""
    from cloudlet.cli import checkpoints

    checkpoints.show_all(data, as_json=as_json)


@checkpoint.command("restore")
@click.argument("name")
@data_option
def checkpoint_restore(name: str, data: Path | None) -> None:
    """Make the cloud what it was; clients are disconnected, revisions go on rising."""
    from cloudlet.cli import checkpoints

    checkpoints.restore(data, name)


@checkpoint.command("diff")
@click.argument("name")
@click.argument("other", required=False)
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def checkpoint_diff(name: str, other: str | None, data: Path | None, *, as_json: bool) -> None:
    """What has changed since a checkpoint, up to another one or to now."""
    from cloudlet.cli import checkpoints

    checkpoints.diff(data, name, other, as_json=as_json)


@checkpoint.command("drop")
@click.argument("name")
@data_option
def checkpoint_drop(name: str, data: Path | None) -> None:
    """Let go of a checkpoint, and of the space that only it holds."""
    from cloudlet.cli import checkpoints

    checkpoints.drop(data, name)


@main.command()
@data_option
def reset(data: Path | None) -> None:
    """Forget every account's resources. Checkpoints and the clock stay."""
    from cloudlet.cli import checkpoints

    checkpoints.reset(data)


@main.group()
def keys() -> None:
    """Look at the facts that the cloud keeps, and at their history."""


@keys.command("list")
@click.argument("prefix", default="")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def keys_list(prefix: str, data: Path | None, *, as_json: bool) -> None:
    """The keys at and under a path."""
    from cloudlet.cli import keys

    keys.show_list(data, prefix, as_json=as_json)


@keys.command("get")
@click.argument("key")
@click.option("--at", type=int, default=None, help="As it was at this revision.")
@data_option
def keys_get(key: str, at: int | None, data: Path | None) -> None:
    """One key's value as JSON, with its revisions."""
    from cloudlet.cli import keys

    keys.show(data, key, at)


@keys.command("history")
@click.argument("key")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def keys_history(key: str, data: Path | None, *, as_json: bool) -> None:
    """Who has changed a key, at which revision, to what; as far back as the history goes."""
    from cloudlet.cli import keys

    keys.show_history(data, key, as_json=as_json)


@keys.command("diff")
@click.argument("from_revision", type=int)
@click.argument("to_revision", type=int, required=False)
@click.option("--prefix", default="", help="Only keys at and under this path.")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def keys_diff(
    from_revision: int, to_revision: int | None, prefix: str, data: Path | None, *, as_json: bool
) -> None:
    """The keys that differ between two revisions, or between one and now."""
    from cloudlet.cli import keys

    keys.show_diff(data, from_revision, to_revision, prefix, as_json=as_json)


@keys.command("watch")
@click.argument("prefix", default="")
@click.option("--since", type=int, default=None, help="From this revision on. [default: what comes next]")
@data_option
@click.option("--json", "as_json", is_flag=True, help="A line of JSON per change.")
def keys_watch(prefix: str, since: int | None, data: Path | None, *, as_json: bool) -> None:
    """Show changes at and under a path as they come, until Ctrl-C."""
    from cloudlet.cli import keys

    keys.watch(data, prefix, since, as_json=as_json)


@main.group(invoke_without_command=True)
@click.pass_context
@data_option
def tls(context: click.Context, data: Path | None) -> None:
    """Print the file of the authority that clients trust, made unless it is there."""
    if context.invoked_subcommand is None:
        from cloudlet.cli import tls as commands

        commands.show_authority(data)


@tls.command("client")
@click.argument("name")
@data_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def tls_client(name: str, data: Path | None, *, as_json: bool) -> None:
    """Make a certificate and a key for a client that is known by NAME; print their files."""
    from cloudlet.cli import tls as commands

    commands.make_client(data, name, as_json=as_json)


@main.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell: eval "$(cloudlet completion bash)"."""
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(main, {}, "cloudlet", "_CLOUDLET_COMPLETE").source())


main.add_command(kafka)
main.add_command(fault)
