"""SIGTERM while a model learns: noted at once, obeyed where nothing is lost.

Raising an exception wherever the signal happens to come could leave half an update. So the signal sets a flag, the
loop looks at it where the weights are whole, and whoever listened before hears of it when the checkpoint stands.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """The run is asked to end; raised only where the weights are whole."""


class Stop:
    """Whether the run is asked to end."""

    def __init__(self) -> None:
        self.asked = False
        self._at_once = False

    def check(self) -> None:
        """Raise Stopped when the run is asked to end."""
        if self.asked:
            raise Stopped

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Within this context the signal waits for no check: what runs here may be cut anywhere, and is done again."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def note(self, signal_number: int, frame: FrameType | None) -> None:
        """Take the signal; a second one changes nothing."""
        self.asked = True
        if self._at_once:
            self._at_once = False
            raise Stopped


@contextmanager
def noted() -> Iterator[Stop]:
    """Within this context SIGTERM is noted; on leaving, it is given to whoever listened before.

    Only the main thread is sent signals: elsewhere nothing is noted, and the process ends as it would have.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, stop.note)
    try:
        yield stop
    except Exception:
        stop.asked = False  # what went wrong on the way is told instead
        raise
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
        if stop.asked:
            signal.raise_signal(signal.SIGTERM)
