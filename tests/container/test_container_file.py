"""The container file, as far as it can be held to without a container engine: its parts are run."""

import fnmatch
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 60


def instructions():
    """[(instruction, rest)], continued lines joined."""
    text = (ROOT / "Containerfile").read_text()
    joined = re.sub(r"\\\n\s*", "", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    return [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]


def the(name):
    [found] = [rest for instruction, rest in instructions() if instruction == name]
    return found


def context(folder):
    """What the build gets: the repository without what .dockerignore leaves out."""
    rules = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert rules[0] == "*"
    for kept in (rule[1:] for rule in rules if rule.startswith("!")):
        source = ROOT / kept
        if source.is_dir():
            left_out = [pathlib.PurePath(rule).name for rule in rules if rule.startswith("**/")]
            ignore = lambda _, names: [n for n in names if any(fnmatch.fnmatch(n, p) for p in left_out)]  # noqa: E731, B023
            shutil.copytree(source, folder / kept, ignore=ignore)
        else:
            shutil.copy(source, folder / kept)
    return folder


def test_the_build_gets_what_the_package_is_made_of(tmp_path):
    made = context(tmp_path / "context")
    project = tomllib.loads((made / "pyproject.toml").read_text())
    named = [
        project["project"]["readme"],
        *project["project"]["license-files"],
        *project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"],
        project["tool"]["hatch"]["version"]["path"],
    ]
    for path in named:
        assert (made / path).exists(), path
    [constraint] = re.findall(r"--constraint /src/(\S+)", the("RUN"))
    assert (made / constraint).is_file()
    assert not list(made.rglob("__pycache__"))
    assert not (made / "tests").exists()


def test_it_is_python_alone_and_no_root():
    assert re.fullmatch(r"python:3\.\d+-slim", the("FROM"))
    assert [name for name, _ in instructions()].index("USER") > [name for name, _ in instructions()].index(
        "RUN"
    )
    assert f"useradd --create-home --uid 1000 {the('USER')}" in the("RUN")
    assert f"install -d -o {the('USER')} -g {the('USER')} {the('VOLUME')}" in the("RUN")
    assert the("ENV") == f"CLOUDLET_DATA={the('VOLUME')}"


@pytest.fixture
def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_its_entry_point_serves_every_address_and_its_health_check_tells(tmp_path, port):
    source = context(tmp_path / "context") / "src"
    entry = json.loads(the("ENTRYPOINT"))
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts[entry[0]] == "cloudlet.cli.main:main"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CLOUDLET", "AWS_"))}
    env = {**clean, "PYTHONPATH": str(source), "CLOUDLET_DATA": str(tmp_path / "data")}
    env["CLOUDLET_UP_ADVERTISE"] = "cloudlet.example"
    assert the("EXPOSE") == "4566"
    check = json.loads(the("HEALTHCHECK").partition("CMD ")[2])
    assert shlex.join(check).count(the("EXPOSE")) == 1
    asked = [sys.executable, *(word.replace(the("EXPOSE"), str(port)) for word in check[1:])]

    assert subprocess.run(asked, env=env, check=False, capture_output=True, timeout=SECONDS).returncode != 0
    words = [sys.executable, "-m", "cloudlet", *entry[1:], "--ports", f"aws={port}"]
    with subprocess.Popen(words, env=env, stdout=subprocess.PIPE, text=True) as cloud:
        try:
            assert any(line.startswith("ready in") for line in cloud.stdout)
            subprocess.run(asked, env=env, check=True, timeout=SECONDS)
            for host in ("127.0.0.1", f"127.0.0.2:{port}", "cloudlet.example:4566", "localhost:32768"):
                assert health(port, host) == 200
            assert health(port, "attacker.example") == 403
        finally:
            cloud.send_signal(signal.SIGTERM)
            assert cloud.wait(SECONDS) == 0
    assert (tmp_path / "data" / "keys").is_dir()


def health(port, host):
    """The status of the health page, asked over an address that only one who listens everywhere has."""
    request = urllib.request.Request(f"http://127.0.0.2:{port}/_cloudlet/health", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as reply:
            return reply.status
    except urllib.error.HTTPError as error:
        return error.code
