"""Client quotas: how many bytes a second, and how much of the broker's time, a client may have.

State   ("kafka", "quota", type, name, …) -> QuotaRecord; in memory the rates of the last seconds
Source  Apache Kafka 4.3: ClientQuotaManager, ClientQuotaControlManager, Rate; KIP-13, KIP-55, KIP-124,
        KIP-219, KIP-546
Absent  none

Changes to topics are counted by mutation_quotas.py, new connections by connection_quotas.py.

Theory of operation
    A quota belongs to an entity: a user, a client id, both, or the default of either. For a request, the most
    special entity that has the quota holds, and those whom it names share one rate:

        user + client id  ▷  user + any client  ▷  user  ▷  any user + client id  ▷  any user + any client
            ▷  any user  ▷  client id  ▷  any client

    A rate is measured over the last windows, the present one included; a burst after silence is allowed. Who
    exceeds it gets the answer at once, with how long he is throttled, and is not read from for that long. The
    time is what brings the rate down to the quota again: (rate - quota) / quota of the measured time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from cloudlet.aws.record import Record, decoder, encode
from cloudlet.kernel.keys import Commit, Drop, Put
from cloudlet.kernel.tuples import pack, prefix_range
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.classes import Message

if TYPE_CHECKING:
    from cloudlet.kafka.broker import Broker
    from cloudlet.kafka.call import Call

USER, CLIENT_ID, IP = "user", "client-id", "ip"
PRODUCE, FETCH, REQUEST = "producer_byte_rate", "consumer_byte_rate", "request_percentage"
MUTATIONS, CONNECTIONS = "controller_mutation_rate", "connection_creation_rate"
PRODUCE_KEY = 0
INT32_MAX = (1 << 31) - 1
RATES_MAX = 10_000  # clients whose rates are remembered; the one seen longest ago goes
PREFIX = ("kafka", "quota")

Entity = frozenset[tuple[str, str | None]]
"""(type, name) pairs; a name of None stands for every one that has no quota of its own."""


class QuotaRecord(Record):
    """An entity and its quotas."""

    entity: dict[str, str | None]
    values: dict[str, float] = msgspec.field(default_factory=dict)


class Rate:
    """An amount a second over the last windows."""

    __slots__ = ("_samples", "_window_ms", "_windows")

    def __init__(self, window_ms: int, windows: int) -> None:
        self._window_ms = window_ms
        self._windows = windows
        self._samples: deque[list[float]] = deque()  # [start, amount]

    def add(self, amount: float, now_ms: float) -> None:
        """Note an amount; samples that are too old go."""
        samples = self._samples
        if not samples or now_ms - samples[-1][0] >= self._window_ms:
            samples.append([now_ms, 0.0])
        samples[-1][1] += amount
        while samples[0][0] < now_ms - self._window_ms * self._windows:
            samples.popleft()

    def measured_ms(self, now_ms: float) -> float:
        """The time that the rate is measured over: at least all windows but one, and a millisecond, as in
        Kafka's Rate."""
        elapsed = now_ms - self._samples[0][0]
        missing = self._windows - 1 - elapsed // self._window_ms
        return max(elapsed + max(missing, 0) * self._window_ms, 1.0)

    def throttle_ms(self, quota: float, now_ms: float) -> float:
        """How long to wait until the rate has come down to the quota."""
        measured_ms = self.measured_ms(now_ms)
        rate = sum(amount for _, amount in self._samples) / (measured_ms / 1000)
        return (rate - quota) / quota * measured_ms if rate > quota else 0.0


