"""Work on files that another thread does: it is over before whoever asked for it goes on, cancelled or not.

State   none
Source  asyncio, loop.run_in_executor: to cancel what is under way leaves the thread at it
Absent  none

Whoever is cancelled closes its files. A thread that was still at one would write on by a number which the
next file to be opened may have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


async def on_thread(call: Callable[[*Ts], T], *arguments: *Ts) -> T:
    """What `call` returns. A cancellation takes effect when it has returned."""
    doing = asyncio.get_running_loop().run_in_executor(None, call, *arguments)
    cancelled: asyncio.CancelledError | None = None
    while not doing.done():
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        doing.exception()  # nobody else asks for it
        raise cancelled
    return doing.result()
