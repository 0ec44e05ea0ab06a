"""Starts the writer, kills it with -9 at an instant of the seed's choice, and gives what it had told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random

import cloudlet

REPOSITORY = Path(__file__).parents[2]

Line = list[object]
Note = Callable[[str, object], None]
"""pytest's `record_property`."""


def killed_writer(folder: Path, random: Random, stores: list[str]) -> list[Line]:
    """What the writer told before it was killed."""
    source = Path(cloudlet.__file__).parents[1]
    program = REPOSITORY / "tests/engines/crash_writer.py"
    writer = subprocess.Popen(
        [sys.executable, program, folder, str(random.getrandbits(32)), *stores],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(source)},
    )
    assert writer.stdout is not None
    told = bytearray(writer.stdout.readline())
    assert told, "the writer did not start"
    # From the first line on; a fifth of the kills hits the very beginning.
    delay_s = random.choice([0.0, 0.02, 0.05, 0.1, 0.3]) * random.random()
    killer = threading.Timer(delay_s, writer.kill)
    killer.start()
    told += writer.stdout.read()
    killer.join()
    writer.stdout.close()
    assert writer.wait() == -9
    # The last line may have been cut in the middle of being told.
    return [json.loads(line) for line in told.split(b"\n")[:-1]]
