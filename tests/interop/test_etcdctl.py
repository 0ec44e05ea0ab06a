"""etcdctl of three versions: every verb says of us what it says of a real etcd."""

import asyncio
import difflib
import pathlib
import re
import shutil
import subprocess
import threading

import pytest
from tests.coord.etcd.running import running
from tests.interop import real_etcd
from tests.interop.etcd_builds import built

pytestmark = pytest.mark.interop

SCRIPT = pathlib.Path(__file__).with_name("etcdctl_verbs.sh")
RUN_SECONDS = 240

PAIRS = {  # of etcdctl: how both programs are found
    "3.4": (lambda: shutil.which("etcdctl"), real_etcd.program),
    "3.5": (lambda: built("etcdctl-3.5"), lambda: built("etcd")),
    "3.6": (lambda: built("etcdctl-3.6"), lambda: built("etcd")),
}

ALIKE = (  # what differs from server to server, or from run to run
    (r"^\{\"level\".*\n", ""),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"http://(localhost:2380|ADDRESS)", "URL"),
    (r"\b(default|cloudlet|s), URL", "NAME, URL"),
    (r"\b[0-9a-f]{13,16}\b|\d{15,}", "ID"),
    (r"took( =|:)? *[0-9.]+ ?[mµn]?s", "took"),
    (r"remaining\(\d+s\)", "remaining"),
    (r"size: [0-9.]+ \w+", "size"),
    (r"\S*/snapshot", "SNAPSHOT"),
    (r"(?m)^AuthRevision: \d+$", "AuthRevision"),
    # etcd does not count what it writes of users and roles as revisions; here all facts are of one history.
    (r'"revision":\d+', "revision"),
    (r"(etcdserver: )?(authentication is not enabled)", r"\2"),
)


OLD = ((r"\$ --user u1:p1 compaction 7\n.*\n-> \d\n", ""),)  # 3.4 lets every user compact


def plain(said, version):
    for pattern, instead in (*ALIKE, *(OLD if version == "3.4" else ())):
        said = re.sub(pattern, instead, said, flags=re.MULTILINE)
    return said.splitlines()


def verbs(version, etcdctl, address, folder):
    folder.mkdir()
    words = ["sh", str(SCRIPT), etcdctl, address, str(folder)]
    found = subprocess.run(words, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    return plain(found.stdout, version)


@pytest.mark.parametrize("version", PAIRS)
def test_every_verb(version, tmp_path):
    etcdctl, etcd = (find() for find in PAIRS[version])
    if etcdctl is None or etcd is None:
        pytest.skip(f"no etcdctl of {version}, or no etcd")
    expected = []

    def theirs():
        with real_etcd.running(tmp_path / "etcd", "--unsafe-no-fsync", etcd=etcd) as address:
            expected.extend(verbs(version, etcdctl, address, tmp_path / "theirs"))

    async def ours():
        async with running(tmp_path / "keys") as served:
            return await asyncio.to_thread(verbs, version, etcdctl, served.address, tmp_path / "ours")

    other = threading.Thread(target=theirs)
    other.start()
    found = asyncio.run(ours())
    other.join()
    assert len(found) > 300
    differences = list(difflib.unified_diff(expected, found, "etcd", "ours", lineterm="", n=2))
    print("\n".join(differences))
    assert differences == []
