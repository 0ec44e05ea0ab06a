"""A small Kafka client for the command line: requests to a running cloud's broker, one at a time.

State   one connection
Source  Apache Kafka 4.3, "Kafka protocol guide"; SASL PLAIN (RFC 4616) for a secured broker
Absent  brokers other than the cloud's own; compression of what is produced
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple

from cloudlet.cli.running import NotRunning, VerbRefused
from cloudlet.kafka.record_reader import read_records
from cloudlet.kernel.batches import header
from cloudlet.kernel.fault import ProtocolError
from cloudlet.shell.folder import running
from cloudlet.wire.kafka import messages
from cloudlet.wire.kafka.apis import Api, apis
from cloudlet.wire.kafka.classes import Message
from cloudlet.wire.kafka.codec import decode
from cloudlet.wire.kafka.error_codes import ErrorCode
from cloudlet.wire.kafka.frames import request_frame
from cloudlet.wire.kafka.records import CONTROL, Record, encode

CLIENT_ID = "cloudlet-cli"
SECONDS = 30.0
FETCH_WAIT_MS = 500
FETCH_BYTES = 4 << 20
PARTITION_BYTES = 1 << 20
EARLIEST, LATEST = -2, -1
_SIZE = Struct(">i")


class KafkaRefused(VerbRefused):
    """The broker refuses, in its words."""

    def __init__(self, code: int, message: str | None = None) -> None:
        name = ErrorCode(code).name
        super().__init__(f"{name}: {message}" if message else name)
        self.code = ErrorCode(code)


class Read(NamedTuple):
    """A record as it is shown."""

    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def check(code: int, message: str | None = None) -> None:
    """KafkaRefused unless the code is that of success."""
    if code:
        raise KafkaRefused(code, message)


class KafkaClient:
    """One connection to the broker of the cloud on a data folder."""

    def __init__(self, data: Path) -> None:
        said = running(data)
        if said is None or "kafka" not in said.endpoints:
            raise NotRunning(f"no Kafka broker runs on {data}")
        self._address = said.endpoints["kafka"]
        self._socket = self._connected()
        self.is_secured = True  # until the broker says that it has no SASL
        self._correlation = 0
        self._by_name = {api.name: api for api in apis().values()}
        try:
            self._authenticate(data)
        except NotRunning:
            authority = data / "tls" / "ca.pem"
            if not authority.exists():
                raise
            self._socket.close()  # perhaps only TLS is spoken there
            self._socket = self._secured(authority)
            self._authenticate(data)

    def _connected(self) -> socket.socket:
        host, _, port = self._address.rpartition(":")
        try:
            return socket.create_connection((host.strip("[]"), int(port)), SECONDS)
        except OSError as error:
            raise NotRunning(f"the broker at {self._address} does not answer: {error}") from None

    def _secured(self, authority: Path) -> socket.socket:
        import ssl

        host = self._address.rpartition(":")[0].strip("[]")
        plain = self._connected()
        try:
            return ssl.create_default_context(cafile=authority).wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            raise NotRunning(f"the broker at {self._address} does not answer: {error}") from None

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> KafkaClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _authenticate(self, data: Path) -> None:
        """Be the administrator of a broker that wants to know; an open one says that it has no SASL."""
        shaken = self.ask(messages.SaslHandshakeRequest(Mechanism="PLAIN"))
        if shaken.ErrorCode == ErrorCode.ILLEGAL_SASL_STATE:
            self.is_secured = False
            return
        check(shaken.ErrorCode)
        token = (data / "token").read_text(encoding="ascii").strip()
        reply = self.ask(messages.SaslAuthenticateRequest(AuthBytes=f"\0admin\0{token}".encode()))
        check(reply.ErrorCode, reply.ErrorMessage)

    def ask(self, request: Message, version: int | None = None) -> Any:
        """The response to a request, in the newest version unless told otherwise."""
        api = self._by_name[type(request).__name__.removesuffix("Request")]
        if version is None:
            version = api.versions.last
        self._correlation += 1
        try:
            self._socket.sendall(request_frame(api, version, self._correlation, CLIENT_ID, request))
            return self._reply(api, version)
        except OSError as error:
            raise NotRunning(f"the broker does not answer any more: {error}") from None

    def _reply(self, api: Api, version: int) -> Any:
        (size,) = _SIZE.unpack(self._exactly(_SIZE.size))
        frame = self._exactly(size)
        start = _SIZE.size + (1 if api.response_header(version) else 0)
        response, _ = decode(api.response, version, frame, start)
        return response

    def _exactly(self, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = self._socket.recv(min(size, 1 << 20))
            if not part:
                raise NotRunning("the broker has closed the connection")
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    # --- what the commands want to know

    def topic(self, name: str, *, is_made: bool = False) -> messages.MetadataResponse.MetadataResponseTopic:
        """One topic, made where the broker makes what is not there; KafkaRefused."""
        asked = messages.MetadataRequest.MetadataRequestTopic(Name=name)
        reply = self.ask(messages.MetadataRequest(Topics=[asked], AllowAutoTopicCreation=is_made))
        (found,) = reply.Topics
        check(found.ErrorCode, name)
        return found  # type: ignore[no-any-return]

    def topics(self) -> list[messages.MetadataResponse.MetadataResponseTopic]:
        """All of them."""
        found = self.ask(messages.MetadataRequest(Topics=None, AllowAutoTopicCreation=False)).Topics
        return sorted(found, key=lambda topic: topic.Name)

    def offsets(self, name: str, partitions: Sequence[int], timestamp: int) -> dict[int, int]:
        """Partition -> the offset at EARLIEST, LATEST or a time."""
        cls = messages.ListOffsetsRequest
        topic = cls.ListOffsetsTopic(
            Name=name,
            Partitions=[
                cls.ListOffsetsPartition(PartitionIndex=index, Timestamp=timestamp) for index in partitions
            ],
        )
        reply = self.ask(cls(ReplicaId=-1, Topics=[topic]))
        found = {}
        for row in reply.Topics[0].Partitions:
            check(row.ErrorCode)
            found[row.PartitionIndex] = row.Offset
        return found

    def produce(self, name: str, topic_id: bytes, partition: int, records: Sequence[Record]) -> int:
        """Append records; the offset of the first."""
        cls = messages.ProduceRequest
        data = cls.PartitionProduceData(Index=partition, Records=encode(records))
        topic = cls.TopicProduceData(Name=name, TopicId=topic_id, PartitionData=[data])
        reply = self.ask(cls(Acks=-1, TimeoutMs=int(SECONDS * 1000), TopicData=[topic]))
        row = reply.Responses[0].PartitionResponses[0]
        check(row.ErrorCode, row.ErrorMessage)
        return int(row.BaseOffset)

    def fetch(
        self, topic_id: bytes, positions: dict[int, int], *, wait_ms: int = FETCH_WAIT_MS
    ) -> Iterator[Read]:
        """What there is from the positions on, which move; waits a little where there is nothing."""
        cls = messages.FetchRequest
        partitions = [
            cls.FetchPartition(Partition=index, FetchOffset=offset, PartitionMaxBytes=PARTITION_BYTES)
            for index, offset in positions.items()
        ]
        reply = self.ask(
            cls(
                MaxWaitMs=wait_ms, MinBytes=1, MaxBytes=FETCH_BYTES, IsolationLevel=1, SessionEpoch=-1,
                Topics=[cls.FetchTopic(TopicId=topic_id, Partitions=partitions)],
            )
        )  # fmt: skip
        check(reply.ErrorCode)
        for topic in reply.Responses:
            for row in topic.Partitions:
                check(row.ErrorCode)
                aborted = {each.ProducerId: each.FirstOffset for each in row.AbortedTransactions or ()}
                yield from self._records(row, positions, aborted)

    def _records(self, row: Any, positions: dict[int, int], aborted: dict[int, int]) -> Iterator[Read]:
        batches = bytes(row.Records or b"")
        at = 0
        while at + 61 <= len(batches):
            found = header(batches, at)
            if at + found.size_bytes > len(batches):
                break
            batch = batches[at : at + found.size_bytes]
            at += found.size_bytes
            is_aborted = aborted.get(found.producer_id, found.next_offset) < found.next_offset
            if found.attributes & CONTROL:
                aborted.pop(found.producer_id, None)
            elif not is_aborted:
                try:
                    for record in read_records(batch):
                        if record.offset >= positions[row.PartitionIndex]:
                            yield Read(
                                row.PartitionIndex,
                                record.offset,
                                record.timestamp_ms,
                                record.key,
                                record.value,
                            )
                except ProtocolError as error:
                    raise VerbRefused(f"unreadable records: {error}") from None
            positions[row.PartitionIndex] = found.next_offset
