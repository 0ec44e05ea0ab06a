"""A fresh AWS account for each test, and boto3 clients that act in it.

State   in memory: clients that no test holds any more
Source  docs/testing.md
Absent  none

Making a boto3 client takes milliseconds, giving it other credentials nothing. So clients live in seats: a
session with the clients that were made of it. A test takes a seat and gives it its account; afterwards the
seat goes back, unless something still holds a client of it, which then keeps its account.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import boto3
import boto3.session
import botocore.session

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


class Seat:
    """A session with the clients that were made of it."""

    def __init__(self, region: str) -> None:
        self.core = botocore.session.Session()
        self.core.set_credentials("", SECRET)
        self.session = boto3.session.Session(botocore_session=self.core, region_name=region)
        self.clients: dict[str, object] = {}
        self.is_lent = False  # the session itself was given out

    def belongs_to(self, account: str) -> None:
        """Let all clients act in an account from now on."""
        self.core.get_credentials().access_key = account

    def is_free(self) -> bool:
        """Whether nobody holds anything of it."""
        return not self.is_lent and all(
            sys.getrefcount(client) <= OWN_REFERENCES for client in self.clients.values()
        )


class Accounts:
    """Fresh accounts of one cloud, and the seats that tests take in turn."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._free: list[Seat] = []
        start = int.from_bytes(os.urandom(5), "big") % 10 ** (ACCOUNT_DIGITS - 1)
        self._numbers = itertools.count(start)

    @contextmanager
    def take(self) -> Iterator[Aws]:
        """A fresh account for a while; the environment points to it."""
        number = next(self._numbers) % 10 ** (ACCOUNT_DIGITS - 1)
        seat = self._free.pop() if self._free else Seat(self.cloud.region)
        aws = Aws(self.cloud, seat, f"1{number:0{ACCOUNT_DIGITS - 1}}")
        seat.belongs_to(aws.account)
        try:
            with environment({**NEUTRAL, **aws.env}):
                yield aws
        finally:
            if seat.is_free():
                self._free.append(seat)


class Aws:
    """One test's account: `client("sqs")` or just `sqs`, `resource("s3")`, `session`."""

    def __init__(self, cloud: Cloud, seat: Seat, account: str) -> None:
        self.cloud = cloud
        self.account = account
        self.region = cloud.region
        self.endpoint_url = cloud.url
        self.env: Mapping[str, str] = {
            **cloud.env,
            "AWS_ENDPOINT_URL": cloud.url,
            "AWS_ACCESS_KEY_ID": account,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": cloud.region,
            "AWS_DEFAULT_REGION": cloud.region,
        }
        self._seat = seat

    @property
    def session(self) -> boto3.session.Session:
        """A boto3 session of this account."""
        self._seat.is_lent = True
        return self._seat.session

    def client(self, service: str, **options: object):  # type: ignore[no-untyped-def]
        """A boto3 client; with options (region_name, config, …) it is made anew."""
        if options:
            return self._seat.session.client(service, **{"endpoint_url": self.endpoint_url, **options})
        found = self._seat.clients.get(service)
        if found is None:
            found = self._seat.session.client(service, endpoint_url=self.endpoint_url)
            self._seat.clients[service] = found
        return found

    def resource(self, service: str, **options: object):  # type: ignore[no-untyped-def]
        """A boto3 resource."""
        self._seat.is_lent = True
        return self._seat.session.resource(service, **{"endpoint_url": self.endpoint_url, **options})

    def __getattr__(self, service: str):  # type: ignore[no-untyped-def]
        if service.startswith("_"):
            raise AttributeError(service)
        return self.client(service.replace("_", "-"))

    def unique(self, name: str) -> str:
        """A name that no other test has: bucket names are global, as in AWS."""
        return f"{name}-{self.account}"


@contextmanager
def environment(wanted: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables for a while, and let boto3's own default session read them anew."""
    former = {name: os.environ.get(name) for name in wanted}
    default = boto3.DEFAULT_SESSION
    boto3.DEFAULT_SESSION = None
    _set(wanted)
    try:
        yield
    finally:
        _set(former)
        boto3.DEFAULT_SESSION = default


def _set(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
