"""Control verbs: a table of them, over the socket or with the folder's token."""

import asyncio
import inspect

import msgspec
import pytest

from cloudlet.aws.origin import OriginGuard
from cloudlet.kernel.fault import NoSpace
from cloudlet.shell.control import Control, Refused, Tokened, json_reply, life_verbs, reset_verbs, said
from cloudlet.shell.front import Front
from cloudlet.wire.http1 import Buffer, Head, Request, Response

TOKEN = "a-token"


class Wanted(msgspec.Struct):
    number: int


def double(request):
    return json_reply({"number": said(request, Wanted).number * 2})


async def later(request):
    await asyncio.sleep(0)
    if not request.body:
        raise Refused("nothing to do", 409)
    return double(request)


async def full(request):
    raise NoSpace


VERBS = {("POST", "/double"): double, ("PUT", "/double"): later, ("POST", "/full"): full}


def request(method, path, body=b"", **headers):
    fields = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    path = path.encode()
    return Request(Head(method, path, path, b"", fields, True, len(body), False, False), body, "::1", False)


def answered(app, asked):
    answer = app.respond(asked)
    if inspect.iscoroutine(answer):
        answer = asyncio.run(answer)
    return answer.status, msgspec.json.decode(answer.body)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_verb_takes_and_gives_json(method):
    assert answered(Control(VERBS), request(method, "/double", b'{"number": 21}')) == (200, {"number": 42})


def test_what_is_refused_says_why_and_with_which_status():
    control = Control(VERBS)
    assert answered(control, request("PUT", "/double")) == (409, {"error": "nothing to do"})
    status, body = answered(control, request("POST", "/double", b'{"number": "x"}'))
    assert status == 400
    assert "/double" in body["error"]
    assert "number" in body["error"]
    assert answered(control, request("POST", "/full"))[0] == 503


def test_an_unknown_verb_is_named_and_a_wrong_method_gets_the_right_ones():
    control = Control(VERBS)
    assert answered(control, request("POST", "/dub")) == (404, {"error": "no control verb /dub"})
    status, body = answered(control, request("DELETE", "/double"))
    assert (status, "POST or PUT" in body["error"]) == (405, True)


def test_the_verbs_of_life_and_reset():
    async def script():
        stop, resets = asyncio.Event(), []

        async def reset():
            resets.append("done")

        control = Control({**life_verbs(lambda: {"pid": 1}, stop), **reset_verbs(reset)})
        assert control.respond(request("GET", "/status")).body == b'{"pid":1}'
        assert (await control.respond(request("POST", "/reset"))).status == 200
        assert resets == ["done"]
        assert not stop.is_set()
        control.respond(request("POST", "/stop"))
        assert stop.is_set()

    asyncio.run(script())


# --- on the AWS port


class Gateway:
    def admit(self, head, peer):
        return Buffer(7)

    def respond(self, asked):
        return Response(299, [], b'"the gateway"')


def front():
    return Front(Gateway(), OriginGuard(), None, None, Tokened(Control(VERBS), TOKEN))


@pytest.mark.parametrize(
    "headers",
    [
        {"x_cloudlet_token": TOKEN},
        {"authorization": f"Bearer {TOKEN}"},
        {"authorization": f"bearer  {TOKEN}"},
    ],
)
def test_with_the_token_the_aws_port_answers_too(headers):
    asked = request("POST", "/_cloudlet/double", b'{"number": 4}', host="localhost", **headers)
    assert answered(front(), asked) == (200, {"number": 8})


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_cloudlet_token": ""},
        {"x_cloudlet_token": TOKEN + "x"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer other", "x_cloudlet_token": TOKEN},
    ],
)
def test_without_it_nothing_is_told(headers):
    for path in ("/_cloudlet/double", "/_cloudlet/nonsense"):
        status, body = answered(front(), request("POST", path, b"{}", host="localhost", **headers))
        assert (status, "DATA/token" in body["error"]) == (401, True)


def test_a_page_of_another_origin_is_refused_even_with_the_token():
    asked = request(
        "POST", "/_cloudlet/double", b"{}", host="localhost", origin="http://evil.example",
        x_cloudlet_token=TOKEN,
    )  # fmt: skip
    assert front().respond(asked).status == 403
    assert front().admit(asked.head, "::1").status == 403


def test_signed_requests_are_for_aws():
    signed = request("POST", "/_cloudlet/double", b"{}", authorization="AWS4-HMAC-SHA256 Credential=x")
    assert answered(front(), signed) == (299, "the gateway")
    assert front().admit(signed.head, "::1") == Buffer(7)
    assert answered(front(), request("POST", "/double", b"{}")) == (299, "the gateway")
