"""The four-letter words, and the figures that they and the admin server tell.

State   none
Source  ZooKeeper 3.9: server.command, ServerStats, ServerCnxn.dumpConnectionInfo, WatchManager.dumpWatches
Absent  latencies by percentile; the tracing that the mask of gtmk and stmk asks for

All of them are on, as a loopback port needs no list of those allowed; 4lw.commands.whitelist makes one.
"""

from __future__ import annotations

import platform
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from cloudlet import __version__
from cloudlet.coord.zookeeper.client import Client
from cloudlet.coord.zookeeper.figures import data_bytes, ephemerals_of, nodes_count, uptime_ms
from cloudlet.coord.zookeeper.keeper import Keeper

ZOOKEEPER_VERSION = "3.9.3"
"""The version whose behaviour this is: clients ask for it before they use what is new."""

ENVIRONMENT = (
    "zookeeper.version", "host.name", "java.version", "java.vendor", "java.home", "java.class.path",
    "java.library.path", "java.io.tmpdir", "java.compiler", "os.name", "os.arch", "os.version", "user.name",
    "user.home", "user.dir", "os.memory.free", "os.memory.max", "os.memory.total",
)  # fmt: skip

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

MASK = struct.Struct(">q")

VERSION_LINE = f"{ZOOKEEPER_VERSION}-cloudlet-{__version__}, built on 1970-01-01 00:00 UTC"


def said(keeper: Keeper, word: str, address: str, client: Client, rest: bytes = b"") -> str:
    """What a word is answered; the asking client counts itself not. `rest` is what came behind the word."""
    allowed = keeper.settings.words
    if allowed is not None and word not in allowed:
        return f"{word} is not executed because it is not in the whitelist.\n"
    if word == "stmk" and len(rest) >= MASK.size:
        (keeper.statistics.trace_mask,) = MASK.unpack_from(rest)
    return ANSWERS[word](keeper, address, client)


def figures(keeper: Keeper) -> dict[str, object]:
    """What monitoring asks for, by mntr's names without their prefix."""
    statistics = keeper.statistics
    return {
        "version": VERSION_LINE,
        "server_state": "standalone",
        "avg_latency": round(statistics.average_ms, 4),
        "max_latency": round(statistics.latency_ms_max),
        "min_latency": round(statistics.latency_ms_min),
        "packets_received": statistics.received,
        "packets_sent": statistics.sent,
        "num_alive_connections": connected(keeper),
        "outstanding_requests": sum(len(client.outbox) for client in keeper.clients),
        "znode_count": nodes_count(keeper),
        "watch_count": keeper.watches.data.count() + keeper.watches.children.count(),
        "ephemerals_count": sum(map(len, ephemerals(keeper).values())),
        "approximate_data_size": data_bytes(keeper),
        "global_sessions": len(keeper.sessions.by_id),
        "uptime": uptime_ms(keeper),
        "connection_rejected": statistics.rejected,
    }


def connected(keeper: Keeper) -> int:
    """Clients that have a session."""
    return sum(1 for client in keeper.clients if client.session is not None)


def ephemerals(keeper: Keeper) -> dict[int, list[str]]:
    """The paths of each session's ephemerals, of sessions that have some."""
    found = {session: ephemerals_of(keeper, session) for session in keeper.sessions.by_id}
    return {session: paths for session, paths in found.items() if paths}


def configuration(keeper: Keeper, address: str) -> dict[str, object]:
    """What conf tells."""
    settings = keeper.settings
    return {
        "clientPort": int(address.rpartition(":")[2] or 0),
        "secureClientPort": -1,
        "dataDir": "keys",
        "dataDirSize": data_bytes(keeper),
        "dataLogDir": "keys",
        "dataLogSize": 0,
        "tickTime": settings.tick_ms,
        "maxClientCnxns": settings.address_clients_max,
        "minSessionTimeout": settings.least_ms,
        "maxSessionTimeout": settings.most_ms,
        "clientPortListenBacklog": -1,
        "serverId": 0,
    }


