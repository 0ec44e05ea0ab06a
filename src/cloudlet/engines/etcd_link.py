"""The connection of the etcd engine: one at a time, made again when it breaks; and etcd's calls on it.

State   the connection
Source  etcd 3.4 to 3.6, api/v3rpc/rpctypes for the texts of errors
Absent  user names and passwords, discovery of further members
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from typing import TypeVar

import msgspec

from cloudlet.engines.grpc_client import ClientStream, ConnectionLost, GrpcClient
from cloudlet.kernel.fault import StoreError
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import Code, GrpcStatus
from cloudlet.wire.protobuf import decode, encode

R = TypeVar("R", bound=msgspec.Struct)

RETRY_S = 0.05
RETRY_S_MAX = 1.0
CALL_MS = 10_000.0
AMBIGUOUS = frozenset(
    {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED, Code.UNKNOWN, Code.INTERNAL, Code.CANCELLED, Code.ABORTED}
)
"""Codes that leave open whether the call was carried out."""

COMPACTED = "etcdserver: mvcc: required revision has been compacted"
FUTURE = "etcdserver: mvcc: required revision is a future revision"
NO_LEASE = "etcdserver: requested lease not found"
LEASE_EXISTS = "etcdserver: lease already exists"
NO_SPACE = "etcdserver: mvcc: database space exceeded"


class Link:
    """A connection to whichever of the addresses answers."""

    def __init__(self, addresses: Sequence[str], tls: ssl.SSLContext | None) -> None:
        self._addresses = list(addresses)
        self._tls = tls
        self._client: GrpcClient | None = None
        self._lock = asyncio.Lock()
        self.is_closed = False

    async def client(self) -> GrpcClient:
        """The connection, made again if it is lost; waits for it as long as it takes. StoreError once
        closed."""
        client = self._client
        if client is not None and not client.is_lost:
            return client
        async with self._lock:
            pause = RETRY_S
            while self._client is None or self._client.is_lost:
                if self.is_closed:
                    raise StoreError("the store is closed")
                try:
                    self._client = await self.connect()
                except ConnectionLost:
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, RETRY_S_MAX)
            return self._client

    async def connect(self) -> GrpcClient:
        """One try at each address; ConnectionLost."""
        for address in self._addresses:
            try:
                return await GrpcClient.connect(address, tls=self._tls)
            except ConnectionLost as error:
                last = error
                self._addresses.append(self._addresses.pop(0))  # begin with another the next time
        raise last

    async def call(self, path: str, request: msgspec.Struct, reply: type[R]) -> R:
        """One call, on the connection as it is; GrpcStatus."""
        client = await self.client()
        return decode(reply, await client.unary(path, encode(request), timeout_ms=CALL_MS))

    async def stream(self, path: str) -> ClientStream:
        return (await self.client()).stream(path)

    async def close(self) -> None:
        self.is_closed = True
        if self._client is not None:
            await self._client.close()

    # --- etcd's calls that may be made again blindly

    async def again(self, path: str, request: msgspec.Struct, reply: type[R]) -> R:
        """A call that may be made again until it is answered; GrpcStatus for a refusal."""
        pause = RETRY_S
        while True:
            try:
                return await self.call(path, request, reply)
            except GrpcStatus as status:
                if status.code not in AMBIGUOUS or self.is_closed:
                    raise
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_S_MAX)

    async def range(self, request: pb.RangeRequest) -> pb.RangeResponse:
        return await self.again("/etcdserverpb.KV/Range", request, pb.RangeResponse)

    async def _is_readable(self, revision: int, key: bytes) -> bool:
        try:
            await self.range(pb.RangeRequest(key=key, revision=revision, count_only=True))
        except GrpcStatus as status:
            return status.message != COMPACTED
        return True

    async def compacted_at(self, revision: int, key: bytes) -> int:
        """The oldest revision that can be read, once something at `revision` was refused as compacted."""
        if await self._is_readable(max(1, revision), key):
            return revision  # a watch from here would wait for changes
        stream = await self.stream("/etcdserverpb.Watch/Watch")
        try:
            create = pb.WatchCreateRequest(key=key, start_revision=max(1, revision))
            stream.send(encode(pb.WatchRequest(create_request=create)))
            while (message := await stream.receive()) is not None:
                response = decode(pb.WatchResponse, message)
                if response.canceled:
                    return response.compact_revision
                if response.events:
                    break
        finally:
            stream.cancel()
        return revision
