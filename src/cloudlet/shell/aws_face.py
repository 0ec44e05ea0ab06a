"""The AWS face: the gateway with everything it stands on, over given stores.

State   none
Source  docs/architecture.md, "Faces"
Absent  none
"""

from __future__ import annotations

from collections.abc import Sequence

from cloudlet.aws.authorise import Authoriser, RootOnly
from cloudlet.aws.call import Desk
from cloudlet.aws.catalogue import Catalogue
from cloudlet.aws.collector import Collector
from cloudlet.aws.controller import Controllers
from cloudlet.aws.events import EVENTS_LOG, Events
from cloudlet.aws.gateway import Gateway
from cloudlet.aws.identity import Identities
from cloudlet.aws.inside import Inside
from cloudlet.aws.metrics import Metrics
from cloudlet.aws.models import Models
from cloudlet.aws.origin import OriginGuard
from cloudlet.aws.route import Router
from cloudlet.aws.service import Service
from cloudlet.aws.traffic import Traffic
from cloudlet.kernel.blobs import Blobs
from cloudlet.kernel.clock import Clock
from cloudlet.kernel.ids import Ids
from cloudlet.kernel.keys import Author, Commit, Drop, Durability, Keys
from cloudlet.kernel.logs import Logs
from cloudlet.kernel.tuples import TUPLES_START, TUPLES_STOP


class AwsFace:
    """The gateway (`app`) and what runs beside it; `start` once the loop runs, `close` before the stores."""

    def __init__(
        self,
        keys: Keys,
        logs: Logs,
        blobs: Blobs,
        clock: Clock,
        ids: Ids,
        *,
        account: str = "000000000000",
        region: str = "us-east-1",
        is_strict: bool = False,
        host_names: Sequence[str] = (),
        durability: Durability = Durability.RELAXED,
        records_data_events: bool = False,
        has_cooldowns: bool = True,
        authoriser: Authoriser | None = None,
        models: Models | None = None,
        services: Sequence[Service] = (),
    ) -> None:
        models = models or Models()
        self._logs = logs
        self.metrics = Metrics()
        self.traffic = Traffic(logs, clock, durability)
        self.desk = Desk(
            keys, self.traffic, clock, ids, authoriser or RootOnly(), blobs, durability,
            has_cooldowns=has_cooldowns,
        )  # fmt: skip
        self.catalogue = Catalogue(models, services)
        self._controllers = Controllers(self.catalogue, self.desk)
        self.collector = Collector(self.catalogue, self.desk)
        self._events = Events(logs, clock.wall_ms, ids.uuid)
        self.app = Gateway(
            self.desk,
            self.catalogue,
            Router(models, host_names),
            Identities(keys, clock, account=account, is_strict=is_strict),
            OriginGuard(host_names),
            self._events,
            self.metrics,
            region=region,
            records_data_events=records_data_events,
        )

    def inside(self, name: str, base_url: str) -> Inside:
        """Calls to the operations in the name of one part of the cloud."""
        return Inside(name, self.desk, self.catalogue, self._events, self.metrics, base_url)

    def start(self) -> None:
        """Go on with what a former run left to do."""
        self._controllers.resume()
        self.collector.start()

    async def reset(self) -> None:
        """Forget every account's resources, as one new revision; the record of calls stays.

        The keys go first: a crash in between leaves logs that no key names any more.
        """
        author = Author("aws", principal="reset")
        revision = await self.desk.keys.commit(Commit(author, drop=[Drop(TUPLES_START, TUPLES_STOP)]))
        for name in self._logs.names():
            if name != EVENTS_LOG:
                await self.traffic.drop(name)
        await self.desk.keys.settle(revision)

    async def silence(self) -> None:
        """Stop what runs by itself, and forget what was derived from the stores."""
        await self._controllers.close()
        await self.traffic.forget()

    def go_on(self) -> None:
        """Go on after `silence`, from what the stores hold now."""
        self._controllers.restart()
        self._controllers.resume()

    async def close(self) -> None:
        """Stop between two steps; what was acknowledged is in the stores already."""
        await self.collector.close()
        await self._controllers.close()
        await self.traffic.close()
        await self._events.close()
