"""The quota of changes to topics: how many partitions a second a client may make and delete.

State   in memory, the tokens of each client that is under a quota
Source  Apache Kafka 4.3: ControllerMutationQuotaManager, TokenBucket; KIP-599
Absent  topics that Metadata makes by itself: they count for nobody, as with Kafka's own controller

A bucket fills by the quota, up to what the quota is over all windows; a change takes a token for each
partition, and may take more than there are once there is any. Who finds the bucket overdrawn is refused since
the version of the API that knows the error; older clients get their change, and a longer rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudlet.kafka.faults import KafkaFault
from cloudlet.kafka.quotas import INT32_MAX, MUTATIONS, Quotas
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.messages import CreatePartitionsResponse, CreateTopicsResponse, DeleteTopicsResponse

if TYPE_CHECKING:
    from cloudlet.kafka.call import Call

BUCKETS_MAX = 10_000  # clients whose tokens are remembered; the one seen longest ago goes
EXCEEDED = "The throttling quota has been exceeded."

Response = CreateTopicsResponse | DeleteTopicsResponse | CreatePartitionsResponse


class TokenBucket:
    """Tokens that come by a rate, and never more than a burst."""

    __slots__ = ("_at_ms", "_tokens")

    def __init__(self) -> None:
        self._tokens = 0.0
        self._at_ms: float | None = None  # never filled: it is full

    def fill(self, rate: float, burst: float, now_ms: float) -> float:
        """The tokens there are now."""
        at_ms, self._at_ms = self._at_ms, now_ms
        self._tokens = burst if at_ms is None else min(burst, self._tokens + rate * (now_ms - at_ms) / 1000)
        return self._tokens

    def take(self, amount: float) -> float:
        """Take tokens, more than there are too; what is left."""
        self._tokens -= amount
        return self._tokens


class MutationQuotas:
    """The buckets of all clients; a part of the broker."""

    def __init__(self, broker: object) -> None:
        self._buckets: dict[tuple[str, str, str], TokenBucket] = {}

    def start(self) -> None:
        """Nothing runs by itself."""

    async def close(self) -> None:
        self._buckets.clear()

    def bucket(self, shared: tuple[str, str, str]) -> TokenBucket:
        """The bucket of those who share a quota."""
        found = self._buckets.pop(shared, None)
        if found is None:
            while len(self._buckets) >= BUCKETS_MAX:
                del self._buckets[next(iter(self._buckets))]
            found = TokenBucket()
        self._buckets[shared] = found
        return found


class MutationQuota:
    """What one request takes of its client's quota. `strict_since` is the first version of its API that is
    refused."""

    def __init__(self, call: Call, strict_since: int) -> None:
        self._call = call
        self._is_strict = call.api_version >= strict_since
        self._until_ms = 0.0
        quotas = call.broker.part(Quotas)
        self._found = quotas.limit_of(call, MUTATIONS) if quotas else None

    def take(self, partitions: int) -> None:
        """Before this many partitions are made or deleted; KafkaFault where the client has to wait."""
        if self._found is None:
            return
        broker = self._call.broker
        now_ms = broker.clock.monotonic_ms()
        rate, shared = self._found
        number = broker.configs.number
        burst = rate * number("controller.quota.window.num") * number("controller.quota.window.size.seconds")
        bucket = broker.part(MutationQuotas).bucket(shared)
        tokens = bucket.fill(rate, burst, now_ms)
        if self._is_strict and tokens < 0:
            self._until_ms = now_ms - tokens / rate * 1000
            raise KafkaFault(ErrorCode.THROTTLING_QUOTA_EXCEEDED, EXCEEDED)
        tokens = bucket.take(partitions)
        if not self._is_strict and tokens < 0:
            self._until_ms = now_ms - tokens / rate * 1000

    def tell(self, response: Response) -> None:
        """Say in the response how long the client is to rest; its connection is not read from meanwhile."""
        throttle_ms = min(round(self._until_ms - self._call.broker.clock.monotonic_ms()), INT32_MAX)
        if throttle_ms > 0:
            self._call.mute_ms = max(self._call.mute_ms, throttle_ms)
            response.ThrottleTimeMs = self._call.mute_ms
