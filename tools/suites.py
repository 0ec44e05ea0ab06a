"""Run foreign test-suites, unchanged, against a cloud of this source: what docs/migrating.md tells of.

    python -m tools.suites                          those whose releases on the registry bring their tests
    python -m tools.suites smart-open --from DIR    one whose tests are in a checkout of its repository

Each suite gets a virtual environment in a temporary folder, with cloudlet and the suite's own requirements
from the registry. A failure that its entry does not explain ends this with status 1; so does one that it
explains and that no longer happens.
"""

from __future__ import annotations

import argparse
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

ROOT = pathlib.Path(__file__).parent.parent

MOTO_SERVER = "TEST_SERVER_MODE=true TEST_SERVER_MODE_ENDPOINT=$AWS_ENDPOINT_URL "
"""moto's own switch: its decorators send to a server, and reset that server between tests."""

ACL = "canned ACLs other than the owner's are refused by name"
SSE_C = "encryption with keys of the customer's is refused by name"
PART_COPY = "UploadPartCopy is refused by name"


@dataclass(frozen=True)
class Suite:
    """One suite: where it comes from, what it needs, how it is run, and what is known to fail and why."""

    name: str
    project: str
    version: str
    packages: Sequence[str]  # beside the project itself
    tests: Sequence[str]
    is_released: bool = False  # its sdist brings the tests
    flags: str = ""  # of `cloudlet run`
    before: str = ""  # of the command: variables
    explained: Mapping[str, str] = field(default_factory=dict)  # end of a test's name -> why it fails


AnySuite = TypeVar("AnySuite", bound=Suite)

SUITES = (
    Suite(
        "django-storages",
        "django-storages",
        "1.14.6",
        ("Django", "boto3", "cryptography", "rsa", "moto[server,s3]<5", "pytest", "pytest-django"),
        ("tests/test_s3.py",),
        is_released=True,
        # its settings refuse a profile beside keys in the environment
        before=MOTO_SERVER
        + "DJANGO_SETTINGS_MODULE=tests.settings env -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY ",
    ),
    Suite(
        "s3transfer",
        "s3transfer",
        "0.6.0",
        ("botocore", "pytest"),
        ("tests/integration",),
        is_released=True,
        explained={
            "TestCopy::test_copy_above_threshold": PART_COPY,
            "TestCopy::test_progress_subscribers_on_copy": PART_COPY,
            "TestS3Transfers::test_can_send_extra_params_on_download": SSE_C,
            "TestS3Transfers::test_can_send_extra_params_on_upload": ACL,
            "TestS3Transfers::test_upload_file_above_threshold_with_acl": ACL,
            "TestS3Transfers::test_upload_file_above_threshold_with_ssec": SSE_C,
        },
    ),
    Suite(
        "boto3",
        "boto3",
        "1.26.100",
        ("pytest",),
        (
            "tests/integration/test_s3.py",
            "tests/integration/test_sqs.py",
            "tests/integration/test_session.py",
        ),
        explained={
            "TestS3Resource::test_s3_multipart": "an upload that has been completed can no longer be aborted",
            "TestS3Transfers::test_can_send_extra_params_on_download": SSE_C,
            "TestS3Transfers::test_can_send_extra_params_on_upload": ACL,
            "TestS3Transfers::test_upload_file_above_threshold_with_acl": ACL,
            "TestS3Transfers::test_upload_file_above_threshold_with_ssec": SSE_C,
        },
    ),
    Suite(
        "s3path",
        "s3path",
        "0.6.4",
        ("moto[server,s3]", "pytest"),
        ("tests",),
        before=MOTO_SERVER,
        explained={"test_owner": "S3 tells no display names of owners any more"},
    ),
    Suite(
        "smart-open",
        "smart_open[s3,gcs,azure,zst,lz4]",
        "8.0.0",
        (
            "moto[server,s3]",
            "responses",
            "numpy",
            "pytest",
            "pytest-timeout",
            "pytest-rerunfailures",
            "requests",
        ),
        ("tests/test_s3.py", "tests/test_s3_version.py", "tests/test_smart_open.py"),
        flags="--ports aws=5000",  # some of its tests name that port
        before="TEST_SERVER_MODE=true SO_ENABLE_MOTO_SERVER=1 ",
    ),
)


