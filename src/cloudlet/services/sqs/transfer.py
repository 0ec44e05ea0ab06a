"""Messages on their way from one queue to another: the records of a move, and one that was cut short.

State   in the source's log: Leaving, Departed; in the target's: the messages, each with its Origin
Source  docs/architecture.md, "Logs and traffic": no commit spans two logs
Absent  none

Theory of operation
        source: Leaving n (target, messages)  ->  target: the messages, of move n  ->  source: Departed n

    One call appends all three, and nobody else sees either queue in between. A crash, or an engine that
    refuses, may cut the row short. Then whoever looks at the source next finds it `leaving`, asks the target
    which of the messages came with move n, and writes `Departed n` with those before it decides anything:
    these are in the target alone, the others in the source alone. So it does not matter what has become of
    the target's attributes, of the source's, or of the task meanwhile. A target that is gone has none of
    them, so all are in the source.

    The target forgets a move when it hears of the source's next one, which begins only after Departed n.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cloudlet.aws.request import Anew
from cloudlet.kernel.logs import LogName
from cloudlet.services.sqs import decide
from cloudlet.services.sqs.records import Departed, Event, Leaving, Sent, encode
from cloudlet.services.sqs.state import QueueState

if TYPE_CHECKING:
    from cloudlet.aws.request import Request
    from cloudlet.services.sqs.queues import Found


def look(rq: Request, queue: Found) -> QueueState:
    """A queue's messages, no move of them being half done: every decision on them begins with it."""
    state = rq.log(queue.log, QueueState)
    if state.leaving is not None:
        arrivals = rq.log(LogName(state.leaving.target), QueueState).arrivals
        rq.append(queue.log, [encode(decide.settle(state.leaving, source_id(queue), arrivals))])
        raise Anew
    return state


def source_id(queue: Found) -> str:
    """What a target knows a source by."""
    return queue.record.id.hex()


def transfer(
    rq: Request,
    source: Found,
    target: Found,
    sequences: Sequence[int],
    arriving: Sequence[Sent],
    then: Sequence[Event] = (),
) -> None:
    """Move these messages of the source into the target as `arriving`; records of the same call that follow
    are appended with the last step."""
    move = rq.log(source.log, QueueState).moves + 1
    rq.append(source.log, [encode(Leaving(move, target.log, tuple(sequences)))])
    if arriving:
        rq.append(target.log, [encode(record) for record in arriving])
    rq.append(source.log, [encode(Departed(move, tuple(sequences))), *map(encode, then)])
