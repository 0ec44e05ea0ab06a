"""Reflection: Google's runtime builds every file, and each message of ours is the one that is described."""

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tests.coord.etcd.running import run, running

from cloudlet.wire import etcd_messages as pb
from cloudlet.wire import grpc_messages as gm
from cloudlet.wire.grpc import Code, GrpcStatus
from cloudlet.wire.protobuf import decode, encode

PATH = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


async def asked(wire, **question):
    stream = wire.stream(PATH)
    stream.send(encode(gm.ServerReflectionRequest(host="h", **question)), ends=True)
    reply = decode(gm.ServerReflectionResponse, await stream.receive())
    assert await stream.receive() is None
    assert reply.valid_host == "h"
    return reply


def test_services_are_listed():
    async def body():
        async with running() as served:
            reply = await asked(served.client.wire, list_services="")
            names = [each.name for each in reply.list_services_response.service]
            assert {"etcdserverpb.KV", "etcdserverpb.Watch", "v3lockpb.Lock", "grpc.health.v1.Health"} <= set(
                names
            )

    run(body)


def test_googles_runtime_takes_the_descriptors():
    async def body():
        async with running() as served:
            for symbol in ("etcdserverpb.KV.Range", "etcdserverpb.TxnRequest", "v3electionpb.Election"):
                reply = await asked(served.client.wire, file_containing_symbol=symbol)
                pool = descriptor_pool.DescriptorPool()
                for raw in reversed(reply.file_descriptor_response.file_descriptor_proto):
                    pool.Add(descriptor_pb2.FileDescriptorProto.FromString(raw))
            cls = message_factory.GetMessageClass(pool.FindMessageTypeByName("etcdserverpb.ResponseHeader"))
            theirs = cls.FromString(encode(pb.ResponseHeader(cluster_id=1 << 63, revision=7, raft_term=2)))
            assert (theirs.cluster_id, theirs.revision, theirs.raft_term) == (1 << 63, 7, 2)

    run(body)


def test_what_is_not_there_is_said():
    async def body():
        async with running() as served:
            reply = await asked(served.client.wire, file_by_filename="nosuch.proto")
            assert reply.error_response.error_code == 5

    run(body)


def test_health():
    async def body():
        async with running() as served:
            wire = served.client.wire
            for name in ("", "etcdserverpb.KV"):
                raw = await wire.unary(
                    "/grpc.health.v1.Health/Check", encode(gm.HealthCheckRequest(service=name))
                )
                assert decode(gm.HealthCheckResponse, raw).status == 1
            with pytest.raises(GrpcStatus) as caught:
                await wire.unary("/grpc.health.v1.Health/Check", encode(gm.HealthCheckRequest(service="x")))
            assert caught.value.code == Code.NOT_FOUND
            stream = wire.stream("/grpc.health.v1.Health/Watch")
            stream.send(encode(gm.HealthCheckRequest()), ends=True)
            assert decode(gm.HealthCheckResponse, await stream.receive()).status == 1
            stream.cancel()

    run(body)
