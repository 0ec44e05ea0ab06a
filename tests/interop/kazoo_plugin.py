"""A pytest plugin: kazoo's own suite starts our server instead of a JVM."""

import os
import re
import subprocess
import sys

import OpenSSL.crypto
from kazoo.testing import common

SUPER_DIGEST = re.compile(r"-Dzookeeper\.DigestAuthenticationProvider\.superDigest=(.*)")
USER = re.compile(r'user_(\w+)="([^"]*)"')


def run(self):
    """In place of ManagedZooKeeper.run."""
    if self.running:
        return
    words = ["--secure-port", str(self.server_info.secure_client_port), "--tls", *written(self)]
    for flag in self.java_system_properties:
        if found := SUPER_DIGEST.match(flag):
            words += ["--setting", f"super_digest={found[1]}"]
    if "reconfigEnabled=true" in self.configuration_entries:
        words += ["--setting", "has_reconfig=true"]
    for user, password in USER.findall(self.jaas_config or ""):
        words += ["--sasl", f"{user}={password}"]
    folder = os.path.join(self.working_path, "data")
    self.process = subprocess.Popen(
        [sys.executable, "-m", "tests.coord.zookeeper.server_process", folder,
         str(self.server_info.client_port), *words],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert self.process.stdout.readline() == b"ready\n"
    self._running = True


def written(server):
    """The files of the certificates that the suite makes: the server's, its key, and the authority's."""
    os.makedirs(server.working_path, exist_ok=True)
    parts = {"certificate": server_certificate(server), "key": server_key(server), "ca": authority(server)}
    paths = []
    for name, data in parts.items():
        path = os.path.join(server.working_path, f"{name}.pem")
        with open(path, "wb") as file:
            file.write(data)
        paths.append(path)
    return paths


def entry(server):
    (found,) = server.ssl_configuration["keystore"].private_keys.values()
    return found


def server_certificate(server):
    return b"".join(pem_of(raw) for _, raw in entry(server).cert_chain)


def server_key(server):
    key = OpenSSL.crypto.load_privatekey(OpenSSL.crypto.FILETYPE_ASN1, entry(server).pkey)
    return OpenSSL.crypto.dump_privatekey(OpenSSL.crypto.FILETYPE_PEM, key)


def authority(server):
    certs = server.ssl_configuration["truststore"].certs.values()
    return b"".join(pem_of(found.cert) for found in certs)


def pem_of(raw):
    certificate = OpenSSL.crypto.load_certificate(OpenSSL.crypto.FILETYPE_ASN1, raw)
    return OpenSSL.crypto.dump_certificate(OpenSSL.crypto.FILETYPE_PEM, certificate)


common.ManagedZooKeeper.run = run
