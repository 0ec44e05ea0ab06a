"""HTTP over the control socket of a data folder.

State   none
Source  docs/cli.md
Absent  none
"""

from __future__ import annotations

import http.client
import socket
from pathlib import Path


class Control(http.client.HTTPConnection):
    """HTTP over the control socket of a data folder."""

    def __init__(self, data: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = data / "control.sock"

    def connect(self) -> None:
        from cloudlet.shell.socket_paths import short

        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        with short(self._path) as path:
            self.sock.connect(path)
