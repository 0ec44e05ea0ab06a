"""The example of docs/zookeeper.md runs, as it stands there."""

import os
import pathlib
import re
import subprocess
import sys

from tests.coord.zookeeper.running import running

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "zookeeper.md"


def test_the_example_of_what_is_promised(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    with running(tmp_path) as face:
        done = subprocess.run(
            [sys.executable, "-c", example],
            env={**os.environ, "ZOOKEEPER_HOSTS": face.address},
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "as promised\n"), done.stderr
