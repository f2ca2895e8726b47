from __future__ import annotations

import doctest
import threading
from collections.abc import Generator

from afters.model import at_once as home
from afters.model.at_once import at_once


def test_no_more_calls_run_than_may_and_every_item_comes_once() -> None:
    running, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(3, timeout=10)

    def call(item: int) -> int:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait()
        with lock:
            running -= 1
        return item

    came = [one for _, one in at_once(range(12), call, most=3, stopped=threading.Event())]
    assert sorted(one for one in came if isinstance(one, int)) == list(range(12))
    assert most == 3


def test_what_a_call_raises_comes_in_its_place_and_is_the_end() -> None:
    stopped = threading.Event()
    first, last = at_once([1, 0, 2, 3], lambda item: 1 // item, most=1, stopped=stopped)
    assert first == (1, 1)
    assert last[0] == 0 and isinstance(last[1], ZeroDivisionError) and stopped.is_set()


def test_who_stops_gets_what_is_under_way_and_nothing_more() -> None:
    stopped, done = threading.Event(), []
    for item, _ in at_once(range(100), lambda item: item and stopped.wait(10), most=1, stopped=stopped):
        done.append(item)
        stopped.set()
    assert done in ([0], [0, 1])


def test_who_leaves_stops_it() -> None:
    stopped = threading.Event()
    coming = at_once(range(100), lambda item: item, most=2, stopped=stopped)
    next(coming)
    assert isinstance(coming, Generator)
    coming.close()
    assert stopped.is_set()


def test_nothing_is_nothing() -> None:
    assert list(at_once([], str, most=4, stopped=threading.Event())) == []


def test_the_example_in_its_docstring_runs() -> None:
    assert doctest.testmod(home).failed == 0
