"""Starting a cloud: in the foreground, detached, or beside a command.

State   none
Source  docs/cli.md
Absent  none
"""

from __future__ import annotations

import errno
import faulthandler
import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import click

from cloudlet.cli.main import FAILED, HELD, NOT_MADE, NOT_YET, PORT_TAKEN, USAGE
from cloudlet.cli.running import EPHEMERAL, chosen_folder, environment, ephemeral_folders
from cloudlet.kernel.settings import FACES, FACES_TO_COME, Settings

READY_SECONDS = 60.0
STDERR = 2
LABEL = "[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
HOST = re.compile(rf"{LABEL}(\.{LABEL})*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*")
FORMS = MappingProxyType({"region": re.compile(r"[A-Za-z0-9-]{1,64}"), "host": HOST, "advertise": HOST})
"""What texts look like that clients are told: a space or a slash in one would fail them, not us."""

OF_OTHER_KEYS = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
)  # fmt: skip
"""What clients read beside the keys that a command is given: JavaScript's prefer a profile to them."""
PROXIES = ("http_proxy", "https_proxy", "all_proxy")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
READY_VARIABLE = "_CLOUDLET_READY_FD"
LIFE_VARIABLE = "_CLOUDLET_LIFE_FD"
"""A pipe whose other end is held by `cloudlet run`: however that ends, the cloud ends with it."""


def settings(data: Path | None, *, ephemeral: bool, **flags: object) -> Settings:
    """The settings that the flags say; usage errors end the process with their text."""
    for name, flag in NOT_YET.items():
        if flags.pop(name, None):
            raise click.UsageError(
                f"{flag} is not available yet: the part that it configures is still to come."
            )
    only = tuple(filter(None, (part.strip() for part in str(flags.pop("only") or "").split(",")))) or FACES
    for face in only:
        if face in FACES_TO_COME:
            raise click.UsageError(
                f"--only {face}: this face is not available yet; today there is: {', '.join(FACES)}."
            )
        if face not in FACES:
            raise click.UsageError(f"--only {face}: there is no such face; there is: {', '.join(FACES)}.")
    if not re.fullmatch(r"\d{12}", str(flags["account"])):
        raise click.UsageError(f"--account {flags['account']}: an account is 12 digits.")
    for name, form in FORMS.items():
        if (given := flags.get(name)) is not None and not form.fullmatch(str(given)):
            raise click.UsageError(
                f"--{name} {given}: this is no {'name of a host' if form is HOST else name}."
            )
    flags["ports"] = flags["ports"] or "default"
    check_ports(str(flags["ports"]), only)
    for name, check in CHECKS.items():
        flags[name] = pairs_of(f"--{name}", flags.pop(name, None), check)
    check_all_of_kafka(flags["kafka"], is_secured=bool(flags.get("kafka_security")))
    check_all_of_zookeeper(flags["zookeeper"])
    return Settings(str(chosen_folder(data)), ephemeral=ephemeral, only=only, **flags)  # type: ignore[arg-type]


def pairs_of(flag: str, given: object, check: Callable[[str, str], None]) -> tuple[tuple[str, str], ...]:
    """What a flag says, each time NAME=VALUE; a usage error for what `check` raises ValueError."""
    pairs = [str(part).partition("=") for part in given] if isinstance(given, list | tuple) else []
    for name, equals, value in pairs:
        if not equals:
            raise click.UsageError(f"{flag} {name}: this is NAME=VALUE.")
        try:
            check(name, value)
        except ValueError as error:
            raise click.UsageError(f"{flag} {name}={value}: {error}.") from None
    return tuple((name, value) for name, _, value in pairs)


def check_kafka(name: str, value: str) -> None:
    """ValueError for what is no property of the broker, not a value of it, or has no effect here."""
    from cloudlet.kafka.configs import check_given
    from cloudlet.kafka.unserved_properties import refuse_unserved

    check_given({name: value})
    refuse_unserved({name: value})


