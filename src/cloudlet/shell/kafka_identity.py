"""Who a broker is: the ids of its cluster and of its log folder, as Kafka keeps them beside the logs.

State   DATA/logs/kafka/NODE/meta.properties
Source  Apache Kafka 4.3, MetaProperties version 1; KIP-500, KIP-858 (directory ids)
Absent  none

The ids belong to the data folder: they outlive a reset, and a checkpoint that is brought back elsewhere.
"""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import NamedTuple

from cloudlet.kernel.fault import Damaged
from cloudlet.kernel.ids import Ids

FILE = "meta.properties"


class Identity(NamedTuple):
    """Ids in Kafka's text form, 22 characters."""

    cluster_id: str
    directory_id: str


def identity(root: str, node_id: int, ids: Ids) -> Identity:
    """The identity kept in the broker's folder below `root`, made and kept if there is none; Damaged for a
    file that does not say it."""
    path = Path(root) / "kafka" / str(node_id) / FILE
    if path.exists():
        lines = (line.partition("=") for line in path.read_text(encoding="ascii").splitlines())
        said = {name.strip(): value.strip() for name, _, value in lines}
        try:
            return Identity(said["cluster.id"], said["directory.id"])
        except KeyError as error:
            raise Damaged(f"{path}: no {error}") from None
    made = Identity(_fresh(ids), _fresh(ids))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = path.with_suffix(".tmp")
    aside.write_text(
        f"cluster.id={made.cluster_id}\ndirectory.id={made.directory_id}\nnode.id={node_id}\nversion=1\n",
        encoding="ascii",
    )
    os.replace(aside, path)
    return made


def _fresh(ids: Ids) -> str:
    # Kafka takes no id that begins with a dash: it would be an option of its tools.
    text = base64.urlsafe_b64encode(ids.token(16)).decode().rstrip("=")
    return text if not text.startswith("-") else f"A{text[1:]}"
