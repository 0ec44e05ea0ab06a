"""The keys store of a simulation: what is committed settles later, and a crash may take what has not settled.

The production reference engine does the work; around it stand a mark that lags behind the head, and a
journal from which a crash makes the store anew, with all that was settled and, as on a disk, any beginning of
the rest.
"""

from cloudlet.engines.memory_keys import MemoryKeys
from cloudlet.kernel.keys import LeaseId, Revision


class LaggingKeys(MemoryKeys):
    """See above. `settle_some` moves the mark."""

    def __init__(self, monotonic_ms, journal=()):
        super().__init__(monotonic_ms)
        self._clock = monotonic_ms
        self._mark = Revision(1)
        self.journal = []
        for kind, *words in journal:
            self._replay(kind, words)
        self._mark = self.head

    @property
    def settled(self):
        return self._mark

    async def settle(self, revision):
        assert revision <= self._mark, "a simulation never waits"

    def settle_some(self, random):
        """Let some of what waits be as durable as it was promised."""
        if self._mark < self.head:
            self._mark = Revision(random.randint(self._mark + 1, self.head))

    def settle_all(self):
        self._mark = self.head

    def crashed(self, random):
        """The store as the next start finds it."""
        settled = max((at for at, row in enumerate(self.journal, 1) if row[-1] <= self._mark), default=0)
        kept = random.randint(settled, len(self.journal))
        return LaggingKeys(self._clock, self.journal[:kept])

    def _replay(self, kind, words):
        if kind == "commit":
            self.commit_now(words[0])
        elif kind == "begin":
            self.lease_begin(LeaseId(words[0]), words[1])
        else:
            self.lease_end(LeaseId(words[0]))

    def commit_now(self, commit):
        before = self.head
        revision = super().commit_now(commit)
        if revision != before:
            self.journal.append(("commit", commit, revision))
        return revision

    def lease_begin(self, lease, ttl_ms):
        super().lease_begin(lease, ttl_ms)
        self.journal.append(("begin", lease, ttl_ms, self.head))

    def lease_end(self, lease):
        super().lease_end(lease)
        self.journal.append(("end", lease, self.head))
