"""The local authority, and the port that takes TLS and plain clients, with the standard library's client."""

import asyncio
import contextlib
import socket
import ssl
import stat

import pytest

from cloudlet.kernel.clock import SystemClock
from cloudlet.shell.either import EitherListener
from cloudlet.shell.local_ca import LocalAuthority

DAY_MS = 86_400_000


def now():
    return SystemClock().wall_ms()


class Echo(asyncio.Protocol):
    """Says whether it is reached over TLS, and who the client is; then what it hears."""

    def connection_made(self, transport):
        self.transport = transport
        tls = transport.get_extra_info("ssl_object")
        shown = tls.getpeercert() if tls else None
        who = dict(part[0] for part in shown["subject"])["commonName"] if shown else ""
        transport.write(f"{'tls' if tls else 'plain'} {who} ".encode())

    def data_received(self, data):
        self.transport.write(data)


@contextlib.asynccontextmanager
async def listening(authority, **options):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    either = EitherListener(Echo, [listener], authority.server_context(["cloud.example"], **options))
    try:
        yield port
    finally:
        await either.close()


async def talk(port, context=None, name="localhost", words=b"hello"):
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname=name if context else None
    )
    try:
        writer.write(words)
        return (await reader.readuntil(words)).decode()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


def client_context(authority):
    return ssl.create_default_context(cafile=authority.ca_file)


def test_one_port_takes_both_and_the_names_are_verified(tmp_path):
    authority = LocalAuthority(tmp_path, now())

    async def scenario():
        async with listening(authority) as port:
            context = client_context(authority)
            assert await talk(port) == "plain  hello"
            for name in ("localhost", "cloud.example", "127.0.0.1", "sqs.localhost.localstack.cloud"):
                assert await talk(port, context, name) == "tls  hello"
            with pytest.raises(ssl.SSLCertVerificationError):
                await talk(port, context, "elsewhere.example")
            with pytest.raises(ssl.SSLCertVerificationError):
                await talk(port, ssl.create_default_context())
            assert await talk(port) == "plain  hello"

    asyncio.run(scenario())


def test_a_client_is_known_by_its_certificate(tmp_path):
    authority = LocalAuthority(tmp_path, now())
    stranger = LocalAuthority(tmp_path / "other", now())

    def shown(by):
        certificate, key = by.client_pair("alice")
        pair = tmp_path / "pair.pem"
        pair.write_bytes(certificate + key)
        context = client_context(authority)
        context.load_cert_chain(pair)
        return context

    async def scenario():
        async with listening(authority, wants_clients=True) as port:
            assert await talk(port, shown(authority)) == "tls alice hello"
            for context in (shown(stranger), client_context(authority)):
                with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                    await talk(port, context)

    asyncio.run(scenario())


def test_a_client_that_says_nothing_or_rubbish_is_let_go(tmp_path):
    authority = LocalAuthority(tmp_path, now())

    async def scenario():
        async with listening(authority) as port:
            silent = await asyncio.open_connection("127.0.0.1", port)
            rubbish = await asyncio.open_connection("127.0.0.1", port)
            rubbish[1].write(b"\x16 this is no handshake")
            # An alert may come before the end.
            assert await rubbish[0].read() is not None
            assert await talk(port, client_context(authority)) == "tls  hello"
        assert await silent[0].read() == b""
        for _, writer in (silent, rubbish):
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    asyncio.run(scenario())


def test_certificates_are_kept_until_they_end_soon_or_lack_a_name(tmp_path):
    def shown(wall_ms, names=()):
        LocalAuthority(tmp_path, wall_ms).server_context(names)
        return [(tmp_path / "tls" / f"{stem}.pem").read_bytes() for stem in ("ca", "server")]

    first = shown(now())
    assert shown(now() + 300 * DAY_MS) == first
    renewed = shown(now() + 380 * DAY_MS)
    assert renewed[0] == first[0]
    assert renewed[1] != first[1]
    named = shown(now() + 380 * DAY_MS, ["new.example"])
    assert named[0] == first[0]
    assert named[1] != renewed[1]
    assert shown(now() + 3600 * DAY_MS)[0] != first[0]
    for stem in ("ca", "server"):
        assert stat.S_IMODE((tmp_path / "tls" / f"{stem}.key").stat().st_mode) == 0o600
    (tmp_path / "tls" / "server.pem").write_text("damaged")
    assert shown(now() + 3600 * DAY_MS)[1] != b"damaged"