class Quotas:
    """All quotas, and the rates of those who are under one; a part of the broker."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._quotas: dict[Entity, dict[str, float]] = {}
        self._rates: dict[tuple[str, str, str], Rate] = {}

    def start(self) -> None:
        for entry in self._broker.keys.scan(*prefix_range(PREFIX)):
            found = decoder(QuotaRecord).decode(entry.value)
            self._quotas[frozenset(found.entity.items())] = found.values

    async def close(self) -> None:
        self._quotas.clear()
        self._rates.clear()

    def __bool__(self) -> bool:
        return bool(self._quotas)

    def __iter__(self) -> Iterator[tuple[Entity, Mapping[str, float]]]:
        return iter(self._quotas.items())

    def of(self, entity: Entity) -> Mapping[str, float]:
        """An entity's own quotas."""
        return self._quotas.get(entity, {})

    async def put(self, entity: Entity, values: Mapping[str, float]) -> None:
        """Put other quotas of an entity in force; without any it is forgotten."""
        key = key_of(entity)
        broker = self._broker
        if values:
            record = QuotaRecord(dict(entity), dict(values))
            await broker.keys.commit(Commit(broker.author(), put=(Put(key, encode(record)),)))
            self._quotas[entity] = dict(values)
        else:
            await broker.keys.commit(Commit(broker.author(), drop=(Drop(key),)))
            self._quotas.pop(entity, None)
        self._rates.clear()  # whoever shared a rate may not share it any more

    def throttle_ms(self, call: Call, quota: str, amount: float) -> int:
        """Note what a request has used; how long its client is throttled."""
        found = self.limit_of(call, quota)
        if found is None:
            return 0
        limit, shared = found
        now_ms = self._broker.clock.monotonic_ms()
        rate = self._rates.pop(shared, None)
        if rate is None:
            while len(self._rates) >= RATES_MAX:
                del self._rates[next(iter(self._rates))]
            number = self._broker.configs.number
            rate = Rate(number("quota.window.size.seconds") * 1000, number("quota.window.num"))
        self._rates[shared] = rate  # behind the others, who were seen longer ago
        rate.add(amount, now_ms)
        return round(rate.throttle_ms(limit, now_ms))

    def connection_rate(self, address: str) -> float | None:
        """How many new connections a second one address may make."""
        for name in (address, None):
            limit = self._quotas.get(frozenset(((IP, name),)), {}).get(CONNECTIONS)
            if limit is not None:
                return limit
        return None

    def limit_of(self, call: Call, quota: str) -> tuple[float, tuple[str, str, str]] | None:
        """(limit, who shares the rate), of the most special entity of a call's that has the quota."""
        user, client_id = call.principal.partition(":")[2], call.client_id
        for with_user, with_client in (
            (user, client_id), (user, None), (user, ""), (None, client_id), (None, None), (None, ""),
            ("", client_id), ("", None),
        ):  # fmt: skip
            parts: list[tuple[str, str | None]] = []
            if with_user != "":
                parts.append((USER, with_user))
            if with_client != "":
                parts.append((CLIENT_ID, with_client))
            limit = self._quotas.get(frozenset(parts), {}).get(quota)
            if limit is not None:
                who = user if with_user != "" else ""
                return limit, (quota, who, client_id if with_client != "" else "")
        return None


def key_of(entity: Entity) -> bytes:
    """An entity's key: its pairs in order, a default as an empty name behind a mark."""
    parts: list[str] = []
    for kind, name in sorted(entity, key=lambda pair: pair[0]):
        parts += (kind, "default") if name is None else (kind, f"named {name}")
    return pack((*PREFIX, *parts))


def charge(quotas: Quotas, call: Call, response: object, used_ms: float) -> None:
    """Note what a request has used, and throttle its client if that was too much: the response says how long,
    and nothing is read from the connection meanwhile (KIP-219)."""
    window_ms = call.broker.configs.number("quota.window.size.seconds") * 1000
    throttle_ms = min(quotas.throttle_ms(call, REQUEST, used_ms / 10), window_ms)  # percent of a second
    if isinstance(response, messages.FetchResponse | messages.ShareFetchResponse):
        size = sum(len(row.Records or b"") for topic in response.Responses for row in topic.Partitions)
        fetched_ms = quotas.throttle_ms(call, FETCH, size)
        # the records come when he asks again, and count then; those of a share fetch are his already
        if fetched_ms > 0 and isinstance(response, messages.FetchResponse):
            quotas.throttle_ms(call, FETCH, -size)
            response.Responses = []
        throttle_ms = max(throttle_ms, fetched_ms)
    elif call.api_key == PRODUCE_KEY:
        throttle_ms = max(throttle_ms, quotas.throttle_ms(call, PRODUCE, call.request_bytes))
    if throttle_ms > 0:
        call.mute_ms = max(call.mute_ms, min(throttle_ms, INT32_MAX))
        if isinstance(response, Message) and "ThrottleTimeMs" in response.FIELDS:
            response.ThrottleTimeMs = call.mute_ms  # type: ignore[attr-defined]  # one of its fields
