"""ZooKeeper and etcd over one folder, in a process that is to be killed:

python -m tests.coord.zookeeper.serving_endings FOLDER PORT ETCD-PORT [--aim NAME NUMBER] [--bug NAME]
"""

import argparse
import asyncio
import pathlib
import socket

from tests.coord.etcd.long_aims import AIMS as OF_DROPS
from tests.coord.etcd.long_aims import counted, torn
from tests.coord.zookeeper.server_process import listening

from cloudlet.coord.zookeeper.sessions import Sessions
from cloudlet.coord.zookeeper.transaction import Transaction
from cloudlet.coord.zookeeper.tree import Tree
from cloudlet.engines import disk_keys_replay
from cloudlet.engines.disk_keys import DiskKeys
from cloudlet.engines.disk_keys_log import Log, LogSettings
from cloudlet.kernel.clock import SystemClock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys_newest import Newest
from cloudlet.shell.etcd_face import EtcdFace
from cloudlet.shell.zookeeper_face import ZooKeeperFace

SETTINGS = LogSettings(segment_bytes=4 << 20, checkpoint_bytes=2 << 20)
MANY = 1000

AIMS = {
    "end": lambda number: counted(Transaction, "remove_all", 1 + number // 8, is_after=True),
    "ended": lambda number: counted(DiskKeys, "lease_end", 1 + number // 8, is_after=True),
    "torn rows": lambda number: torn(number, 15_000),
    "written": lambda number: counted(Log, "write", number * 4, is_after=True),
    "let go": lambda number: counted(Newest, "_let_go", number, is_after=True),
    "removed": lambda number: counted(Sessions, "remove", 1 + number // 8, is_after=True),
    "lease": lambda number: counted(DiskKeys, "lease_end", 1 + number // 8),
    "owed": lambda number: counted(Tree, "repayment", 1 + number // 8),
    "left": OF_DROPS["left"],
    "sweep": OF_DROPS["sweep"],
    "page": OF_DROPS["page"],
}
"""Each with a number from 1 to 24: how late it is."""


def half_ended():
    """One of very many ephemerals stays until the lease ends."""
    whole = DiskKeys.commit_now

    def commit_now(self, commit):
        if len(commit.drop) > MANY:
            self.commit_now(type(commit)(commit.author, drop=[commit.drop[-1]], limits=commit.limits))
        return whole(self, commit)

    DiskKeys.commit_now = commit_now


def end_not_replayed():
    """After a crash one is back."""
    whole = disk_keys_replay.read_step

    def read_step(body):
        found = whole(body)
        znodes = [row for row in found.drops if row.key.startswith(b"e/zk/")]
        if len(znodes) > MANY:
            found.drops.remove(znodes[-1])
        return found

    disk_keys_replay.read_step = read_step


def forgotten_parent():
    """A parent does not hear of the end of very many."""
    whole = Transaction.commit

    def commit(self, author, drops=()):
        if len(self.nodes) > MANY:
            for path in [path for path in self.sides if path in ("/p0", "/p1")]:
                self.sides[path].pzxid -= 1
        return whole(self, author, drops)

    Transaction.commit = commit


def forgotten_outside():
    """What another face deletes does not count."""
    whole = Tree._changed_children

    def _changed_children(self, path, revision, *, creates):
        if creates:
            whole(self, path, revision, creates=creates)

    Tree._changed_children = _changed_children


BUGS = {bug.__name__: bug for bug in (half_ended, end_not_replayed, forgotten_parent, forgotten_outside)}


async def serve(asked):
    clock = SystemClock()
    keys = await DiskKeys.open(pathlib.Path(asked.folder), clock.monotonic_ms, settings=SETTINGS)
    etcd = EtcdFace(keys, clock, Ids())
    await etcd.start([socket.create_server(("127.0.0.1", asked.etcd_port))], f"127.0.0.1:{asked.etcd_port}")
    face = ZooKeeperFace(keys, clock, Ids())
    await face.start([listening(asked.port)], f"127.0.0.1:{asked.port}")
    if asked.aim:
        AIMS[asked.aim[0]](int(asked.aim[1]))
    await asyncio.Event().wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("port", type=int)
    parser.add_argument("etcd_port", type=int)
    parser.add_argument("--aim", nargs=2)
    parser.add_argument("--bug")
    asked = parser.parse_args()
    if asked.bug:
        BUGS[asked.bug]()
    asyncio.run(serve(asked))


if __name__ == "__main__":
    main()
