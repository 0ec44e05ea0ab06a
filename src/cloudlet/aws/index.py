"""Derives the shipped routing index from the models: `python -m cloudlet.aws.index` writes data/routes.json.

State   none
Source  botocore's data folder
Absent  none

The index answers, without loading any model: which services share a signing name, a target prefix, a service
id (rpc-v2-cbor), or an API version of the query protocols. REST paths are matched on the models themselves.
"""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from cloudlet.aws.models import Models

ROUTES = Path(__file__).parent / "data" / "routes.json"


def derive(models: Models) -> dict[str, dict[str, list[str]]]:
    """signing, target, id, version -> a name -> the services that share it."""
    found: dict[str, dict[str, list[str]]] = {"signing": {}, "target": {}, "id": {}, "version": {}}
    for name in models.names:
        model = models.service(name)
        found["signing"].setdefault(model.signing_name, []).append(name)
        if model.target_prefix is not None:
            found["target"].setdefault(model.target_prefix, []).append(name)
        identifier = str(model.metadata.get("serviceId", name)).replace(" ", "")
        found["id"].setdefault(identifier, []).append(name)
        if model.query_compatible or {"query", "ec2"} & set(model.protocols):
            found["version"].setdefault(model.api_version, []).append(name)
    for named in found.values():
        for names in named.values():  # what Neptune shares with RDS means RDS, which gave it its signing name
            names.sort(key=lambda name: (name != models.service(name).signing_name, name))
    return found


def main() -> int:
    """Write the index; with --check only say whether it is current."""
    text = orjson.dumps(derive(Models()), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n"
    if "--check" in sys.argv:
        return 0 if ROUTES.read_bytes() == text else 1
    ROUTES.write_bytes(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
