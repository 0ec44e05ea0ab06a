"""What clients need to speak TLS with the cloud, made on request.

State   DATA/tls/ca.pem; DATA/tls/clients/NAME.pem and NAME.key
Source  docs/cli.md, "TLS"
Absent  revocation: whoever has a client's key is that client until it ends
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec

from cloudlet.kernel.clock import Clock
from cloudlet.shell.control import Refused, Verbs, json_reply, said
from cloudlet.shell.folder import write_whole
from cloudlet.wire.http1 import Request, Response

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class Wanted(msgspec.Struct, forbid_unknown_fields=True):
    """A client's common name."""

    name: str


class TlsVerbs:
    """The verbs over one data folder."""

    def __init__(self, data: Path, clock: Clock) -> None:
        self._data = data
        self._clock = clock

    def verbs(self) -> Verbs:
        """The table."""
        return {("POST", "/tls/authority"): self._authority, ("POST", "/tls/client"): self._client}

    def _authority(self, request: Request) -> Response:
        from cloudlet.shell.local_ca import LocalAuthority

        authority = LocalAuthority(self._data, self._clock.wall_ms())
        authority.make()
        return json_reply({"ca_file": str(authority.ca_file.resolve())})

    def _client(self, request: Request) -> Response:
        from cloudlet.shell.local_ca import LocalAuthority

        name = said(request, Wanted).name
        if not NAME.fullmatch(name):
            raise Refused(f"{name!r} is no name for a client: up to 64 letters, digits and any of . _ @ -")
        authority = LocalAuthority(self._data, self._clock.wall_ms())
        certificate, key = authority.client_pair(name)
        folder = authority.ca_file.parent.resolve() / "clients"
        os.makedirs(folder, mode=0o700, exist_ok=True)
        write_whole(folder / f"{name}.key", key)
        write_whole(folder / f"{name}.pem", certificate)
        files = {"certificate_file": folder / f"{name}.pem", "key_file": folder / f"{name}.key"}
        return json_reply(
            {"ca_file": str(authority.ca_file.resolve()), **{k: str(v) for k, v in files.items()}}
        )
