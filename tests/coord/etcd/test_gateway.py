"""The JSON gateway and the pages, with Python's own HTTP client."""

import asyncio
import base64
import contextlib
import http.client
import json

import pytest
from tests.coord.etcd.running import run, running

from cloudlet.coord.etcd.gateway import SLOW_BYTES, PageCall, _lines
from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.grpc import server_stream
from cloudlet.wire.http1 import Head
from cloudlet.wire.protobuf import encode


def b64(text):
    return base64.b64encode(text).decode()


@contextlib.contextmanager
def connected(served):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def asked(served, method, path, body=None, headers=None):
    with connected(served) as connection:
        connection.request(method, path, None if body is None else json.dumps(body), headers or {})
        reply = connection.getresponse()
        text = reply.read()
        is_json = reply.headers["content-type"].startswith("application/json")
        return reply.status, json.loads(text) if is_json else text.decode()


def post(served, path, headers=None, **body):
    return asyncio.to_thread(asked, served, "POST", path, body, headers)


def page(served, path):
    return asyncio.to_thread(asked, served, "GET", path)


def test_put_range_and_delete():
    async def body():
        async with running() as served:
            status, put = await post(served, "/v3/kv/put", key=b64(b"foo"), value=b64(b"bar"))
            assert (status, put["header"]["revision"]) == (200, "2")
            status, found = await post(served, "/v3/kv/range", key=b64(b"foo"))
            assert status == 200
            assert found["count"] == "1"
            assert found["kvs"] == [
                {
                    "key": b64(b"foo"),
                    "create_revision": "2",
                    "mod_revision": "2",
                    "version": "1",
                    "value": b64(b"bar"),
                }
            ]
            _, gone = await post(served, "/v3/kv/deleterange", key=b64(b"foo"))
            assert gone["deleted"] == "1"

    run(body)


def test_a_transaction():
    async def body():
        async with running() as served:
            key = b64(b"foo")
            _, reply = await post(
                served,
                "/v3/kv/txn",
                compare=[{"key": key, "target": "CREATE", "createRevision": "0"}],
                success=[{"requestPut": {"key": key, "value": b64(b"1")}}],
                failure=[{"request_range": {"key": key}}],
            )
            assert reply["succeeded"] is True
            assert reply["responses"] == [{"response_put": {"header": {"revision": "2"}}}]

    run(body)


@pytest.mark.parametrize(
    ("path", "fields", "status", "code", "text"),
    [
        ("/v3/kv/put", {}, 400, 3, "etcdserver: key is not provided"),
        ("/v3/kv/range", {"key": "YQ==", "revision": "9"}, 400, 11,
         "etcdserver: mvcc: required revision is a future revision"),
        ("/v3/lease/revoke", {"ID": "7"}, 404, 5, "etcdserver: requested lease not found"),
        ("/v3/lease/revoke", {"ID": "7", "unknown": [1]}, 404, 5, "etcdserver: requested lease not found"),
        ("/v3/nosuch", {}, 404, 5, "Not Found"),
    ],
)  # fmt: skip
def test_refusals(path, fields, status, code, text):
    async def body():
        async with running() as served:
            assert await post(served, path, **fields) == (
                status,
                {"error": text, "message": text, "code": code},
            )

    run(body)


def test_what_is_no_json():
    async def body():
        async with running() as served:

            def broken():
                with connected(served) as connection:
                    connection.request("POST", "/v3/kv/put", "{")
                    return connection.getresponse().status

            assert await asyncio.to_thread(broken) == 400
            assert (await post(served, "/v3/kv/put", key="*not base64*"))[0] == 400
            assert (await page(served, "/v3/kv/put"))[0] == 501

    run(body)


def test_every_method_of_the_table_has_a_path():
    async def body():
        async with running() as served:
            for rpc in pb.METHODS.values():
                for path in rpc.gateway:
                    if rpc.streams_reply:
                        continue
                    waits = path.endswith(("/lock", "/campaign"))  # behind the others of its name
                    status, reply = await post(
                        served, path, **({"name": b64(path.encode())} if waits else {})
                    )
                    assert "Not Found" not in str(reply), path
                    is_recipe = path.startswith(("/v3/lock/", "/v3/election/"))
                    assert status != 500 or (is_recipe and reply["code"] == 2), (path, reply)

    run(body)


def test_a_watch_is_lines():
    async def body():
        async with running() as served:
            await served.client.Put(key=b"k", value=b"1")

            def watch():
                with connected(served) as connection:
                    request = {"create_request": {"key": b64(b"k"), "start_revision": "2"}}
                    connection.request("POST", "/v3/watch", json.dumps(request))
                    reply = connection.getresponse()
                    return [json.loads(reply.readline()) for _ in range(2)]

            _, line = await asyncio.to_thread(watch)
            assert line["result"]["events"][0]["kv"]["value"] == b64(b"1")

    run(body)


def test_a_keepalive_and_a_snapshot_end_by_themselves():
    async def body():
        async with running() as served:
            await served.client.LeaseGrant(ID=7, TTL=60)
            _, line = await post(served, "/v3/lease/keepalive", ID="7")
            assert (line["result"]["ID"], line["result"]["TTL"]) == ("7", "60")
            _, line = await post(served, "/v3/lease/keepalive", ID="8")
            assert "TTL" not in line["result"]

            def snapshot():
                with connected(served) as connection:
                    connection.request("POST", "/v3/maintenance/snapshot", "{}")
                    return [json.loads(line) for line in connection.getresponse().read().splitlines()]

            lines = await asyncio.to_thread(snapshot)
            assert len(base64.b64decode(lines[-1]["result"]["blob"])) == 32

    run(body)


def test_a_page_that_reads_slowly_gets_every_message_and_holds_few():
    """The last ones were lost where the page was behind when the method ended."""

    async def body():
        async def method(call, incoming):
            for number in range(300):
                await call.send(encode(pb.SnapshotResponse(remaining_bytes=number, blob=bytes(1000))))

        call = PageCall(
            server_stream("/x/Y", method), Head("POST", b"/x", b"/x", b"", {}, True, 0, False, False), ""
        )
        found = []
        async for line in _lines(call, b"", pb.SnapshotResponse):
            found.append(int(json.loads(line)["result"].get("remaining_bytes", 0)))
            for _ in range(5):
                await asyncio.sleep(0)
            assert call.unsent_bytes <= SLOW_BYTES + 1100
        assert found == list(range(300))

    run(body)


def test_the_pages():
    async def body():
        async with running() as served:
            assert (await page(served, "/version"))[1]["etcdserver"].startswith("3.")
            assert await page(served, "/health") == (200, {"health": "true", "reason": ""})
            for path in ("/livez", "/readyz"):
                assert await page(served, path) == (200, "ok\n")
            await served.client.Put(key=b"k")
            status, text = await page(served, "/metrics")
            assert status == 200
            assert "etcd_debugging_mvcc_current_revision 2\n" in text
            assert "etcd_server_has_leader 1\n" in text
            assert 'grpc_server_handled_total{grpc_service="etcdserverpb.KV",grpc_method="Put"' in text
            assert (await page(served, "/nosuch"))[0] == 404

    run(body)


def test_a_foreign_page_is_refused():
    async def body():
        async with running() as served:
            headers = {"Origin": "https://evil.example"}
            status, _ = await post(served, "/v3/kv/put", headers, key=b64(b"k"))
            assert status == 403
            assert (await served.client.Range(key=b"k")).count == 0

    run(body)
