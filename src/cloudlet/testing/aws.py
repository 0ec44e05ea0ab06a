"""A fresh AWS account for each test, and boto3 clients that act in it.

State   in memory: clients that no test holds any more
Source  docs/testing.md
Absent  none

Making a boto3 client takes milliseconds, giving it other credentials nothing. So clients live in seats: a
session with the clients that were made of it. A test takes a seat and gives it its account; afterwards the
seat goes back, unless something still holds a client of it, which then keeps its account. What a test has
registered with a client is taken back; a client that it has changed otherwise is not used again.

Reading the models is what takes long of the first client of a session, so all sessions share one reader:
those of the seats, and boto3's default session, which code under test meets anew in each test.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import boto3
import boto3.session
import botocore.session
from botocore.loaders import create_loader

from cloudlet.aws.implemented import endpoint_variables
from cloudlet.testing.cloud import Cloud

ACCOUNT_DIGITS = 12
SECRET = "test"
OWN_REFERENCES = 3  # the seat's dictionary, the loop's name, and the argument of getrefcount

NEUTRAL = {
    "AWS_SESSION_TOKEN": None,
    "AWS_SECURITY_TOKEN": None,
    "AWS_PROFILE": None,
    "AWS_DEFAULT_PROFILE": None,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": None,
}
"""What else a client might read of the user's own AWS: None takes a variable away."""


class Sessions:
    """boto3 sessions that read the models once for all of them."""

    def __init__(self) -> None:
        self._loader = create_loader(os.environ.get("AWS_DATA_PATH"))

    def make(self, **options: Any) -> boto3.session.Session:
        """A session; its credentials and region are those of the environment where no option says so."""
        core = botocore.session.Session()
        core.register_component("data_loader", self._loader)
        session = boto3.session.Session(**{"botocore_session": core, **options})
        paths = self._loader.search_paths  # to which each session of boto3 adds its own
        paths[:] = dict.fromkeys(paths)
        return session

    def make_default(self, **options: Any) -> None:
        """In place of `boto3.setup_default_session`."""
        boto3.DEFAULT_SESSION = self.make(**options)


class Journal:
    """What is registered with a client while a test has it, and what else is changed in it."""

    def __init__(self, client: Any) -> None:
        events = client.meta.events
        self._own = public(client)
        self._registered: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self._is_spoiled = False
        self._unregister = events.unregister
        for name in ("register", "register_first", "register_last"):
            setattr(events, name, self._noting(getattr(events, name)))
        events.unregister = self._forget

    def _noting(self, register: Any) -> Any:
        def note(*said: Any, **options: Any) -> None:
            self._registered.append((said, options))
            register(*said, **options)

        return note

    def _forget(self, *said: Any, **options: Any) -> None:
        self._is_spoiled = self._is_spoiled or (said, options) not in self._registered
        self._unregister(*said, **options)

    def undo(self, client: Any) -> bool:
        """Take back what was registered; whether the client is then as it was made."""
        for said, options in self._registered:
            self._unregister(*said, **options)
        self._registered.clear()
        return not self._is_spoiled and public(client) == self._own


def public(client: Any) -> dict[str, object]:
    """What is set in a client that is no affair of botocore's own."""
    return {name: value for name, value in vars(client).items() if not name.startswith("_")}


class Seat:
    """A session with the clients that were made of it."""

    def __init__(self, session: boto3.session.Session) -> None:
        self._session = session
        self._clients: dict[str, tuple[Any, Journal]] = {}

    def client(self, service: str, endpoint_url: str) -> Any:
        """The seat's client of a service."""
        found = self._clients.get(service)
        if found is None:
            client = self._session.client(service, endpoint_url=endpoint_url)
            found = self._clients[service] = (client, Journal(client))
        return found[0]

    def belongs_to(self, account: str) -> None:
        """Let all clients act in an account from now on."""
        self._session.get_credentials().access_key = account

    def is_free(self) -> bool:
        """Whether nobody holds a client of it; those that are left are as they were made."""
        for service, (client, journal) in list(self._clients.items()):
            if sys.getrefcount(client) > OWN_REFERENCES:
                return False
            if not journal.undo(client):
                del self._clients[service]
        return True


class Accounts:
    """Fresh accounts of one cloud, and the seats that tests take in turn."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.sessions = Sessions()
        self._neutral = {**NEUTRAL, **dict.fromkeys(endpoint_variables())}
        self._free: list[Seat] = []
        start = int.from_bytes(os.urandom(5), "big") % 10 ** (ACCOUNT_DIGITS - 1)
        self._numbers = itertools.count(start)

    @contextmanager
    def take(self) -> Iterator[Aws]:
        """A fresh account for a while; the environment points to it."""
        number = next(self._numbers) % 10 ** (ACCOUNT_DIGITS - 1)
        account = f"1{number:0{ACCOUNT_DIGITS - 1}}"
        aws = Aws(self, account)
        with environment({**self._neutral, **aws.env}, self.sessions):
            aws.seat = seat = self._free.pop() if self._free else Seat(self.session_of(account))
            seat.belongs_to(account)
            try:
                yield aws
            finally:
                if seat.is_free():
                    self._free.append(seat)

    def session_of(self, account: str) -> boto3.session.Session:
        """A session that acts in an account."""
        return self.sessions.make(
            aws_access_key_id=account, aws_secret_access_key=SECRET, region_name=self.cloud.region
        )


class Aws:
    """One test's account: `client("sqs")` or just `sqs`, `resource("s3")`, `session`."""

    seat: Seat

    def __init__(self, accounts: Accounts, account: str) -> None:
        self.cloud = accounts.cloud
        self.account = account
        self.region = self.cloud.region
        self.endpoint_url = self.cloud.url
        self.env: Mapping[str, str] = {
            **self.cloud.env,
            "AWS_ENDPOINT_URL": self.cloud.url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
        }
        self._make = accounts.session_of

    @cached_property
    def session(self) -> boto3.session.Session:
        """A boto3 session of this account."""
        return self._make(self.account)

    def client(self, service: str, **options: object):  # type: ignore[no-untyped-def]
        """A boto3 client; with options (region_name, config, …) it is made anew."""
        if options:
            return self.session.client(service, **{"endpoint_url": self.endpoint_url, **options})
        return self.seat.client(service, self.endpoint_url)

    def resource(self, service: str, **options: object):  # type: ignore[no-untyped-def]
        """A boto3 resource."""
        return self.session.resource(service, **{"endpoint_url": self.endpoint_url, **options})

    def __getattr__(self, service: str):  # type: ignore[no-untyped-def]
        if service.startswith("_"):
            raise AttributeError(service)
        return self.client(service.replace("_", "-"))

    def unique(self, name: str) -> str:
        """A name that no other test has: bucket names are global, as in AWS."""
        return f"{name}-{self.account}"


@contextmanager
def environment(wanted: Mapping[str, str | None], sessions: Sessions) -> Iterator[None]:
    """Set variables for a while, and let boto3's own default session read them anew."""
    former = {name: os.environ.get(name) for name in wanted}
    default, setup = boto3.DEFAULT_SESSION, boto3.setup_default_session
    boto3.DEFAULT_SESSION, boto3.setup_default_session = None, sessions.make_default
    _set(wanted)
    try:
        yield
    finally:
        _set(former)
        boto3.DEFAULT_SESSION, boto3.setup_default_session = default, setup


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
