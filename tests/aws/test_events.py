"""Events of a loop turn: what each says, what is taken from the one before, and what is held."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any, cast

import msgspec

from cloudlet.aws.call import Call
from cloudlet.aws.events import STEMS_MAX, USER_AGENT_MAX, WAITING_MAX, Events
from cloudlet.aws.identity import Caller, root_of
from cloudlet.kernel.clock import ManualClock
from cloudlet.kernel.fault import Fault
from cloudlet.kernel.ids import Ids
from cloudlet.wire.kafka.records import decode


class Params(msgspec.Struct):
    QueueName: str | None = None
    Secret: str | None = None


class Appended:
    """A log that keeps what is appended."""

    def __init__(self) -> None:
        self.batches: list[list[dict[str, Any]]] = []

    async def append(self, log: str, batches: bytes) -> int:
        self.batches.append([json.loads(value or b"") for _, _, _, value in decode(batches)])
        return 0


class Recorder:
    """Events over such a log."""

    def __init__(self) -> None:
        self.log = Appended()
        self.clock = ManualClock()
        self.ids = Ids()
        self.events = Events(cast(Any, self.log), self.clock.wall_ms, self.ids.uuid)

    def record(
        self, *, name: str = "CreateQueue", caller: Caller | None = None, params: Params | None = None,
        user_agent: str = "test", fault: Fault | None = None, result: Any = None, is_read: bool = False,
    ) -> str:  # fmt: skip
        """One call; its request id."""
        call = Call(
            caller or root_of("000000000000", "test"), "us-east-1", self.ids.uuid(), self.clock, 0.0,
            address="127.0.0.1",
        )  # fmt: skip
        operation = OPERATIONS[name, is_read]
        self.events.record(
            call, "sqs.amazonaws.com", operation, params, user_agent=user_agent, fault=fault, result=result
        )
        return call.request_id


def operation_of(name: str, is_read: bool) -> Any:
    return cast(
        Any,
        SimpleNamespace(
            model=SimpleNamespace(name=name),
            declared=SimpleNamespace(is_data=False),
            sensitive=(("Secret",),),
            sensitive_output=(),
            is_read=is_read,
        ),
    )


class Hashable(SimpleNamespace):
    __hash__ = object.__hash__  # type: ignore[assignment]


OPERATIONS = {
    (name, is_read): Hashable(**vars(operation_of(name, is_read)))
    for name in ("CreateQueue", "DeleteQueue")
    for is_read in (False, True)
}


async def turned(recorder: Recorder) -> list[dict[str, Any]]:
    """The events of this turn."""
    await asyncio.sleep(0)
    return recorder.log.batches.pop() if recorder.log.batches else []


def test_what_an_event_says() -> None:
    async def main() -> None:
        recorder = Recorder()
        request_id = recorder.record(
            params=Params("q\x00%b", "hush"), user_agent='an "agent"\x01', result={"QueueUrl": "u"}
        )
        (event,) = await turned(recorder)
        assert event.pop("eventID") != request_id
        assert event == {
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "Root",
                "principalId": "000000000000",
                "arn": "arn:aws:iam::000000000000:root",
                "accountId": "000000000000",
                "accessKeyId": "test",
            },
            "eventTime": "2023-11-14T22:13:20Z",
            "eventSource": "sqs.amazonaws.com",
            "eventName": "CreateQueue",
            "awsRegion": "us-east-1",
            "sourceIPAddress": "127.0.0.1",
            "userAgent": 'an "agent"\x01',
            "requestParameters": {"QueueName": "q\x00%b", "Secret": "HIDDEN_DUE_TO_SECURITY_REASONS"},
            "responseElements": {"QueueUrl": "u"},
            "requestID": request_id,
            "readOnly": False,
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": "000000000000",
            "eventCategory": "Management",
        }

    asyncio.run(main())


def test_what_repeats_is_the_same_and_what_does_not_is_each_calls_own() -> None:
    async def main() -> None:
        recorder = Recorder()
        first = recorder.record(params=Params("one"), result={"QueueUrl": "one"})
        recorder.record(params=Params("two"), fault=Fault("QueueDoesNotExist", "no"))
        recorder.record(name="DeleteQueue")
        recorder.record(caller=root_of("111111111111", "111111111111"))
        recorder.clock.pass_ms(1000)
        last = recorder.record(params=Params("three"), is_read=True, result={"QueueUrl": "not shown"})
        again = recorder.record(params=Params("four"))
        found = await turned(recorder)
        asked = [event["requestParameters"] for event in found]
        assert [each and each["QueueName"] for each in asked] == ["one", "two", None, None, "three", "four"]
        assert [event["eventName"] for event in found] == [
            *["CreateQueue"] * 2,
            "DeleteQueue",
            *["CreateQueue"] * 3,
        ]
        assert [event.get("errorCode") for event in found] == [
            None,
            "QueueDoesNotExist",
            None,
            None,
            None,
            None,
        ]
        assert found[1]["errorMessage"] == "no"
        assert [event["recipientAccountId"][:1] for event in found] == list("000100")
        assert [event["readOnly"] for event in found] == [False, False, False, False, True, False]
        assert [event["responseElements"] for event in found] == [{"QueueUrl": "one"}, *[None] * 5]
        assert (found[0]["requestID"], found[4]["requestID"], found[5]["requestID"]) == (first, last, again)
        assert len({event["eventID"] for event in found}) == 6

    asyncio.run(main())


def test_no_more_calls_wait_than_some() -> None:
    async def main() -> None:
        recorder = Recorder()
        ids = [recorder.record() for _ in range(2 * WAITING_MAX + 1)]
        assert [len(batch) for batch in recorder.log.batches] == [WAITING_MAX, WAITING_MAX]
        await asyncio.sleep(0)
        assert [event["requestID"] for batch in recorder.log.batches for event in batch] == ids

    asyncio.run(main())


def test_what_is_remembered_is_bounded() -> None:
    async def main() -> None:
        recorder = Recorder()
        for number in range(STEMS_MAX + 10):
            recorder.record(user_agent=str(number))
        recorder.record(user_agent="x" * (USER_AGENT_MAX + 1))
        await asyncio.sleep(0)
        found = [event["userAgent"] for batch in recorder.log.batches for event in batch]
        assert found == [*map(str, range(STEMS_MAX + 10)), "x" * (USER_AGENT_MAX + 1)]
        assert len(recorder.events._stems) == 10

    asyncio.run(main())


def test_closing_appends_what_waits() -> None:
    async def main() -> None:
        recorder = Recorder()
        recorder.record()
        await recorder.events.close()
        assert len(recorder.log.batches) == 1

    asyncio.run(main())
