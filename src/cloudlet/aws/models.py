"""AWS's own models, read from the data files that botocore ships and loaded per service at first use.

State   none beyond what has been loaded
Source  botocore's data folder: <service>/<api version>/service-2.json.gz, paginators-1.json, waiters-2.json;
        aws/data/newer.json: members that the oldest botocore of pyproject.toml lacks
Absent  a cache of stripped models on disk (EC2's model takes 40 ms at its first request, others 1 to 10)
"""

from __future__ import annotations

import importlib.util
import zlib
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from cloudlet.wire.aws.shapes import ErrorModel, Member, OperationModel, ServiceModel, Shape

__all__ = ["ErrorModel", "Member", "Models", "OperationModel", "ServiceModel", "Shape", "UnknownService"]


class UnknownService(LookupError):
    """botocore has no model of this name."""


def botocore_folder() -> Path:
    """Where the installed botocore keeps its data; it is found, not imported (that would take 150 ms)."""
    spec = importlib.util.find_spec("botocore")
    if spec is None or spec.origin is None:
        raise UnknownService("botocore is not installed, and it brings the models of AWS's services")
    return Path(spec.origin).parent / "data"


class Models:
    """The models of all services, by the names of botocore's folders ("sqs", "elbv2")."""

    def __init__(self, data_folder: Path | None = None) -> None:
        self.data_folder = data_folder or botocore_folder()
        self._services: dict[str, ServiceModel] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every service that there is a model for."""
        return tuple(sorted(path.name for path in self.data_folder.iterdir() if self._newest(path.name)))

    def service(self, name: str) -> ServiceModel:
        """The model of a service, loaded when first asked for. UnknownService when there is none."""
        found = self._services.get(name)
        if found is None:
            raw = self._read(name, "service-2")
            if raw is None:
                raise UnknownService(f"botocore has no model of a service named {name!r}")
            raw = with_newer(stripped(raw), self._newer.get(name, {}))
            found = self._services[name] = ServiceModel(name, raw, self._legacy.get(name))
        return found

    def paginators(self, name: str) -> dict[str, Any]:
        """How each operation that answers in pages does it: input_token, output_token, limit_key,
        result_key."""
        return (self._read(name, "paginators-1") or {}).get("pagination", {})  # type: ignore[no-any-return]

    def waiters(self, name: str) -> dict[str, Any]:
        return (self._read(name, "waiters-2") or {}).get("waiters", {})  # type: ignore[no-any-return]

    @cached_property
    def _legacy(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(
            resources.files("cloudlet.aws.data").joinpath("legacy.json").read_bytes()
        )
        return found

    @cached_property
    def _newer(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(
            resources.files("cloudlet.aws.data").joinpath("newer.json").read_bytes()
        )
        return found

    def _newest(self, name: str) -> Path | None:
        """The folder of the service's newest API version."""
        folder = self.data_folder / name
        if not name.replace("-", "").isalnum() or not folder.is_dir():
            return None
        versions = [path for path in folder.iterdir() if next(path.glob("service-2.json*"), None)]
        return max(versions, default=None)

    def _read(self, name: str, part: str) -> dict[str, Any] | None:
        folder = self._newest(name)
        if folder is None:
            return None
        plain, packed = folder / f"{part}.json", folder / f"{part}.json.gz"
        if packed.exists():
            return orjson.loads(zlib.decompress(packed.read_bytes(), wbits=31))  # type: ignore[no-any-return]
        return orjson.loads(plain.read_bytes()) if plain.exists() else None


def stripped(raw: dict[str, Any]) -> dict[str, Any]:
    """The same model without its documentation, which is most of it. The operand is consumed."""
    for shape in raw["shapes"].values():
        shape.pop("documentation", None)
        for member in shape.get("members", {}).values():
            member.pop("documentation", None)
    for operation in raw["operations"].values():
        operation.pop("documentation", None)
        operation.pop("staticContextParams", None)
    return {name: raw[name] for name in ("metadata", "operations", "shapes")}


def with_newer(raw: dict[str, Any], newer: dict[str, Any]) -> dict[str, Any]:
    """The same model with those members that services here read or answer and that an older botocore, of all
    that may be installed, does not have yet: `newer` is {"members": {shape: {member: …}}, "shapes": {…}},
    and "retyped", shapes whose type has changed since. The first operand is changed."""
    shapes = raw["shapes"]
    for name, members in newer.get("members", {}).items():
        if name in shapes:
            known = shapes[name]["members"]  # in the order in which replies have them
            known.update((member, said) for member, said in members.items() if member not in known)
    shapes.update((name, said) for name, said in newer.get("shapes", {}).items() if name not in shapes)
    shapes.update(newer.get("retyped", {}))
    return raw
