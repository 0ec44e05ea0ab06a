"""gRPC's own interoperability cases, asked by its Go client, of the gRPC server."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator

import pytest

from cloudlet.shell.http2_server import serve
from cloudlet.wire.grpc import Call, Code, GrpcStatus, bidi, server_stream, unary
from cloudlet.wire.protobuf import Module, decode, encode

pytestmark = pytest.mark.interop

CLIENT = "google.golang.org/grpc/interop/client@latest"
BUILD_SECONDS = 400
RUN_SECONDS = 60
CASES = [
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
]
MESSAGES = Module("""
file test.proto grpc.testing
message Empty
message Payload
  1 type int32
  2 body bytes
message EchoStatus
  1 code int32
  2 message string
message SimpleRequest
  2 response_size int32
  3 payload Payload
  7 response_status EchoStatus
message SimpleResponse
  1 payload Payload
message StreamingInputCallRequest
  1 payload Payload
message StreamingInputCallResponse
  1 aggregated_payload_size int32
message ResponseParameters
  1 size int32
  2 interval_us int32
message StreamingOutputCallRequest
  2 response_parameters repeated ResponseParameters
  3 payload Payload
  7 response_status EchoStatus
message StreamingOutputCallResponse
  1 payload Payload
""")
Payload, SimpleRequest, SimpleResponse, Input, InputResponse, Output, OutputResponse = map(
    MESSAGES.attribute,
    [
        "Payload",
        "SimpleRequest",
        "SimpleResponse",
        "StreamingInputCallRequest",
        "StreamingInputCallResponse",
        "StreamingOutputCallRequest",
        "StreamingOutputCallResponse",
    ],
)
INITIAL, TRAILING = "x-grpc-test-echo-initial", "x-grpc-test-echo-trailing-bin"


def echo_metadata(call: Call) -> None:
    if INITIAL in call.metadata:
        call.send_header([(INITIAL, call.metadata[INITIAL])])
    if TRAILING in call.metadata:
        call.add_trailers([(TRAILING, call.metadata[TRAILING])])


def echo_status(request) -> None:
    if request.response_status is not None:
        raise GrpcStatus(Code(request.response_status.code), request.response_status.message)


def empty_call(call: Call, message: bytes) -> bytes:
    return message


def unary_call(call: Call, message: bytes) -> bytes:
    request = decode(SimpleRequest, message)
    echo_metadata(call)
    echo_status(request)
    return encode(SimpleResponse(payload=Payload(body=bytes(request.response_size))))


async def streaming_output(call: Call, incoming: AsyncIterator[bytes]) -> None:
    echo_metadata(call)
    async for message in incoming:
        request = decode(Output, message)
        echo_status(request)
        for wanted in request.response_parameters:
            await asyncio.sleep(wanted.interval_us / 1e6)
            await call.send(encode(OutputResponse(payload=Payload(body=bytes(wanted.size)))))


async def streaming_input(call: Call, incoming: AsyncIterator[bytes]) -> None:
    total = 0
    async for message in incoming:
        total += len(decode(Input, message).payload.body)
    await call.send(encode(InputResponse(aggregated_payload_size=total)))


SERVICE = "/grpc.testing.TestService/"
METHODS = {
    method.path: method
    for method in [
        unary(SERVICE + "EmptyCall", empty_call),
        unary(SERVICE + "UnaryCall", unary_call),
        server_stream(SERVICE + "StreamingOutputCall", streaming_output),
        bidi(SERVICE + "StreamingInputCall", streaming_input),
        bidi(SERVICE + "FullDuplexCall", streaming_output),
        bidi(SERVICE + "HalfDuplexCall", streaming_output),
    ]
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    folder = tmp_path_factory.mktemp("client")
    subprocess.run(
        ["go", "install", CLIENT], env={**os.environ, "GOBIN": str(folder)}, check=True, timeout=BUILD_SECONDS
    )
    return folder / "client"


@pytest.mark.parametrize("case", CASES)
def test_case(client, case):
    async def whole():
        listener = socket.create_server(("127.0.0.1", 0))
        server = await serve(METHODS, sockets=[listener])
        command = [
            client, "--server_host=127.0.0.1", f"--server_port={server.ports[0]}", f"--test_case={case}"
        ]  # fmt: skip
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        await server.close(500)
        return done

    done = asyncio.run(whole())
    assert done.returncode == 0, done.stdout + done.stderr
