"""The screens of README.md as a newcomer types them, against a cloud of their own."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from tests.cli.test_command_line import cloudlet_command, variables

import cloudlet

SOURCE = pathlib.Path(cloudlet.__file__).parents[1]
README = SOURCE.parent / "README.md"
SECONDS = 120
LINE = re.compile(r"^\$ ", re.MULTILINE)
# What differs from run to run: numbers, hexadecimal ids among them, ports and times.
NUMBER = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\b(?:0x)?[0-9a-f]*[0-9][0-9a-f]*\b")
DEFAULT = "/home/you/.local/share/cloudlet"


def screens():
    """The console blocks, by the program that each cannot do without."""
    found = re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL)
    needed = ("aws", "etcdctl", "kcat")
    return {tool: next(text for text in found if f"{tool} " in text) for tool in needed}


def told(screen):
    """The commands of a screen, and what it shows them to print."""
    commands, shown = [], []
    for part in LINE.split(screen)[1:]:
        lines, is_command = part.splitlines(), True
        command = []
        for line in lines:
            if is_command:
                command.append(line)
                text = "\n".join(command)
                is_command = line.endswith("\\") or text.count("'") % 2 == 1
            else:
                shown.append(line)
        commands.append("\n".join(command))
    return commands, shown


def plain(text, data):
    """Its words: curl ends no line."""
    return NUMBER.sub("#", text.replace(str(data), DEFAULT)).split()


@pytest.mark.parametrize("tool", ["aws", "etcdctl", "kcat"])
def test_a_screen_says_what_its_reader_will_see(tool, tmp_path):
    """But for numbers, every line."""
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not installed")
    commands, shown = told(screens()[tool])
    assert len(commands) >= 3
    data = tmp_path / "cloudlet"
    environment = variables() | {
        "CLOUDLET_DATA": str(data), "CLOUDLET_UP_DATA": str(data), "CLOUDLET_UP_PORTS": "auto",
        "IDLE_MS": "3000",
        "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": str(SOURCE),
        "HOME": str(tmp_path),
    }  # fmt: skip
    script = "shopt -s expand_aliases\nset -o pipefail\ntrap 'exit 9' ERR\n" + "\n".join(commands)
    if "cloudlet up" not in script:
        script = f'cloudlet up -d > up.txt\neval "$(cloudlet env)"\n{script}'
    work = tmp_path / "work"
    work.mkdir()
    (work / "examples").symlink_to(SOURCE.parent / "examples")
    try:
        done = subprocess.run(
            ["bash", "-c", script], env=environment, cwd=work, capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert plain(done.stdout, data) == plain("\n".join(shown), data)
    finally:
        cloudlet_command("down", "--data", data)
