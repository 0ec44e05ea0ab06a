"""`make up`, which is the first thing that anybody types."""

import pathlib
import shutil
import subprocess
import sys

import pytest
from tests.cli.test_command_line import SECONDS, SOURCE, variables

BIN = pathlib.Path(sys.executable).parent


@pytest.mark.skipif(
    not (shutil.which("make") and (BIN / "cloudlet").exists()), reason="make or the command is not installed"
)
def test_make_up_prints_the_endpoints_of_a_cloud_that_runs_already(tmp_path):
    environment = variables(CLOUDLET_DATA=str(tmp_path / "data"), CLOUDLET_UP_PORTS="auto")

    def make(target):
        words = ["make", "-s", "-o", ".venv/.installed", f"BIN={BIN}", target]
        return subprocess.run(
            words, env=environment, cwd=SOURCE.parent, capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip

    first = make("up")
    try:
        assert first.returncode == 0, first.stderr
        again = make("up")
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout.splitlines()[:5] == first.stdout.splitlines()[:5]
    finally:
        assert make("down").returncode == 0
