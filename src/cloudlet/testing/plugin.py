"""The pytest plugin: a private cloud per test process, a fresh account per test.

State   none beyond the fixtures
Source  docs/testing.md
Absent  none

Loading it costs a user's run nothing: boto3 and the cloud come with the first test that asks for them.
"""

from __future__ import annotations

import importlib
import importlib.util
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from cloudlet.testing.aws import Accounts, Aws
    from cloudlet.testing.cloud import Checkpoints, Clock, Cloud, Fault


def pytest_addoption(parser: pytest.Parser) -> None:
    """The settings."""
    parser.addini("cloudlet_flags", "Flags of the private cloud, as for `cloudlet run`.", default="")
    parser.addini("cloudlet_init", "A file with what is to be there at start.", type="paths", default=[])


@pytest.fixture(scope="session")
def cloudlet(request: pytest.FixtureRequest) -> Iterator[Cloud]:
    """One private cloud for this test process; under `cloudlet run -- pytest` the one that is there."""
    module = importlib.import_module("cloudlet.testing.cloud")
    there = module.present()
    files = request.config.getini("cloudlet_init")
    if there is not None:
        for file in files:
            there.make(file)
        yield there
        return
    with module.cloud(shlex.split(request.config.getini("cloudlet_flags"))) as started:
        for file in files:
            started.make(file)
        yield started


@pytest.fixture(scope="session")
def cloudlet_accounts(cloudlet: Cloud) -> Accounts:
    """Fresh accounts of the cloud."""
    if importlib.util.find_spec("boto3") is None:
        raise pytest.UsageError("the fixture `aws` needs boto3: pip install boto3")
    accounts: Accounts = importlib.import_module("cloudlet.testing.aws").Accounts(cloudlet)
    return accounts


@pytest.fixture
def aws(cloudlet_accounts: Accounts) -> Iterator[Aws]:
    """A fresh account: clients by name, and the environment points to it."""
    with cloudlet_accounts.take() as account:
        yield account


@pytest.fixture
def cloudlet_clock(cloudlet: Cloud) -> Iterator[Clock]:
    """Cloud time, which passes again when the test is over. It stays where it was moved to."""
    yield cloudlet.clock
    cloudlet.clock.thaw()


@pytest.fixture
def cloudlet_fault(cloudlet: Cloud) -> Iterator[Fault]:
    """What goes wrong on purpose, which ends with the test."""
    yield cloudlet.fault
    cloudlet.fault.lift()


@pytest.fixture
def cloudlet_checkpoint(cloudlet: Cloud) -> Iterator[Checkpoints]:
    """Saved states of the whole cloud; the state at the test's begin comes back when it is over."""
    name = cloudlet.checkpoint.save()
    yield cloudlet.checkpoint
    cloudlet.checkpoint.restore(name)
    cloudlet.checkpoint.drop(name)