def unpacked(suite: Suite, folder: pathlib.Path) -> pathlib.Path:
    """The source of a release, with its tests."""
    name = f"{suite.project}=={suite.version}"
    run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            folder,
            name,
        ]
    )
    [archive] = folder.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    [source] = (each for each in folder.iterdir() if each.is_dir())
    return source


def run(words: Sequence[object], **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(word) for word in words], check=True, **options)  # type: ignore[call-overload,no-any-return]


def outcome(suite: Suite, source: pathlib.Path, folder: pathlib.Path) -> Mapping[str, str]:
    """Test -> passed, failed or skipped."""
    python = folder / "venv" / "bin" / "python"
    venv.create(folder / "venv", with_pip=True)
    extras = re.search(r"\[.*\]", suite.project)
    run(
        [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            f"{source}{extras[0] if extras else ''}",
            *suite.packages,
            ROOT,
        ]
    )
    report = folder / "report.xml"
    options = f"-q -p no:cacheprovider --junit-xml {report}"
    words = f"{suite.before}{python} -m pytest {options} {' '.join(suite.tests)}"
    cloudlet = [python, "-m", "cloudlet", "run", *suite.flags.split(), "--", "sh", "-c", words]
    subprocess.run([str(word) for word in cloudlet], cwd=source, check=False)
    return read(report)


def read(report: pathlib.Path) -> Mapping[str, str]:
    """The outcomes in a report of JUnit's form."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        test = f"{case.get('classname', '')}::{case.get('name', '')}"
        kinds = {child.tag for child in case}
        found[test] = (
            "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        )
    return found


def judge(suite: Suite, outcomes: Mapping[str, str]) -> Sequence[str]:
    """What is not as it is told: failures without a reason, reasons without a failure."""
    failed = [test for test, what in outcomes.items() if what == "failed"]
    wrong = [f"not explained: {test}" for test in failed if not any(map(of(test), suite.explained))]
    for name, reason in suite.explained.items():
        if not any(of(test)(name) for test in failed):
            wrong.append(f"no longer fails: {name} ({reason})")
    return wrong if outcomes else ["no test ran"]


def of(test: str):  # type: ignore[no-untyped-def]
    """Whether a name of `explained` means a test."""
    return lambda name: re.search(rf"(\.|::){re.escape(name)}(\[|$)", test) is not None


def main(arguments: Sequence[str]) -> int:
    def run_one(suite: Suite, folder: pathlib.Path, chosen: argparse.Namespace) -> Mapping[str, str]:
        source = chosen.checkout.resolve() if chosen.checkout else unpacked(suite, folder)
        return outcome(suite, source, folder)

    return run_chosen(parser_of(__doc__, SUITES), arguments, SUITES, run_one)


def parser_of(told: str | None, suites: Sequence[Suite]) -> argparse.ArgumentParser:
    """The arguments that every program that runs suites takes."""
    parser = argparse.ArgumentParser(description=(told or "").split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help=", ".join(suite.name for suite in suites))
    parser.add_argument("--from", dest="checkout", type=pathlib.Path, help="a checkout that has the tests")
    return parser


def run_chosen(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str],
    suites: Sequence[AnySuite],
    run_one: Callable[[AnySuite, pathlib.Path, argparse.Namespace], Mapping[str, str]],
) -> int:
    """Run the suites that the arguments name, tell of each, and return the exit status."""
    chosen = parser.parse_args(arguments)
    known = {suite.name: suite for suite in suites}
    names = chosen.names or [suite.name for suite in suites if suite.is_released]
    if chosen.checkout and len(names) != 1:
        parser.error("--from goes with one suite")
    status = 0
    for name in names:
        suite = known.get(name) or parser.error(f"{name}: there is no such suite")
        if not suite.is_released and not chosen.checkout:
            parser.error(f"{name}: its releases bring no tests: --from CHECKOUT")
        with tempfile.TemporaryDirectory(prefix="suite-") as folder:
            outcomes = run_one(suite, pathlib.Path(folder), chosen)
        counts = {what: list(outcomes.values()).count(what) for what in ("passed", "failed", "skipped")}
        wrong = judge(suite, outcomes)
        print(f"{name} {suite.version}:", ", ".join(f"{count} {what}" for what, count in counts.items()))
        print("".join(f"    {line}\n" for line in wrong), end="", flush=True)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
