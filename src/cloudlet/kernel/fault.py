"""The errors that cross layers: what a caller may see, and what the stores refuse.

State   none
Source  docs/architecture.md, "Errors"
Absent  none
"""

from __future__ import annotations


class Fault(Exception):
    """An error that the caller of an operation sees, with the code that its protocol spells.

    `status` is the HTTP status where the protocol's model names none; `detail` are further members of the
    error's shape; `headers` go beside it in an HTTP reply.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int = 400,
        detail: dict[str, object] | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status
        self.detail = detail
        self.headers = headers

    def __call__(self, message: str, **detail: object) -> Fault:
        """The same fault with the message (and members) of this occasion."""
        return Fault(self.code, message, status=self.status, detail=detail or None)

    def beside(self, *headers: tuple[str, str]) -> Fault:
        """The same fault with headers of the reply."""
        return Fault(self.code, self.message, status=self.status, detail=self.detail, headers=headers)

    def spent(self) -> Fault:
        """The same fault without the memory of where it was raised; for whoever has caught it for good.

        A fault is declared once and raised many times, and each raise hangs its frames, with the request in
        them, on the one exception: without this they would stay as long as the process.
        """
        self.__traceback__ = None
        self.__context__ = None
        return self


class ProtocolError(Exception):
    """A peer broke its protocol: the connection is closed, nothing else is harmed."""


class StoreError(Exception):
    """A store refuses; the caller may act upon the subclass."""


class Conflict(StoreError):
    """A guard did not hold. `revision` is the one that refused: re-run once it is visible."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class OutcomeUnknown(StoreError):
    """The reply to a commit was lost: it may have been applied or not. Settled by looking for one's request
    id among the authors of the history, never by committing again blindly."""


class Compacted(StoreError):
    """The revision asked for is no longer kept. `revision` is the oldest that can be read."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class FutureRevision(StoreError):
    """The revision asked for has not happened yet. `revision` is the head."""

    def __init__(self, revision: int) -> None:
        super().__init__(revision)
        self.revision = revision


class InvalidCommit(StoreError):
    """A commit over the limits, or one that contradicts itself (a key put twice, put and dropped)."""


class NoSpace(StoreError):
    """The disk has no room: nothing was applied, and the store goes on serving reads."""


class NoSuchLease(StoreError):
    """The lease does not exist or has expired."""


class LeaseExists(StoreError):
    """A lease of this id exists already."""


class Fenced(StoreError):
    """Another owner took the log over with a higher epoch."""


class OutOfRange(StoreError):
    """An offset outside of the log's ends (`start`, `stop`), or an append at an offset that is taken."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__(start, stop)
        self.start = start
        self.stop = stop


class NoSuchBlob(StoreError):
    """No blob of this id."""


class Damaged(StoreError):
    """Stored bytes fail their checksum at a place that no crash explains; the message names the file."""
