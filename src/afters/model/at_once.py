"""Several calls at once, never more than so many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TypeVar

Asked = TypeVar("Asked")
Came = TypeVar("Came")


def at_once(
    items: Sequence[Asked], call: Callable[[Asked], Came], *, most: int, stopped: Event
) -> Iterator[tuple[Asked, Came | Exception]]:
    """Yield each item with what `call` returned or raised, as it comes; items are taken in their order.

    Once a call has raised, or `stopped` is set, no further item is taken; those under way are waited for. The threads
    are daemons, which those of concurrent.futures are not: a process that is interrupted ends, and waits for nobody.

    >>> [came for _, came in at_once([1, 2, 3], lambda item: item * item, most=1, stopped=Event())]
    [1, 4, 9]
    """
    waiting: SimpleQueue[Asked] = SimpleQueue()
    results: SimpleQueue[tuple[Asked, Came | Exception] | None] = SimpleQueue()
    for item in items:
        waiting.put(item)

    def work() -> None:
        while not stopped.is_set():
            try:
                item = waiting.get_nowait()
            except Empty:
                break
            try:
                results.put((item, call(item)))
            except Exception as problem:  # noqa: BLE001 - whatever it is, it is told where the answer is waited for
                results.put((item, problem))
                stopped.set()
        results.put(None)

    working = min(most, len(items))
    for _ in range(working):
        Thread(target=work, daemon=True).start()
    try:
        while working:
            if (came := results.get()) is None:
                working -= 1
            else:
                yield came
    finally:
        stopped.set()
