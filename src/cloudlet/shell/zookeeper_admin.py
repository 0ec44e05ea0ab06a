"""ZooKeeper's admin server: what it tells and does, over HTTP on the ZooKeeper port.

State   none
Source  ZooKeeper 3.9: server.admin.Commands, JettyAdminServer
Absent  snapshot and restore, whose files are ZooKeeper's own: `cloudlet checkpoint` saves and restores; the
        commands of a quorum (leader, observers, voting_view, zabstate, quorum_…) tell of a standalone server;
        of monitor what figures() has
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Protocol
from urllib.parse import parse_qs

from cloudlet.coord.zookeeper.figures import data_bytes
from cloudlet.coord.zookeeper.keeper import Keeper
from cloudlet.coord.zookeeper.words import (
    VERSION_LINE,
    ZOOKEEPER_VERSION,
    configuration,
    connected,
    environment,
    ephemerals,
    expiries,
    figures,
    watch_counts,
    watched,
)
from cloudlet.shell.control import BODY_BYTES_MAX, json_reply
from cloudlet.wire.http1 import Buffer, Head, Request, Response, Stream

PREFIX = b"/commands"
SET_TRACE_MASK = "set_trace_mask"  # the one that is asked something

Facts = dict[str, object]
Command = Callable[[Keeper, str], Facts]


class Judge(Protocol):
    """What may refuse a request for where it comes from."""

    def refusal(self, head: Head) -> Response | None: ...


class AdminServer:
    """The App of HTTP requests on the ZooKeeper port."""

    def __init__(self, keeper: Keeper, guard: Judge, address: str) -> None:
        self._keeper = keeper
        self._guard = guard
        self._address = address

    def admit(self, head: Head, peer: str) -> Response | Buffer | Stream:
        return self._guard.refusal(head) or Buffer(BODY_BYTES_MAX)

    def respond(self, request: Request) -> Response | Coroutine[object, object, Response]:
        head = request.head
        refusal = self._guard.refusal(head)
        if refusal is not None:
            return refusal
        path = head.path.rstrip(b"/")
        if path == PREFIX:
            names = sorted(COMMANDS)
            links = "".join(f'<a href="/commands/{name}">{name}</a><br/>\n' for name in names)
            return Response(200, [(b"content-type", b"text/html;charset=utf-8")], links.encode())
        if not path.startswith(PREFIX + b"/"):
            return json_reply({"error": "the admin server's commands are under /commands"}, 404)
        name = path[len(PREFIX) + 1 :].decode("latin-1")
        command = COMMANDS.get(NAMES.get(name, name))
        if command is None:
            return json_reply({"command": name, "error": "unknown command"}, 404)
        name = NAMES.get(name, name)
        facts: Facts = {"command": name, "error": None}
        if name == SET_TRACE_MASK:
            return json_reply(facts | _set_trace_mask(self._keeper, head.query))
        return json_reply(facts | command(self._keeper, self._address))


def _connections(keeper: Keeper, address: str) -> Facts:
    rows = [
        {
            "remote_socket_address": client.address,
            "outstanding_requests": len(client.outbox),
            "packets_received": client.received,
            "packets_sent": client.sent,
            "session_id": client.session.id,
            "session_timeout": client.session.timeout_ms,
            "established": client.began_ms,
            "last_operation": client.last_op,
            "last_cxid": client.last_xid,
            "last_zxid": client.last_zxid,
        }
        for client in keeper.clients
        if client.session is not None
    ]
    secure = {client.address for client in keeper.clients if client.is_secure}
    return {
        "connections": [row for row in rows if row["remote_socket_address"] not in secure],
        "secure_connections": [row for row in rows if row["remote_socket_address"] in secure],
    }


def _reset_connections(keeper: Keeper, address: str) -> Facts:
    for client in keeper.clients:
        client.received = client.sent = 0
    return {}


def _reset_statistics(keeper: Keeper, address: str) -> Facts:
    keeper.statistics.reset()
    return {}


def _dump(keeper: Keeper, address: str) -> Facts:
    return {
        "expiry_time_to_session_ids": {str(1000 * ends_s): ids for ends_s, ids in expiries(keeper).items()},
        "session_id_to_ephemeral_paths": {
            str(session): paths for session, paths in ephemerals(keeper).items()
        },
    }


def _server(keeper: Keeper, address: str) -> Facts:
    rows = figures(keeper)
    return {
        "version": VERSION_LINE,
        "read_only": False,
        "server_stats": {
            "packets_sent": rows["packets_sent"],
            "packets_received": rows["packets_received"],
            "max_latency": rows["max_latency"],
            "min_latency": rows["min_latency"],
            "avg_latency": rows["avg_latency"],
            "outstanding_requests": rows["outstanding_requests"],
            "server_state": rows["server_state"],
            "last_processed_zxid": keeper.keys.head,
            "num_alive_client_connections": connected(keeper),
            "provider_null": False,
            "fsync_threshold_exceed_count": 0,
            "uptime": rows["uptime"],
        },
        "node_count": rows["znode_count"],
    }


def _ruok(keeper: Keeper, address: str) -> Facts:
    return {}


def _is_read_only(keeper: Keeper, address: str) -> Facts:
    return {"read_only": False}


def _last_snapshot(keeper: Keeper, address: str) -> Facts:
    return {"zxid": hex(keeper.keys.head), "timestamp": keeper.clock.wall_ms() // 1000}


def _monitor(keeper: Keeper, address: str) -> Facts:
    return figures(keeper)


def _configuration(keeper: Keeper, address: str) -> Facts:
    names = {
        "clientPort": "client_port", "dataDir": "data_dir", "dataLogDir": "data_log_dir",
        "tickTime": "tick_time", "maxClientCnxns": "max_client_cnxns",
        "minSessionTimeout": "min_session_timeout", "maxSessionTimeout": "max_session_timeout",
        "serverId": "server_id", "clientPortListenBacklog": "client_port_listen_backlog",
    }  # fmt: skip
    rows = configuration(keeper, address)
    return {told: rows[name] for name, told in names.items()}


def _directories(keeper: Keeper, address: str) -> Facts:
    return {"datadir_size": data_bytes(keeper), "logdir_size": 0}


def _environment(keeper: Keeper, address: str) -> Facts:
    return {**environment()}


def _hash(keeper: Keeper, address: str) -> Facts:
    return {"digests": []}


def _watches(keeper: Keeper, address: str) -> Facts:
    found = {str(int(session, 16)): paths for session, paths in watched(keeper, by_path=False)}
    return {"session_id_to_watched_paths": found}


def _watches_by_path(keeper: Keeper, address: str) -> Facts:
    by_path = watched(keeper, by_path=True)
    return {"path_to_session_ids": {path: [int(each, 16) for each in others] for path, others in by_path}}


def _watch_summary(keeper: Keeper, address: str) -> Facts:
    watchers, paths, total = watch_counts(keeper)
    return {"num_connections": watchers, "num_paths": paths, "num_total_watches": total}


def _system_properties(keeper: Keeper, address: str) -> Facts:
    return {"zookeeper.version": ZOOKEEPER_VERSION}


def _initial_configuration(keeper: Keeper, address: str) -> Facts:
    return {"initial_configuration": ""}


def _leader(keeper: Keeper, address: str) -> Facts:
    return {"error": "server is not initialized"}  # as a standalone server says it


def _trace_mask(keeper: Keeper, address: str) -> Facts:
    return {"tracemask": keeper.statistics.trace_mask}


def _set_trace_mask(keeper: Keeper, query: bytes) -> Facts:
    try:
        keeper.statistics.trace_mask = int(parse_qs(query.decode("latin-1"))["traceMask"][0])
    except (KeyError, ValueError):
        return {"error": "setTraceMask requires long traceMask argument"}
    return {"tracemask": keeper.statistics.trace_mask}


def _observers(keeper: Keeper, address: str) -> Facts:
    return {"synced_observers": 0, "observers": []}


def _voting_view(keeper: Keeper, address: str) -> Facts:
    return {"current_config": {}}


def _zab_state(keeper: Keeper, address: str) -> Facts:
    return {"voting": False, "zabstate": ""}


COMMANDS: Mapping[str, Command] = {
    "configuration": _configuration,
    "connection_stat_reset": _reset_connections,
    "connections": _connections,
    "dirs": _directories,
    "dump": _dump,
    "environment": _environment,
    "get_trace_mask": _trace_mask,
    "hash": _hash,
    "initial_configuration": _initial_configuration,
    "is_read_only": _is_read_only,
    "last_snapshot": _last_snapshot,
    "leader": _leader,
    "monitor": _monitor,
    "observer_connection_stat_reset": lambda keeper, address: {},
    "observers": _observers,
    "ruok": _ruok,
    "server_stats": _server,
    SET_TRACE_MASK: _trace_mask,
    "stat_reset": _reset_statistics,
    "stats": lambda keeper, address: {**_server(keeper, address), **_connections(keeper, address)},
    "system_properties": _system_properties,
    "voting_view": _voting_view,
    "watch_summary": _watch_summary,
    "watches": _watches,
    "watches_by_path": _watches_by_path,
    "zabstate": _zab_state,
}

NAMES: Mapping[str, str] = {
    "conf": "configuration", "config": "configuration", "cons": "connections",
    "crst": "connection_stat_reset", "env": "environment", "envi": "environment", "gtmk": "get_trace_mask",
    "icfg": "initial_configuration", "isro": "is_read_only", "lead": "leader", "lsnp": "last_snapshot",
    "mntr": "monitor", "obsr": "observers", "orst": "observer_connection_stat_reset",
    "srvr": "server_stats", "srst": "stat_reset", "stat": "stats", "stmk": SET_TRACE_MASK,
    "sysp": "system_properties", "wchc": "watches", "wchp": "watches_by_path", "wchs": "watch_summary",
}  # fmt: skip
"""The short names of commands."""
