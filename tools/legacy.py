"""Derive aws/data/legacy.json: what a service's model said while it still spoke the query protocol.

    python -m tools.legacy FOLDER     FOLDER is the data folder of botocore 1.31.80

SQS moved from query to JSON in botocore 1.31.81, and its model lost the names that the query protocol
needs; AWS still serves both. Kept are only the traits of that protocol: wire names, wrappers, error codes.
"""

from __future__ import annotations

import gzip
import json
import pathlib
import sys
from typing import Any

SERVICES = {"sqs": "2012-11-05"}
TARGET = pathlib.Path(__file__).parent.parent / "src" / "cloudlet" / "aws" / "data" / "legacy.json"
TRAITS = ("locationName", "flattened", "xmlNamespace", "error")


def traits(raw: dict[str, Any]) -> dict[str, Any]:
    """The kept traits of a shape, and of its members."""
    kept: dict[str, Any] = {name: raw[name] for name in TRAITS if name in raw}
    for part in ("member", "key", "value"):
        if part in raw and (inner := traits(raw[part])):
            kept[part] = inner
    members = {name: found for name, member in raw.get("members", {}).items() if (found := traits(member))}
    return {**kept, "members": members} if members else kept


def derive(folder: pathlib.Path) -> dict[str, Any]:
    """service -> the overlay of its model."""
    found: dict[str, Any] = {}
    for service, version in SERVICES.items():
        packed = folder / service / version / "service-2.json.gz"
        plain = folder / service / version / "service-2.json"
        raw = json.loads(gzip.decompress(packed.read_bytes()) if packed.exists() else plain.read_bytes())
        found[service] = {
            "metadata": {"xmlNamespace": raw["metadata"]["xmlNamespace"]},
            "operations": {
                name: {"output": {"resultWrapper": operation["output"]["resultWrapper"]}}
                for name, operation in raw["operations"].items()
                if "resultWrapper" in operation.get("output", {})
            },
            "shapes": {name: kept for name, shape in raw["shapes"].items() if (kept := traits(shape))},
        }
    return found


if __name__ == "__main__":
    TARGET.write_text(json.dumps(derive(pathlib.Path(sys.argv[1])), indent=1, sort_keys=True) + "\n")