def environment() -> dict[str, str]:
    """What envi tells: of the Java that there is not, that it is not known."""
    return dict.fromkeys(ENVIRONMENT, "<NA>") | {
        "zookeeper.version": VERSION_LINE,
        "host.name": "localhost",
        "java.vendor": "none: cloudlet",
        "os.name": platform.system(),
        "os.arch": platform.machine(),
        "os.version": platform.release(),
    }


def expiries(keeper: Keeper) -> dict[int, list[int]]:
    """Which sessions end when, by the wall's second."""
    ahead_ms = keeper.clock.wall_ms() - keeper.clock.monotonic_ms()
    found: dict[int, list[int]] = {}
    for session in keeper.sessions.by_id.values():
        ends_ms = session.heard_ms + session.timeout_ms + ahead_ms
        found.setdefault(int(-(-ends_ms // 1000)), []).append(session.id)
    return {ends_s: sorted(found[ends_s]) for ends_s in sorted(found)}


def java_date(second: int) -> str:
    """As Java's Date says it, whatever the locale."""
    at = datetime.fromtimestamp(second, UTC)
    return f"{DAYS[at.weekday()]} {MONTHS[at.month - 1]} {at:%d %H:%M:%S} UTC {at.year}"


def client_line(client: Client, *, is_brief: bool) -> str:
    """What cons (and, briefly, stat) tells of a connection."""
    queued, session = len(client.outbox), client.session
    line = f" /{client.address}[1](queued={queued},recved={client.received},sent={client.sent}"
    if not is_brief and session is not None:
        line += (
            f",sid={session.id:#x},lop={client.last_op},est={client.began_ms},to={session.timeout_ms}"
            f",lcxid={client.last_xid:#x},lzxid={client.last_zxid:#x}"
        )
    return line + ")\n"


def summary(keeper: Keeper) -> str:
    """What srvr tells, and stat behind its clients."""
    rows = figures(keeper)
    return (
        f"Latency min/avg/max: {rows['min_latency']}/{rows['avg_latency']}/{rows['max_latency']}\n"
        f"Received: {rows['packets_received']}\nSent: {rows['packets_sent']}\n"
        f"Connections: {rows['num_alive_connections']}\nOutstanding: {rows['outstanding_requests']}\n"
        f"Zxid: {keeper.keys.head:#x}\nMode: standalone\nNode count: {rows['znode_count']}\n"
    )


def watched(keeper: Keeper, *, by_path: bool) -> list[tuple[str, list[str]]]:
    """Session ids and paths, grouped either way. Watches of data alone: ZooKeeper tells no others."""
    groups: dict[str, list[str]] = {}
    for path, watchers in keeper.watches.data.by_path.items():
        for watcher in watchers:
            name = watcher.name
            groups.setdefault(path if by_path else name, []).append(name if by_path else path)
    return list(groups.items())


def watch_counts(keeper: Keeper) -> tuple[int, int, int]:
    """How many connections watch the data of how many paths, and with how many watches."""
    table = keeper.watches.data
    return len(table.by_watcher), len(table.by_path), table.count()


def _conf(keeper: Keeper, address: str, client: Client) -> str:
    return "".join(f"{name}={value}\n" for name, value in configuration(keeper, address).items())


def _cons(keeper: Keeper, address: str, client: Client) -> str:
    return "".join(client_line(each, is_brief=False) for each in keeper.clients) + "\n"


def _crst(keeper: Keeper, address: str, client: Client) -> str:
    for each in keeper.clients:
        each.received = each.sent = 0
    return "Connection stats reset.\n"


def _dirs(keeper: Keeper, address: str, client: Client) -> str:
    return f"datadir_size: {data_bytes(keeper)}\nlogdir_size: 0\n"


def _dump(keeper: Keeper, address: str, client: Client) -> str:
    sets = expiries(keeper)
    lines = ["SessionTracker dump:", f"Session Sets ({len(sets)})/({len(keeper.sessions.by_id)}):"]
    for ends_s, sessions in sets.items():
        lines.append(f"{len(sessions)} expire at {java_date(ends_s)}:")
        lines += [f"\t{session:#x}" for session in sessions]
    held = ephemerals(keeper)
    lines.append(f"ephemeral nodes dump:\nSessions with Ephemerals ({len(held)}):")
    for session, paths in held.items():
        lines.append(f"{session:#x}:")
        lines += [f"\t{path}" for path in paths]
    addresses = {int(each.session.id): each.address for each in keeper.clients if each.session is not None}
    kept = {ends_s: [each for each in sessions if each in addresses] for ends_s, sessions in sets.items()}
    kept = {ends_s: sessions for ends_s, sessions in kept.items() if sessions}
    lines.append(f"Connections dump:\nConnections Sets ({len(kept)})/({len(addresses)}):")
    for ends_s, sessions in kept.items():
        lines.append(f"{len(sessions)} expire at {java_date(ends_s)}:")
        lines += [f"\tip: /{addresses[each]} sessionId: {each:#x}" for each in sessions]
    return "\n".join(lines) + "\n"


def _envi(keeper: Keeper, address: str, client: Client) -> str:
    return "Environment:\n" + "".join(f"{name}={value}\n" for name, value in environment().items())


def _mask(keeper: Keeper, address: str, client: Client) -> str:
    return str(keeper.statistics.trace_mask)


def _ruok(keeper: Keeper, address: str, client: Client) -> str:
    return "imok"


def _srvr(keeper: Keeper, address: str, client: Client) -> str:
    return f"Zookeeper version: {VERSION_LINE}\n{summary(keeper)}"


def _stat(keeper: Keeper, address: str, client: Client) -> str:
    clients = "".join(client_line(each, is_brief=True) for each in keeper.clients)
    return f"Zookeeper version: {VERSION_LINE}\nClients:\n{clients}\n{summary(keeper)}"


def _srst(keeper: Keeper, address: str, client: Client) -> str:
    keeper.statistics.reset()
    return "Server stats reset.\n"


def _wchs(keeper: Keeper, address: str, client: Client) -> str:
    watchers, paths, total = watch_counts(keeper)
    return f"{watchers} connections watching {paths} paths\nTotal watches:{total}\n"


def _wchc(keeper: Keeper, address: str, client: Client) -> str:
    return _watch_dump(keeper, by_path=False)


def _wchp(keeper: Keeper, address: str, client: Client) -> str:
    return _watch_dump(keeper, by_path=True)


def _watch_dump(keeper: Keeper, *, by_path: bool) -> str:
    rows = watched(keeper, by_path=by_path)
    told = (f"{name}\n" + "".join(f"\t{other}\n" for other in others) for name, others in rows)
    return "".join(told) + "\n"


def _mntr(keeper: Keeper, address: str, client: Client) -> str:
    return "".join(f"zk_{name}\t{value}\n" for name, value in figures(keeper).items())


def _isro(keeper: Keeper, address: str, client: Client) -> str:
    return "rw"


def _hash(keeper: Keeper, address: str, client: Client) -> str:
    return ""  # digests of the tree are compared among servers of a quorum


Answer = Callable[[Keeper, str, Client], str]

ANSWERS: Mapping[str, Answer] = MappingProxyType(
    {
        "conf": _conf, "cons": _cons, "crst": _crst, "dirs": _dirs, "dump": _dump, "envi": _envi,
        "gtmk": _mask, "hash": _hash, "isro": _isro, "mntr": _mntr, "ruok": _ruok, "srst": _srst,
        "srvr": _srvr, "stat": _stat, "stmk": _mask, "wchc": _wchc, "wchp": _wchp, "wchs": _wchs,
    }
)  # fmt: skip

WORDS = frozenset(word.encode() for word in ANSWERS)
