from __future__ import annotations

import pytest
from bench.gateway import CASES, Figures, compared, report
from bench.peers import Peer
from bench.replay import Signer, is_whole

from cloudlet.wire.http1_receiver import ReceiveLimits, Receiver
from cloudlet.wire.sigv4 import read_credential


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nabc", False),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", True),
    ],
)
def test_a_reply_is_whole(reply: bytes, expected: bool) -> None:
    assert is_whole(reply) is expected


def test_ratios_are_to_the_first() -> None:
    assert compared("CPU", [20.0, 1500.0, None]) == ["CPU", "20", "1,500", "–", "75.0×", "–"]
    assert compared("CPU", [None, 1500.0]) == ["CPU", "–", "1,500", "–"]
    assert compared("growth", [1.25, 2.0], 1, ratios=False) == ["growth", "1.2", "2.0", ""]


def test_replayed_bytes_are_signed_requests() -> None:
    signer = Signer("http://127.0.0.1:1")
    for raw in (
        signer.signed("sqs", "receive_message", QueueUrl="http://127.0.0.1:1/0/q"),
        signer.signed_query("sqs", "/", {"Action": "ReceiveMessage"}),
    ):
        [request] = Receiver(ReceiveLimits()).feed(raw)
        claim = read_credential(request.head)
        assert claim is not None
        assert (claim.signing.service, claim.signing.access_key) == ("sqs", "test")


def test_the_report_names_who_is_absent_and_what_was_refused() -> None:
    peers = [Peer("cloudlet", "1", "n", lambda port: [], lambda port: {})]
    figures = {"cloudlet": Figures(first_ms=[9.0], start_ms=[1.0, 3.0, 2.0])}
    case = next(iter(CASES))
    figures["cloudlet"].cpu_us[case] = [5.0, 1.0, 3.0]
    figures["cloudlet"].rate[case] = [7.0]
    figures["cloudlet"].refused["SQS SendMessage, json"] = "not implemented"
    text = report(peers, figures, {"moto": "no network"}, 3)
    assert "| first answer, ms | 2 |" in text
    assert f"| CPU of {case}, µs | 3 |" in text
    assert "**moto** could not be installed: no network" in text
    assert "SQS SendMessage, json: refused (not implemented)" in text