def check_all_of_kafka(given: object, *, is_secured: bool) -> None:
    """A usage error for properties that do not go together."""
    assert isinstance(given, tuple)
    if given:
        from cloudlet.kafka.configs import check_together
        from cloudlet.kafka.listeners import listeners_of
        from cloudlet.kafka.security.ssl_principals import RULES, principals

        try:
            check_together(dict(given))
            listeners_of(dict(given), is_secured=is_secured)
            principals(dict(given).get(RULES, ""))
        except ValueError as error:
            raise click.UsageError(f"--kafka: {error}") from None


def check_etcd(name: str, value: str) -> None:
    """ValueError for what is no flag of etcd's that means something here, or not a value of it."""
    from cloudlet.coord.etcd.settings import settings_of

    settings_of([(name, value)])


def check_zookeeper(name: str, value: str) -> None:
    """ValueError for what is no property of ZooKeeper's that means something here, or not a value of it."""
    from cloudlet.coord.zookeeper.settings import settings_of

    # enforce.auth.enabled wants schemes, which another flag names: see check_all_of_zookeeper.
    settings_of([("enforce.auth.schemes", "ip"), (name, value)])


def check_all_of_zookeeper(given: object) -> None:
    """A usage error for properties that do not go together."""
    assert isinstance(given, tuple)
    if given:
        from cloudlet.coord.zookeeper.settings import settings_of

        try:
            settings_of(given)
        except ValueError as error:
            raise click.UsageError(f"--zookeeper: {error}.") from None


CHECKS = {"kafka": check_kafka, "etcd": check_etcd, "zookeeper": check_zookeeper}


def check_ports(said: str, only: Sequence[str]) -> None:
    """A usage error for what --ports does not take."""
    if said in ("auto", "default"):
        return
    named: set[str] = set()
    for part in said.split(","):
        face, _, port = part.partition("=")
        if face not in only or face in named or not re.fullmatch(r"[1-9]\d{0,4}", port) or int(port) > 65_535:
            raise click.UsageError(
                f"--ports {said}: this is auto, default, or FACE=PORT, … with a face of: {', '.join(only)}."
            )
        named.add(face)


