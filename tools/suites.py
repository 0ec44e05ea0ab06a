"""Run foreign test-suites, unchanged, against a cloud of this source: what docs/migrating.md tells of.

    python -m tools.suites                          those whose releases on the registry bring their tests
    python -m tools.suites smart-open --from DIR    one whose tests are in a checkout of its repository

Each suite gets a virtual environment in a temporary folder, with cloudlet and the suite's own requirements
from the registry. A failure that its entry does not explain ends this with status 1; so does one that it
explains and that no longer happens. A test that ends with an error by which cloudlet refuses something by its
name counts as refused, not as failed.
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

OUTCOMES = ("passed", "failed", "refused", "skipped")

ACL = "canned ACLs other than the owner's are refused by name"
SSE_C = "encryption with keys of the customer's is refused by name"
REFUSED = re.compile(
    r"is not implemented by cloudlet|does not implement |'NotImplemented' ==|== 'NotImplemented'"
)
"""In the text of a failure: an operation, a member or a value that is known and not there."""

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
    by_chance: Mapping[str, str] = field(default_factory=dict)  # the same of those that fail now and then


LAX = "moto takes what AWS refuses"
WORDS = "another text, code or header than AWS's"
ITS_OWN = "asks moto's server for something that no cloud has"
IMPATIENT = "AWS leaves out a condition on a time that is yet to come"
SORTED = "compares a sorted list with random names in the order of their making"
TOLD = "AWS tells of the type of a checksum too"

MOTO_EXPLAINED = {
    "test_s3::test_delete_empty_keys_list": "a bucket that is not there is told of first",
    "test_s3::test_upload_from_file_to_presigned_url": "a form that is put is stored as it came",
    "test_s3::test_s3_object_in_private_bucket": WORDS,
    "test_s3::test_policy": "bucket policies are refused by name",
    "test_s3::test_list_objects_truncated_response": WORDS,
    "test_s3::test_list_objects_v2_fetch_owner": "S3 tells no display names of owners any more",
    "test_s3::test_list_objects_v2_checksum_algo": ITS_OWN,
    "test_s3::test_creating_presigned_post": "POST forms are refused by name",
    "test_s3::test_presigned_put_url_with_approved_headers": "its key is unknown: no secret to verify with",
    "test_s3::test_get_unknown_version_should_throw_specific_error": WORDS,
    "test_s3::test_upload_data_without_content_type": "puts without a signature into a private bucket",
    "test_s3_acl::test_s3_object_in_private_bucket": WORDS,
    "test_load_unexisting_object_without_auth_should_return_403": ITS_OWN,
    "test_head_bucket_with_correct_credentials": ITS_OWN,
    "test_head_bucket_with_incorrect_credentials": ITS_OWN,
    "test_delete_objects_without_access_throws_custom_error": ITS_OWN,
    "test_head_object_if_modified_since": IMPATIENT,
    "test_get_object_if_modified_since": IMPATIENT,
    "test_list_object_versions_with_delimiter_for_deleted_objects": "names a bucket as AWS lets nobody",
    "test_s3_returns_requestid": WORDS,
    "test_multipart_upload_too_small": WORDS,
    "test_multipart_upload_checksum_has_composite_suffix": "sends parts with another sum than was announced",
    "test_multipart_upload_out_of_order": LAX,
    "test_list_multiparts": "aborts an upload under another key",
    "test_multipart_wrong_partnumber": WORDS,
    "TestS3ObjectAttributes::test_get_attributes_checksum": TOLD,
    "test_get_attributes_last_modified": "asks for no attribute",
    "test_s3_server_post_cors_multiple_origins": ITS_OWN,
    "test_create_queue_with_different_attributes_fail": LAX,
    "test_create_queue_kms": "KMS is refused by name",
    "test_message_retention_period": LAX,
    "test_message_with_invalid_attributes": "AWS takes letters of any script in an attribute's name",
    "test_create_queues_in_multiple_region": "compares URLs of two hosts",
    "test_get_queue_with_prefix": "compares URLs of two hosts",
    "test_message_becomes_inflight_when_received": LAX,
    "test_receive_message_with_explicit_visibility_timeout": LAX,
    "test_change_message_visibility": LAX,
    "test_change_message_visibility_on_unknown_receipt_handle": WORDS,
    "test_queue_length": LAX,
    "test_delete_batch_operation": LAX,
    "test_purge_queue_twice_raises_purge_in_progress": "--no-cooldowns",
    "test_delete_message_after_visibility_timeout": LAX,
    "test_delete_message_errors": WORDS,
    "test_permissions": "AWS writes policies of 2008-10-17",
    "test_remove_permission_errors": WORDS,
    "test_create_fifo_queue_with_dlq": LAX,
    "test_send_messages_to_fifo_without_message_group_id": WORDS,
    "test_message_delay_is_more_than_15_minutes": LAX,
}

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
        "moto",
        "moto[all,server]",
        "5.2.5",
        ("pytest", "freezegun", "requests"),
        ("tests/test_s3", "tests/test_sqs", "-k 'not lambda and not invoke_function'"),
        is_released=True,
        flags="--no-cooldowns --ports aws=5000 --account 123456789012",  # some of its tests name that port
        before=MOTO_SERVER,
        explained=MOTO_EXPLAINED,
        by_chance={
            "test_s3::test_list_buckets": SORTED,
            "test_s3::test_list_buckets_with_max_buckets": SORTED,
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
    """The outcomes in a report of JUnit's form: passed, failed, refused or skipped."""
    found: dict[str, str] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        test = f"{case.get('classname', '')}::{case.get('name', '')}"
        wrong = [child for child in case if child.tag in ("failure", "error")]
        if wrong:
            told = "".join(f"{child.get('message', '')}{child.text or ''}" for child in wrong)
            found[test] = "refused" if REFUSED.search(told) else "failed"
        else:
            found[test] = "skipped" if any(child.tag == "skipped" for child in case) else "passed"
    return found


def judge(suite: Suite, outcomes: Mapping[str, str]) -> Sequence[str]:
    """What is not as it is told: failures without a reason, reasons without a failure."""
    failed = [test for test, what in outcomes.items() if what == "failed"]
    known = {*suite.explained, *suite.by_chance}
    wrong = [f"not explained: {test}" for test in failed if not any(map(of(test), known))]
    unwell = [test for test, what in outcomes.items() if what in ("failed", "refused")]
    for name, reason in suite.explained.items():
        if not any(of(test)(name) for test in unwell):
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
        counts = {what: list(outcomes.values()).count(what) for what in OUTCOMES}
        wrong = judge(suite, outcomes)
        print(f"{name} {suite.version}:", ", ".join(f"{count} {what}" for what, count in counts.items()))
        print("".join(f"    {line}\n" for line in wrong), end="", flush=True)
        status |= bool(wrong)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
