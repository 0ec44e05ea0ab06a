"""The guard against web pages: a page that a user merely looks at must not drive the cloud.

State   a bounded memory of Host headers that were judged
Source  the Fetch standard (Origin); W3C "Fetch Metadata Request Headers" (Sec-Fetch-Site); RFC 9110 sections
        7.2 (Host) and 10.1.3 (Referer); docs/architecture.md, "The AWS gateway"
Absent  replies that let a page in (CORS): whoever serves a bucket's CORS rules asks them before it asks here

A browser sends requests to 127.0.0.1 on behalf of any page. Two rules keep them out:

    Host       DNS rebinding: the attacker's own name resolves to our address, so the page is same-origin and
               the browser adds nothing. Only names that are ours, and addresses, are served.
    Origin,    cross-site requests: an <img> or a form needs nobody's permission to be sent. Browsers mark
    Referer,   them: Sec-Fetch-Site in every current one, Origin with a POST, Referer before those. Programs
    Sec-…      send none of the three.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head, Response

HOSTS_MAX = 4096

OUR_NAMES = ("localhost", "localhost.localstack.cloud", "host.docker.internal")
OUR_SUFFIXES = (".localhost", ".localhost.localstack.cloud", ".amazonaws.com")
"""Below these every name is ours: virtual hosts of buckets and APIs, and what a client configured for AWS
sends through a proxy or a hosts file. Nobody but AWS gets a name below amazonaws.com to point elsewhere, and
localhost.localstack.cloud resolves to 127.0.0.1 by its owner's promise."""

MARKS = (b"origin", b"sec-fetch-site", b"referer")
"""What a browser sends with a request that a page makes."""

SAME_SITES = frozenset({b"same-origin", b"none"})  # none: typed, bookmarked

PORT = re.compile(r":[0-9]*\Z")
BRACKETS = re.compile(r"\[([^\]]*)\](?::[0-9]*)?")
ORIGIN = re.compile(r"https?://([^/?#]+)", re.IGNORECASE)

Forbidden = Fault("AccessDenied", status=403)


class OriginGuard:
    """Judges requests by where they come from.

    `host_names` are the names of `--host` and `--advertise`; pages of `origins` ("http://localhost:4567", the
    console's) may do what a program may.
    """

    __slots__ = ("_hosts", "_names", "_origins", "_suffixes")

    def __init__(self, host_names: Iterable[str] = (), origins: Iterable[str] = ()) -> None:
        self._origins = frozenset(origin.encode() for origin in origins)
        added = [name.lower().rstrip(".") for name in host_names]
        self._names = frozenset((*OUR_NAMES, *added))
        self._suffixes = (*OUR_SUFFIXES, *(f".{name}" for name in added if name))
        self._hosts: set[bytes] = set()

    def check(self, head: Head) -> None:
        """Raise Forbidden (403) for a request that a foreign page may have sent."""
        headers = head.headers
        host = headers.get(b"host")
        if host is None:
            return  # HTTP/1.0, which no browser speaks
        if host not in self._hosts:
            self._admit(host)
        if not headers.keys().isdisjoint(MARKS):
            self._check_page(head, host)

    def refusal(self, head: Head) -> Response | None:
        """The reply to such a request, None for one that may pass."""
        headers = head.headers
        if headers.get(b"host") in self._hosts and headers.keys().isdisjoint(MARKS):
            return None  # as nearly always
        try:
            self.check(head)
        except Fault as fault:
            body = f"{fault.code}: {fault.message}\n".encode()
            return Response(fault.status, [(b"content-type", b"text/plain; charset=utf-8")], body)
        return None

    def _admit(self, host: bytes) -> None:
        text = host.decode("latin-1")
        if not self._is_ours(text):
            raise Forbidden(
                f"The host name {name_of(text)!r} is not one of this cloud's. If it is meant to be, "
                "start the cloud with --advertise and that name."
            )
        if len(self._hosts) >= HOSTS_MAX:
            self._hosts.clear()
        if len(host) <= 255:  # the longest name that DNS knows; others are judged anew each time
            self._hosts.add(host)

    def _check_page(self, head: Head, host: bytes) -> None:
        headers = head.headers
        origin = headers.get(b"origin")
        if origin is not None:
            if origin not in self._origins and not self._same(origin, host):
                raise _foreign("Origin", origin)
            return
        site = headers.get(b"sec-fetch-site")
        if site is not None:
            # same-site is no better than cross-site: http://localhost:3000 is another program's page.
            if site not in SAME_SITES:
                raise _foreign("Sec-Fetch-Site", site)
            return
        referer = headers.get(b"referer")
        if referer is not None and not self._same(referer, host):
            raise _foreign("Referer", referer)

    def _same(self, url: bytes, host: bytes) -> bool:
        """Whether a page's URL has the authority that the request was sent to."""
        found = ORIGIN.match(url.decode("latin-1"))
        return found is not None and found[1].lower() == host.decode("latin-1").lower()

    def _is_ours(self, host: str) -> bool:
        name = name_of(host)
        # An address cannot be rebound: the page would have come from that very address.
        return name in self._names or name.endswith(self._suffixes) or _is_address(name)


def name_of(host: str) -> str:
    """The name or address of a Host header, without port and brackets."""
    found = BRACKETS.fullmatch(host)
    if found is not None:
        return found[1].lower()
    return PORT.sub("", host).lower().rstrip(".")


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _foreign(header: str, value: bytes) -> Fault:
    return Forbidden(
        f"The request comes from a web page of another origin ({header}: {value.decode('latin-1')[:200]}). "
        "Pages may not drive this cloud, because any page that its user visits could; see --advertise for "
        "names that are this cloud's own."
    )