def up(chosen: Settings) -> int:
    """Serve in this process until Ctrl-C; the exit status."""
    gc.disable()  # until the cloud is ready: looking for garbage takes a fifth of a start
    announce = announcer()
    if sys.stderr is not None:
        faulthandler.enable(
            STDERR
        )  # an error of the disk below memory (engines/disk_window.py) comes as a signal
    life = os.environ.pop(LIFE_VARIABLE, None)
    # Beside a command, whose output this is, only what somebody should look at is said.
    logging.basicConfig(
        level=logging.INFO if life is None else logging.WARNING,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    from cloudlet.kernel.fault import NoSpace, StoreError
    from cloudlet.shell.cloud import Cloud, serve_cloud
    from cloudlet.shell.folder import FolderHeld, UnknownFormat
    from cloudlet.shell.initialise import BadFile, NotMade
    from cloudlet.shell.listening import PortTaken

    def ready(cloud: Cloud) -> None:
        if life is not None:
            cloud.stop_with(int(life))
        elif chosen.ephemeral:
            leave_word(chosen, cloud.data)
        is_secured = chosen.kafka_security and "kafka" in cloud.endpoints
        announce(
            {
                "endpoints": cloud.endpoints,
                "ready_ms": ready_ms(),
                "data": str(cloud.data),
                "kafka_security": is_secured,
            }
        )

    try:
        serve_cloud(chosen, ready)
    except (FolderHeld, UnknownFormat) as error:
        announce({"error": str(error), "status": HELD})
        return HELD
    except PortTaken as error:
        announce({"error": str(error), "status": PORT_TAKEN})
        return PORT_TAKEN
    except (BadFile, NotMade) as error:
        status = USAGE if isinstance(error, BadFile) else NOT_MADE
        announce({"error": str(error), "status": status})
        return status
    except NoSpace:
        announce({"error": f"The cloud cannot start: the disk of {chosen.data} is full", "status": FAILED})
        return FAILED
    except StoreError as error:
        announce({"error": f"The cloud cannot start: {error}", "status": FAILED})
        return FAILED
    except OSError as error:
        if error.errno == errno.EPIPE and error.filename is None:
            raise  # whoever was to be told that it is ready has gone
        announce({"error": failed(chosen, error), "status": FAILED})
        return FAILED
    return 0


def failed(chosen: Settings, error: OSError) -> str:
    """Why a cloud does not start that the system has refused something."""
    return f"The cloud cannot start: {error.filename or chosen.data}: {error.strerror or error}"


def leave_word(chosen: Settings, folder: Path) -> None:
    """Let the other commands find an ephemeral cloud under the data folder that would have been its own.

    It is found there as long as it runs. Where the folder cannot be written, it is by its own alone.
    """
    from cloudlet.shell.folder import write_whole

    try:
        Path(chosen.data).mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = "\n".join(map(str, [*ephemeral_folders(Path(chosen.data)), folder]))
        write_whole(Path(chosen.data) / EPHEMERAL, lines.encode(), is_durable=False)
    except OSError as error:
        logging.getLogger(__name__).info("found by --data %s alone: %s", folder, error)


def ready_ms() -> int:
    """Milliseconds since this process was started, as far as the system tells."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        started_s = int(fields[19]) / os.sysconf("SC_CLK_TCK")
        return round((time.clock_gettime(time.CLOCK_BOOTTIME) - started_s) * 1000)
    except (OSError, AttributeError, ValueError, IndexError):
        return round(time.process_time() * 1000)


def announcer() -> Callable[[Mapping[str, object]], None]:
    """How this process says that it is ready, or why not: to a person, or to the one that detached it."""
    given = os.environ.pop(READY_VARIABLE, None)
    if given is None:
        return report

    def tell(said: Mapping[str, object]) -> None:
        with os.fdopen(int(given), "w", encoding="utf-8") as pipe:
            json.dump(said, pipe)

    return tell


def report(said: Mapping[str, object]) -> None:
    """Tell a person."""
    if "error" in said:
        click.echo(f"cloudlet: {said['error']}", err=True)
        return
    endpoints = said["endpoints"]
    assert isinstance(endpoints, dict)
    for face, address in endpoints.items():
        click.echo(f"{face:<10} {address}")
    click.echo(f"{'data':<10} {said['data']}")
    if said.get("kafka_security"):
        from cloudlet.cli.kafka_security import client_properties

        click.echo(client_properties(Path(str(said["data"])), str(endpoints["kafka"])))
    click.echo(f"ready in {said['ready_ms']} ms")


def up_detached(chosen: Settings) -> int:
    """Start a cloud of its own process and return once it is ready; the exit status."""
    try:
        process, said = spawn(chosen)
    except OSError as error:
        report({"error": failed(chosen, error)})
        return FAILED
    report(said)
    if "error" in said:
        process.wait()
        return status_of(said)
    return 0


def status_of(said: Mapping[str, object]) -> int:
    """The exit status of a cloud that has said why it does not start."""
    status = said.get("status", FAILED)
    assert isinstance(status, int)
    return status


def spawn(chosen: Settings, life: int | None = None) -> tuple[subprocess.Popen[bytes], Mapping[str, object]]:
    """Start `cloudlet up` in a process of its own; what it said when it was ready, or why it is not. It lives
    as long as the other end of `life`, if that is given."""
    log = Path(os.devnull)
    if not chosen.ephemeral:
        log = Path(chosen.data) / "log" / "cloudlet.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    reader, writer = os.pipe()
    given = {READY_VARIABLE: writer} | ({} if life is None else {LIFE_VARIABLE: life})
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cloudlet", "up", *arguments(chosen)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output if life is None else None,
            pass_fds=tuple(given.values()), start_new_session=True,
            env={**os.environ, **{name: str(fd) for name, fd in given.items()}},
        )  # fmt: skip
    os.close(writer)
    try:
        return process, answer(reader, process, log)
    except (KeyboardInterrupt, SystemExit):  # Ctrl-C, or a signal to `run`
        process.terminate()
        process.wait()
        raise


def answer(reader: int, process: subprocess.Popen[bytes], log: Path) -> Mapping[str, object]:
    """Wait for what the new process says; its silence is an error too."""
    from select import select

    with os.fdopen(reader, encoding="utf-8") as pipe:
        ready, _, _ = select([pipe], [], [], READY_SECONDS)
        text = pipe.read() if ready else ""
    if text:
        said: Mapping[str, object] = json.loads(text)
        return said
    process.kill()
    where = "" if str(log) == os.devnull else f"; see {log}"
    return {"error": f"The cloud did not become ready{where}.", "status": FAILED}


def arguments(chosen: Settings) -> Sequence[str]:
    """The command line that says these settings."""
    words = ["--data", chosen.data, "--ports", chosen.ports, "--only", ",".join(chosen.only)]
    words += ["--account", chosen.account, "--region", chosen.region]
    for flag, value in (
        ("--host", chosen.host),
        ("--advertise", chosen.advertise),
        ("--init", chosen.init),
    ):
        words += [flag, value] if value else []
    for face in CHECKS:
        for name, text in getattr(chosen, face):
            words += [f"--{face}", f"{name}={text}"]
    for flag, is_set in (
        ("--ephemeral", chosen.ephemeral),
        ("--strict", chosen.strict),
        ("--sync", chosen.sync),
        ("--no-cooldowns", chosen.no_cooldowns),
        ("--data-events", chosen.data_events),
        ("--kafka-security", chosen.kafka_security),
    ):
        words += [flag] if is_set else []
    return words


def run(chosen: Settings, command: Sequence[str]) -> int:
    """Run a command beside a private cloud; the command's exit status, 128 + n when a signal ended it."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, _: sys.exit(128 + received))
    life, _held = os.pipe()  # closed with this process
    try:
        cloud, said = spawn(chosen, life)
    except OSError as error:
        report({"error": failed(chosen, error)})
        return FAILED
    if "error" in said:
        report(said)
        cloud.wait()
        return status_of(said)
    endpoints = said["endpoints"]
    assert isinstance(endpoints, dict)
    try:
        token = (Path(str(said["data"])) / "token").read_text(encoding="ascii").strip()
        given = {
            **environment(endpoints, chosen.region),
            "CLOUDLET_TOKEN": token,
            "CLOUDLET_DATA": str(said["data"]),  # so that `cloudlet` speaks to this cloud, and to no other
        }
        child = subprocess.Popen(command, env={**left_of(os.environ), **given})
    except OSError as error:
        click.echo(f"cloudlet: {command[0]} cannot be run: {error.strerror}", err=True)
        return 127
    else:
        return waited(child)
    finally:
        cloud.terminate()
        cloud.wait()


def left_of(ours: Mapping[str, str]) -> Mapping[str, str]:
    """Our own environment without what would lead the clients of a command past its cloud."""
    from cloudlet.aws.implemented import endpoint_variables

    misleading = {*OF_OTHER_KEYS, *endpoint_variables()}
    left = {name: value for name, value in ours.items() if name not in misleading}
    if any(name.lower() in PROXIES for name in left):
        beside = ",".join(filter(None, (left.get("no_proxy") or left.get("NO_PROXY"), *LOOPBACK)))
        left |= {"NO_PROXY": beside, "no_proxy": beside}
    return left


def waited(child: subprocess.Popen[bytes]) -> int:
    """Wait for a command, handing it the signals that we get."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda received, _: child.send_signal(received))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the command by itself: it has our terminal
    status = child.wait()
    return status if status >= 0 else 128 - status
