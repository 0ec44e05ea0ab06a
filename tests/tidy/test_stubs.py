"""The types that services are checked against are those of the models."""

from cloudlet.aws.models import Models
from cloudlet.aws.stubs import Stub, stale


def test_the_stubs_are_current():
    assert stale(Models()) == [], "run python -m cloudlet.aws.stubs"


def test_a_stub_says_what_a_request_and_a_reply_hold():
    text = Stub(Models().service("sqs")).text()
    compile(text, "shapes.pyi", "exec")
    assert "class SendMessageRequest(msgspec.Struct):\n    QueueUrl: str\n    MessageBody: str\n" in text
    assert "class MessageAttributeValueDict(TypedDict, total=False):" in text  # requests hold it too
    assert "    MessageAttributes: dict[str, MessageAttributeValueDict]" in text


def test_any_model_makes_a_stub_that_python_reads():
    models = Models()
    for name in ("s3", "dynamodb", "lambda", "ec2", "iot"):
        compile(Stub(models.service(name)).text(), f"{name}.pyi", "exec")
