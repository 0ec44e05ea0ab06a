from __future__ import annotations

import pytest
from tests.wire.signed import received

from cloudlet.aws.origin import OriginGuard


def status(host: str, names: tuple[str, ...] = (), origins: tuple[str, ...] = (), **headers: str) -> int:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    request = received("POST", f"http://{host}/", fields.items(), b"")
    refused = OriginGuard(names, origins).refusal(request.head)
    return 200 if refused is None else refused.status


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:4566",
        "LOCALHOST.:4566",
        "127.0.0.1:4566",
        "[::1]:4566",
        "192.168.1.7:4566",
        "bucket.s3.localhost:4566",
        "123456789012.localhost:4566",
        "localhost.localstack.cloud:4566",
        "sqs.us-east-1.localhost.localstack.cloud:4566",
        "bucket.s3.eu-west-1.amazonaws.com",
        "host.docker.internal:4566",
    ],
)
def test_our_names_are_served(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4566",
        "localhost.evil.example",
        "notlocalhost",
        "localhost.localstack.cloud.evil.example",
        "xamazonaws.com",
        "127.0.0.1.nip.io",
        "cloudlet",
        "localhost@evil.example",
        "localhost:4566:4566x",
        "[::1].evil.example.",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    assert status(host) == 403


def test_a_name_may_be_added() -> None:
    assert status("cloudlet:4566", names=("Cloudlet",)) == 200
    assert status("bucket.cloudlet:4566", names=("cloudlet",)) == 200


def test_the_refusal_names_the_flag_and_the_host() -> None:
    request = received("GET", "http://evil.example:4566/", {}.items(), b"")
    refused = OriginGuard().refusal(request.head)
    assert refused is not None
    assert isinstance(refused.body, bytes)
    assert b"--advertise" in refused.body
    assert b"evil.example" in refused.body


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"origin": "http://localhost:4566"}, 200),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://localhost:3000"}, 403),
        ({"origin": "http://localhost:4566.evil.example"}, 403),
        ({"origin": "http://localhost:4567"}, 200),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "same-origin"}, 200),
        ({"sec_fetch_site": "none"}, 200),
        ({"sec_fetch_site": "same-origin", "referer": "http://localhost:4566/a"}, 200),
        ({"referer": "https://evil.example/page"}, 403),
        ({"referer": "http://localhost:4566/page?x"}, 200),
        ({"referer": "http://localhost:4566@evil.example/"}, 403),
        ({"origin": "https://evil.example", "sec_fetch_site": "same-origin"}, 403),
    ],
)
def test_pages_of_other_origins_are_refused(headers: dict[str, str], expected: int) -> None:
    assert status("localhost:4566", origins=("http://localhost:4567",), **headers) == expected


def test_a_rebound_name_is_refused_although_the_page_is_of_the_same_origin() -> None:
    assert status("evil.example:4566", origin="http://evil.example:4566", sec_fetch_site="same-origin") == 403


def test_judged_hosts_are_remembered_within_a_bound() -> None:
    guard = OriginGuard()
    for n in range(9000):
        request = received("GET", f"http://b{n}.localhost/", {}.items(), b"")
        guard.check(request.head)
    assert len(guard._hosts) <= 4096
