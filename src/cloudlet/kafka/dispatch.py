"""The table of handlers: which function answers which API, and which parts a broker starts with.

State   none
Source  Apache Kafka 4.3, "Kafka protocol guide": API keys
Absent  none

An API without a handler in `TABLES` is not in ApiVersions. A module that answers APIs ends with a table of
its own, `HANDLERS: Mapping[int, Handler]`, and stands in `TABLES`. What keeps state beside the topics (a
coordinator) is a `Part`: a class made with the broker, one for each, found by `call.broker.part(Groups)`, and
standing in `PARTS` so that it starts with the broker.
"""

from __future__ import annotations

from collections.abc import Mapping

from cloudlet.kafka import (
    admin_cluster,
    admin_configs,
    admin_partitions,
    api_versions,
    client_quotas,
    create_topics,
    fetch,
    list_offsets,
    metadata,
    produce,
)
from cloudlet.kafka.call import Handler, Part
from cloudlet.kafka.call_events import CallEvents
from cloudlet.kafka.groups import admin_calls, classic_calls, consumer_calls, offset_calls
from cloudlet.kafka.groups.coordinator import Groups
from cloudlet.kafka.log_upkeep import LogUpkeep
from cloudlet.kafka.security import acls, authentication, users
from cloudlet.kafka.share import fetch_calls as share_fetch_calls
from cloudlet.kafka.share import group_calls as share_group_calls
from cloudlet.kafka.share import offset_calls as share_offset_calls
from cloudlet.kafka.share.coordinator import Shares
from cloudlet.kafka.transactions import calls as transaction_calls
from cloudlet.kafka.transactions.coordinator import Transactions

TABLES: tuple[Mapping[int, Handler], ...] = (
    admin_cluster.HANDLERS,
    admin_configs.HANDLERS,
    admin_calls.HANDLERS,
    admin_partitions.HANDLERS,
    api_versions.HANDLERS,
    classic_calls.HANDLERS,
    client_quotas.HANDLERS,
    consumer_calls.HANDLERS,
    create_topics.HANDLERS,
    fetch.HANDLERS,
    list_offsets.HANDLERS,
    metadata.HANDLERS,
    offset_calls.HANDLERS,
    produce.HANDLERS,
    share_fetch_calls.HANDLERS,
    share_group_calls.HANDLERS,
    share_offset_calls.HANDLERS,
    acls.HANDLERS,
    authentication.HANDLERS,
    users.HANDLERS,
    transaction_calls.HANDLERS,
)

PARTS: tuple[type[Part], ...] = (LogUpkeep, Groups, Transactions, Shares, CallEvents)


def handlers() -> dict[int, Handler]:
    """API key -> handler, from every table; AssertionError where two answer one API."""
    found: dict[int, Handler] = {}
    for table in TABLES:
        twice = found.keys() & table.keys()
        assert not twice, f"two handlers for API {sorted(twice)}"
        found.update(table)
    return found
