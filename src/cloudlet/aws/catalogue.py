"""The services that this cloud has: each one's code and model, loaded at its first request.

State   none
Source  the folders under cloudlet/services
Absent  none
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterator, Sequence

from cloudlet.aws.implemented import PACKAGE, implemented
from cloudlet.aws.models import Models
from cloudlet.aws.operation import LoadedOperation
from cloudlet.aws.service import NotImplementedFault, Service
from cloudlet.kernel.keys import Keys
from cloudlet.kernel.tuples import prefix_range
from cloudlet.wire.aws.codec import compile_codec


class LoadedService:
    """A service's declarations beside its model; its operations are compiled at their first call."""

    def __init__(self, service: Service, models: Models) -> None:
        self.service = service
        self.model = models.service(service.name)
        self.source = f"{self.model.metadata['endpointPrefix']}.amazonaws.com"
        self._operations: dict[tuple[str, str], LoadedOperation] = {}
        service.check(self.model.operations, tuple(self.model.errors))

    def operation(self, name: str, protocol: str) -> LoadedOperation:
        """The operation ready to be called over one protocol; NotImplemented by name where there is none."""
        loaded = self._operations.get((name, protocol))
        if loaded is None:
            declared = self.service.operation(name)
            if declared is None:
                raise NotImplementedFault(f"{self.service.name}: {name} is not implemented by cloudlet")
            model = self.model.operation(name)
            loaded = LoadedOperation(declared, model, compile_codec(self.model, model, protocol), self.model)
            self._operations[name, protocol] = loaded
        return loaded


class Catalogue:
    """Services by botocore's folder name."""

    def __init__(self, models: Models, extra: Sequence[Service] = ()) -> None:
        self.models = models
        self._extra = {service.name: service for service in extra}
        self._loaded: dict[str, LoadedService] = {}
        self.on_load: Callable[[LoadedService], None] = lambda _: None

    def service(self, name: str) -> LoadedService:
        """The service; NotImplemented by name where there is none."""
        loaded = self._loaded.get(name)
        if loaded is None:
            loaded = self._loaded[name] = LoadedService(self._declared(name), self.models)
            self.on_load(loaded)
        return loaded

    def names(self) -> Sequence[str]:
        """All services that there are, loaded or not."""
        return sorted({*implemented(), *self._extra})

    def in_use(self, keys: Keys) -> Iterator[str]:
        """The services that have left something in keys."""
        for name in self.names():
            if keys.scan(*prefix_range((name,)), limit=1):
                yield name

    def _declared(self, name: str) -> Service:
        if name in self._extra:
            return self._extra[name]
        module = f"{PACKAGE}.{name.replace('-', '_')}"
        if importlib.util.find_spec(module) is None:
            raise NotImplementedFault(f"The service {name} is not implemented by cloudlet")
        service = importlib.import_module(f"{module}.service").SERVICE
        assert isinstance(service, Service)
        return service
