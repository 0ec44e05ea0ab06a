"""cloudlet tls: what it prints lets stock clients speak TLS, and be known by name."""

import json
import pathlib
import ssl
import subprocess
import urllib.request

import grpc
import pytest
from kazoo.client import KazooClient
from tests.cli.test_command_line import cloudlet_command

from cloudlet.wire import etcd_messages as pb
from cloudlet.wire.protobuf import decode, encode


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cloud") / "data"
    started = cloudlet_command("up", "-d", "--ports", "auto", "--data", folder, "--only", "etcd,zookeeper")
    assert started.returncode == 0, started.stderr
    yield folder
    cloudlet_command("down", "--data", folder)


def said(data, *words):
    done = cloudlet_command("tls", *words, "--data", data)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def endpoint(data, face):
    return json.loads(cloudlet_command("status", "--json", "--data", data).stdout)["endpoints"][face]


def test_the_authority_is_what_clients_trust(data):
    ca_file = said(data)
    assert ca_file == str(data.resolve() / "tls" / "ca.pem")
    assert said(data) == ca_file
    port = endpoint(data, "etcd").rpartition(":")[2]
    trusting = ssl.create_default_context(cafile=ca_file)
    with urllib.request.urlopen(f"https://localhost:{port}/version", context=trusting, timeout=10) as reply:
        assert json.load(reply)["etcdcluster"]


def test_a_client_is_known_by_its_certificate(data):
    files = json.loads(said(data, "client", "alice", "--json"))
    assert said(data, "client", "alice").splitlines() == [files["certificate_file"], files["key_file"]]
    shown = subprocess.run(
        ["stat", "-c", "%a", files["key_file"]], capture_output=True, text=True, check=True
    )
    assert shown.stdout.strip() == "600"
    zk = KazooClient(
        endpoint(data, "zookeeper"), use_ssl=True, ca=files["ca_file"], certfile=files["certificate_file"],
        keyfile=files["key_file"], verify_certs=True,
    )  # fmt: skip
    zk.start(timeout=10)
    try:
        zk.create("/hers", acl=[*zk_all("auth", "")])
        (entry,), _ = zk.get_acls("/hers")
        assert (entry.id.scheme, entry.id.id) == ("x509", "CN=alice")
    finally:
        zk.stop()
        zk.close()


def zk_all(scheme, identity):
    from kazoo.security import make_acl

    return [make_acl(scheme, identity, all=True)]


def test_a_client_is_an_etcd_user(data):
    files = json.loads(said(data, "client", "root", "--json"))
    credentials = grpc.ssl_channel_credentials(
        *(pathlib.Path(files[name]).read_bytes() for name in ("ca_file", "key_file", "certificate_file"))
    )
    port = endpoint(data, "etcd").rpartition(":")[2]
    with grpc.secure_channel(f"localhost:{port}", credentials) as channel:

        def call(path, **fields):
            method = pb.METHODS[f"/etcdserverpb.{path}"]
            message = encode(getattr(pb, method.request)(**fields))
            return decode(getattr(pb, method.reply), channel.unary_unary(method.path)(message, timeout=10))

        call("Auth/UserAdd", name="root", password="x")
        call("Auth/RoleAdd", name="root")
        call("Auth/UserGrantRole", user="root", role="root")
        call("Auth/AuthEnable")
        assert list(call("Auth/UserList").users) == ["root"]  # root by its certificate alone
        with grpc.insecure_channel(f"127.0.0.1:{port}") as plain:
            method = pb.METHODS["/etcdserverpb.KV/Range"]
            with pytest.raises(grpc.RpcError) as refused:
                plain.unary_unary(method.path)(encode(pb.RangeRequest(key=b"k")), timeout=10)
        assert refused.value.details() == "etcdserver: user name is empty"
        call("Auth/AuthDisable")


@pytest.mark.parametrize("name", ["", "../x", "a/b", "x" * 65, ".hidden"])
def test_names_that_are_none_are_refused(data, name):
    done = cloudlet_command("tls", "client", name, "--data", data)
    assert (done.returncode, "is no name for a client" in done.stderr) == (6, True), done.stderr
