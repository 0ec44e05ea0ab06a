"""Run kazoo's own test-suite, unchanged, against us and against Debian's ZooKeeper, and compare.

    python -m tools.kazoo_suite

Needs Debian's package `zookeeper` (and its Java), a C compiler, and the package registry, from which a
virtual environment in a temporary folder gets what the suite wants. kazoo starts and stops its servers
itself, each time one standalone server; a plugin (tests/interop/kazoo_plugin.py) lets it start ours. Ends
with status 1 if anything passes there and fails here without a reason in EXPLAINED, or passes that is
explained. docs/zookeeper-suites.md tells what it has found.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence

ROOT = pathlib.Path(__file__).parent.parent
JAVA = pathlib.Path("/usr/share/java")
JARS = ("zookeeper", "netty-codec", "netty-resolver", "netty-transport-native-unix-common", "slf4j-log4j12",
        "log4j-1.2")  # fmt: skip
"""Debian's ZooKeeper, and what its manifest leaves out."""
KAZOO = "2.11.0"
PACKAGES = (
    f"kazoo[test,sasl]=={KAZOO}",
    "pyjks==20.0.0",
    "pyOpenSSL<24.3",  # whose certificates still take extensions, which the suite's need
    "pytest-timeout",
)
EXPLAINED: Mapping[str, str] = {}
"""End of a test's name -> why it passes with Debian's ZooKeeper and fails with us. None does."""

TIMEOUT_S = 1800


def run(
    python: pathlib.Path, folder: pathlib.Path, *, is_ours: bool, modules: Sequence[str] = ("kazoo.tests",)
) -> dict[str, str]:
    """Every test and how it ended: passed, failed or skipped."""
    report = folder / ("ours.xml" if is_ours else "debian.xml")
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}",
        "ZOOKEEPER_VERSION": "3.8.0",
        "ZOOKEEPER_CLUSTER_SIZE": "1",
        "ZOOKEEPER_CLASSPATH": os.pathsep.join(str(JAVA / f"{name}.jar") for name in JARS),
        "ZOOKEEPER_PORT_OFFSET": "21000" if is_ours else "22000",
    }
    command = [str(python), "-m", "pytest", "-q", "--pyargs", *modules, "--timeout", "120"]
    command += ["-p", "no:cacheprovider", "-W", "ignore", "--rootdir", str(folder), f"--junitxml={report}"]
    # The handlers over gevent and eventlet run the same tests again, through the same protocol.
    command += ["--ignore-glob=*gevent*", "--ignore-glob=*eventlet*"]
    if is_ours:
        command += ["-p", "tests.interop.kazoo_plugin"]
    subprocess.run(command, cwd=folder, env=environment, check=False, timeout=TIMEOUT_S)
    return outcomes(report)


def outcomes(report: pathlib.Path) -> dict[str, str]:
    """What a JUnit report tells."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        kinds = {child.tag for child in case}
        failed = kinds & {"failure", "error"}
        name = f"{case.get('classname')}::{case.get('name')}"
        name = name[max(name.find("kazoo.tests."), 0) :]
        found[name] = "failed" if failed else "skipped" if "skipped" in kinds else "passed"
    return found


def judged(ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str]:
    """What is not as it should be."""
    wrong: list[str] = []
    for name, outcome in theirs.items():
        reason = next((EXPLAINED[end] for end in EXPLAINED if name.endswith(end)), None)
        if outcome == "passed" and ours.get(name) != "passed" and reason is None:
            wrong.append(f"{name} passes with Debian's ZooKeeper and has {ours.get(name)} here")
        if reason is not None and ours.get(name) == "passed":
            wrong.append(f"{name} passes, and is explained: {reason}")
    return wrong


def missing(which: Callable[[str], str | None] = shutil.which) -> str:
    """What is not installed; nothing where all is there."""
    found = [] if (JAVA / "zookeeper.jar").exists() else ["Debian's package zookeeper"]
    found += [
        what for program, what in (("java", "java"), ("cc", "a C compiler (gcc)")) if which(program) is None
    ]
    return f"not installed: {', '.join(found)}" if found else ""


def main() -> int:
    """Run both and tell."""
    if said := missing():
        print(said)
        return 2
    with tempfile.TemporaryDirectory(prefix="kazoo-suite-") as name:
        folder = pathlib.Path(name)
        venv.create(folder / "venv", with_pip=True)
        python = folder / "venv" / "bin" / "python"
        install = [str(python), "-m", "pip", "-q", "install", *PACKAGES, str(ROOT)]
        subprocess.run(install, check=True)
        theirs = run(python, folder, is_ours=False)
        ours = run(python, folder, is_ours=True)
        # Some of its tests wait for a tenth of a second and look: on a busy machine once may be too soon.
        again = {name for name in ours if ours[name] == "failed" and theirs.get(name) == "passed"}
        if again:
            modules = sorted({name.rpartition("::")[0].rpartition(".")[0] for name in again})
            second = run(python, folder, is_ours=True, modules=modules)
            print("run a second time:", {name: second.get(name) for name in sorted(again)})
            ours |= {name: second[name] for name in again if name in second}
    for who, found in (("Debian's ZooKeeper", theirs), ("cloudlet", ours)):
        counts = {kind: list(found.values()).count(kind) for kind in ("passed", "failed", "skipped")}
        print(f"{who}: {counts}")
    failing = sorted(name for name, outcome in ours.items() if outcome == "failed")
    for failed in failing:
        print(f"  fails here: {failed} (there: {theirs.get(failed)})")
    wrong = judged(ours, theirs)
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
