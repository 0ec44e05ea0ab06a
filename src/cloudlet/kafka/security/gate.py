"""What stands before the handlers of a secured broker.

State   none
Source  Apache Kafka 4.3, KafkaApis
Absent  none
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from cloudlet.kafka.broker import Broker
from cloudlet.kafka.call import Call, Handler
from cloudlet.kafka.security.acls import Acls
from cloudlet.kafka.security.guard_table import GUARDS


class Gate:
    """Of a broker that knows its clients, or has an authorizer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker

    def admit(self, call: Call, request: Any, handler: Handler) -> Coroutine[object, None, Any] | Any:
        """Let a request through to its handler, whole or without what the client may not do. ProtocolError:
        the connection is closed."""
        broker = self._broker
        if broker.authenticator is not None:
            broker.authenticator.check(call)
        if broker.part(Acls).is_on:
            guard = GUARDS.get(call.api_key)
            if guard is not None:
                return guard(call, request, handler)
        return handler(call, request)
