"""A broker for the tests of one module, and topics of their own for each of its tests."""

import itertools

import pytest
from tests.kafka.running_broker import running_broker

NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    """A running broker, shared by the tests of a module."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def name(request):
    """A name that no other test uses, for a topic or a group."""
    return f"{request.node.originalname.removeprefix('test_')[:60]}-{next(NUMBERS)}"
