"""How many connections a broker takes, how fast they may come, and from whom.

State   in memory: the connections of each address, the rates of new ones
Source  Apache Kafka 4.3: ConnectionQuotas (SocketServer), KIP-306, KIP-402, KIP-612
Absent  limits of single listeners; host names in max.connections.per.ip.overrides: addresses alone count

Theory of operation
    Two limits make everybody wait, as if nobody listened: `max.connections`, until one goes, and
    `max.connection.creation.rate`, until the rate has come down to it. Two are each address's own:
    `max.connections.per.ip`, beyond which a connection is closed at once, and the quota
    `connection_creation_rate`, beyond which it is kept, unanswered, for the time that brings the rate down,
    and closed then: whoever comes again at once would only come the more often.

        ready_ms  ▷  0: enter  ▷  None: it is in       leave, when it goes
                  ▷  more: not yet         ▷  close it, in so many ms
"""

from __future__ import annotations

import math
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping

from cloudlet.kafka.configs import LIMIT_OVERRIDES, LIMIT_PER_ADDRESS, Configs, limits_of
from cloudlet.kafka.quotas import INT32_MAX, RATES_MAX, Rate


class ConnectionQuotas:
    """The connections of one broker. `rate_of` gives an address's quota of new connections."""

    def __init__(self, configs: Configs, rate_of: Callable[[str], float | None]) -> None:
        self._configs = configs
        self._rate_of = rate_of
        self._hosts: Counter[str] = Counter()
        self._total = 0
        self._overrides: tuple[str, Mapping[str, int]] = ("", {})
        self._rate: Rate | None = None  # of all new connections
        self._ready_at_ms = 0.0
        self._is_counted = False  # the next connection, in that rate
        self._rates: OrderedDict[str, Rate] = OrderedDict()

    def ready_ms(self, now_ms: float) -> float:
        """How long the next connection has to wait, whosesoever it is; infinity until one goes."""
        number = self._configs.number
        if self._total >= number("max.connections"):
            return math.inf
        limit = number("max.connection.creation.rate")
        if limit == INT32_MAX:
            return 0.0
        if not self._is_counted:
            self._is_counted = True
            if self._rate is None:
                self._rate = self._new_rate()
            self._rate.add(1, now_ms)
            throttle_ms = self._rate.throttle_ms(limit, now_ms) if limit else math.inf
            self._ready_at_ms = now_ms + min(throttle_ms, self._window_ms)
        return max(self._ready_at_ms - now_ms, 0.0)

    def enter(self, host: str, now_ms: float) -> float | None:
        """Take in the next connection, which counts then; else, in how many milliseconds it is closed."""
        self._is_counted = False
        quota = self._rate_of(host)
        if quota is not None:
            rate = self._rates.get(host)
            if rate is None:
                while len(self._rates) >= RATES_MAX:
                    self._rates.popitem(last=False)
                rate = self._rates[host] = self._new_rate()
            self._rates.move_to_end(host)
            rate.add(1, now_ms)
            throttle_ms = min(rate.throttle_ms(quota, now_ms), self._window_ms)
            if throttle_ms > 0:
                rate.add(-1, now_ms)  # it is not made
                return throttle_ms
        if self._hosts[host] >= self._limit_of(host):
            if not self._hosts[host]:
                del self._hosts[host]
            return 0.0
        self._hosts[host] += 1
        self._total += 1
        return None

    def leave(self, host: str) -> None:
        """A connection that was taken in is gone."""
        self._total -= 1
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def _limit_of(self, host: str) -> int:
        text = self._configs.text(LIMIT_OVERRIDES) or ""
        if text != self._overrides[0]:
            self._overrides = text, limits_of(text)
        limit = self._overrides[1].get(host)
        return self._configs.number(LIMIT_PER_ADDRESS) if limit is None else limit

    @property
    def _window_ms(self) -> int:
        return self._configs.number("quota.window.size.seconds") * 1000

    def _new_rate(self) -> Rate:
        return Rate(self._window_ms, self._configs.number("quota.window.num"))
