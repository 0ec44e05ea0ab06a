"""The limit of open files, in processes of their own."""

import resource
import subprocess
import sys

import pytest

from cloudlet.shell.open_files import FILES

PROGRAM = """
import resource, sys
soft, hard = int(sys.argv[1]), int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from cloudlet.shell.open_files import allow_files
print(allow_files(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("soft", "hard"), [(200, 1000), (1000, 1000), (200, None)])
def test_the_limit_is_raised_as_far_as_it_may_be(soft, hard):
    highest = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    hard = highest if hard is None else hard
    program = [sys.executable, "-c", PROGRAM, str(soft), str(hard)]
    said = subprocess.run(program, capture_output=True, text=True, check=True).stdout
    wanted = FILES if hard == resource.RLIM_INFINITY else min(hard, FILES)
    if sys.platform != "darwin":
        assert said.split() == [str(wanted), str(wanted), str(hard)]
